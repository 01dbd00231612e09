"""Judge a router in Python: rows that it did not learn from, figures with intervals, a verdict, files."""

from pathlib import Path

from routesdk.config import TrainConfig
from routesdk.pipeline.training import train_router
from routesdk.testing import MODELS, make_examples, write_dataset

rows = make_examples(240)
write_dataset(Path("train.jsonl"), rows[:160])
write_dataset(Path("test.jsonl"), rows[160:])
train_router(TrainConfig(data=(Path("train.jsonl"),), tiers=MODELS, compare=(), output=Path("router")))

# --8<-- [start:evaluate]
from routesdk import Router
from routesdk.dataset import read_examples
from routesdk.pipeline.evaluation import evaluate, write_evaluation

router = Router.from_pretrained("router")  # bound to the models that it was trained on
evaluation = evaluate(router, read_examples("test.jsonl"), name="mine")

print(evaluation.verdict.advice.value)
print(" ".join(evaluation.verdict.sentences))
files = write_evaluation(evaluation, "evaluation/results")
# --8<-- [end:evaluate]
assert files.results.name == "router_results.jsonl"

# --8<-- [start:look]
ours, length = evaluation.router, evaluation.line("prompt length")
print(f"{ours.accuracy.value:.3f} [{ours.accuracy.low:.3f}, {ours.accuracy.high:.3f}]")
print(
    f"ahead of prompt length by {length.ahead.value:+.3f} [{length.ahead.low:+.3f}, {length.ahead.high:+.3f}]"
)
print(evaluation.metric("apgr").interval.value)

worst = evaluation.mistakes[0]
print(worst.kind, worst.query)
for step in worst.decision.trace:
    print(step.stage.value, step.model, step.reason)

shouted = evaluate(router, read_examples("test.jsonl"), perturbations={"shouting": str.upper})
print(shouted.perturbations[0].same_tier.value)
# --8<-- [end:look]
assert length.ahead.low <= length.ahead.value <= length.ahead.high
assert shouted.perturbations[0].name == "shouting"
