"""Answer questions offline: recorded answers stand in for the models, and cost nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from routesdk import Router
from routesdk.terms import Fallback

FLASH, PRO = "gemini-2.5-flash", "gemini-2.5-pro"
ANSWERS = {
    "Who wrote Faust?": {FLASH: "Johann Wolfgang von Goethe.", PRO: "Goethe."},
    "When did Goethe die?": {PRO: "On 22 March 1832."},
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = record(Path(folder))
        # With a key, "gemini" in place of "recorded" asks the models themselves.
        router = Router.from_pretrained("default", medium=FLASH, large=PRO).with_backend(
            "recorded", path=file
        )
        router = router.with_large_share(0.0).with_budget(1)

        reply = router.answer("Who wrote Faust?")
        used = reply.answer.usage
        print(f"{reply.decision.model}: {reply.text} ({used.output_tokens} tokens, {used.cost_usd} USD)")

        # Nobody recorded the cheap model's answer to this one.
        with router.stream("When did Goethe die?", fallback=Fallback((PRO,), on="any")) as stream:
            for piece in stream:
                print(piece.text, end="")
        print()
        last = stream.decision.trace[-1]
        print(f"{last.stage.value}: {last.chosen}, since {last.reason[:40]}…")
        print(f"spent: {router.spend.snapshot().total_usd:f} USD")


def record(folder: Path) -> str:
    """Write what the models once answered."""
    file = folder / "answers.jsonl"
    outcome = {"score": 1, "usage": {"input_tokens": 6, "output_tokens": 40}}
    with file.open("w", encoding="utf-8") as lines:
        for number, (question, answers) in enumerate(ANSWERS.items()):
            outcomes = {model: {**outcome, "answer": text} for model, text in answers.items()}
            lines.write(json.dumps({"id": number, "query": question, "outcomes": outcomes}) + "\n")
    return str(file)


if __name__ == "__main__":
    main()
