"""Answer questions: at once, piece by piece, with a fallback, within a budget, and read the log back."""

import json
from pathlib import Path

FLASH, PRO = "gemini-2.5-flash", "gemini-2.5-pro"
recorded = {
    "Who wrote Faust?": {FLASH: "Johann Wolfgang von Goethe.", PRO: "Goethe."},
    "When did Goethe die?": {PRO: "On 22 March 1832."},
}
with Path("answers.jsonl").open("w") as file:
    for number, (question, answers) in enumerate(recorded.items()):
        usage = {"input_tokens": 6, "output_tokens": 40}
        outcomes = {model: {"score": 1, "answer": text, "usage": usage} for model, text in answers.items()}
        file.write(json.dumps({"id": number, "query": question, "outcomes": outcomes}) + "\n")

# --8<-- [start:answer]
from routesdk import Router

router = Router.from_pretrained("default", medium=FLASH, large=PRO)
router = router.with_backend("recorded", path="answers.jsonl")  # or "gemini", which needs a key

reply = router.answer("Who wrote Faust?", max_output_tokens=500)
print(reply.text)
print(reply.decision.model, reply.answer.usage.cost_usd, "USD")
# --8<-- [end:answer]
assert "Goethe" in reply.text

# --8<-- [start:stream]
with router.stream("Who wrote Faust?") as stream:
    print(stream.decision.model)
    for piece in stream:
        print(piece.text, end="", flush=True)
print(f"\n{stream.answer.usage.cost_usd} USD")
# --8<-- [end:stream]

# --8<-- [start:async]
import asyncio


async def two() -> None:
    first, second = await asyncio.gather(
        router.aanswer("Who wrote Faust?"), router.aanswer("Who wrote Faust?", large_share=1.0)
    )
    print(first.decision.model, second.decision.model)
    async with await router.astream("Who wrote Faust?") as stream:
        print("".join([piece.text async for piece in stream]))


asyncio.run(two())
# --8<-- [end:async]

# --8<-- [start:fallback]
from routesdk.terms import Fallback

reply = router.answer("When did Goethe die?", large_share=0.0, fallback=Fallback((PRO,), on="any"))
for step in reply.decision.trace:
    print(step.stage.value, step.chosen, "since", step.reason)
# --8<-- [end:fallback]
assert reply.decision.model == PRO


class Metered:
    """Stands for a provider: recorded answers are free, and no budget bounds them."""

    def __init__(self, backend):
        self.generate, self.stream = backend.generate, backend.stream


router = router.with_backend(Metered(router.host.backend("recorded", path="answers.jsonl")))

# --8<-- [start:budget]
from routesdk.errors import BudgetError

spend = router.host.spend_source("sqlite", path="spend.db")
careful = router.with_budget(0.01, spend=spend)
try:
    careful.answer("Who wrote Faust?", large_share=0.0, max_output_tokens=100_000)
except BudgetError as error:
    print(error)
# --8<-- [end:budget]
else:
    raise AssertionError("a call that may cost 0.25 USD was made with 0.01 USD")
# --8<-- [start:cap]
print(careful.answer("Who wrote Faust?", large_share=0.0, max_output_tokens=100).text)
# --8<-- [end:cap]

# --8<-- [start:log]
from routesdk.logbook import LoggedCall, read_calls

logged = router.with_observer(router.host.observer("decision-log", path="log.jsonl", include_text=True))
logged.answer("Who wrote Faust?")
for call in read_calls("log.jsonl"):
    if isinstance(call, LoggedCall) and call.answered is not None:
        print(call.answered.query.text, call.decision.model, call.answered.answer.usage.cost_usd)
    else:
        print(call)  # a decision without an answer, or a line that cannot be read
# --8<-- [end:log]
assert isinstance(call, LoggedCall) and call.answered is not None
