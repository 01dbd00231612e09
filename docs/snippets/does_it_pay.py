"""Train two routers, measure them on rows that neither has seen, and ask which to ship."""

import tempfile
from pathlib import Path

import numpy as np

from routesdk import PluginHost
from routesdk.manifest import PartRecord
from routesdk.pipeline.payoff import checkpoint_bytes
from routesdk.pipeline.split import query_hash
from routesdk.pretrained import assemble_router
from routesdk.testing import MODELS, make_examples, write_dataset
from routesdk.types import Tier, TrainJob

examples = make_examples(480)
train, validation = examples[:240], examples[240:]
host = PluginHost()


def trained(**options):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        data = write_dataset(folder / "train.jsonl", train)
        host.trainer("linear", **options).train(TrainJob(train=(data,), output=folder / "model"))
        model = host.policy_model("linear").load(folder / "model")
        size = checkpoint_bytes(folder / "model")
    hashes = np.unique(np.array([query_hash(row.query.text) for row in train], dtype=np.uint64))
    router = assemble_router(
        policy_model=model,
        policy_model_record=PartRecord(kind="policy model", name="linear"),
        tiers=[Tier("medium", MODELS[0]), Tier("large", MODELS[1])],
        host=host,
        training_hashes=lambda: hashes,
    )
    return router, size


(router, size), (small_router, small_size) = trained(), trained(bits=8)

# --8<-- [start:measure]
from routesdk.pipeline.payoff import Candidate, measure, to_markdown, verdict

candidates = [
    Candidate("linear", router, bytes=size),
    Candidate("linear, 8 bits", small_router, bytes=small_size),
]
payoff = measure(candidates, validation)  # rows with outcomes of both models
found = verdict(payoff)

print(found.advice, found.candidate)
print(to_markdown(payoff, found))
# --8<-- [end:measure]
assert found.candidate in ("linear", "linear, 8 bits")

# --8<-- [start:look]
ahead = payoff.difference("linear", "prompt length")  # APGR, paired
print(f"{ahead.value:+.3f} [{ahead.low:+.3f}, {ahead.high:+.3f}]")
# --8<-- [end:look]
assert ahead.low <= ahead.value <= ahead.high

# --8<-- [start:keep]
import json

from routesdk.pipeline.payoff import from_record, metric_records, to_record

Path("payoff.json").write_text(json.dumps(to_record(payoff, found), indent=1))
figures = metric_records(payoff, "validation")  # for Evidence(metrics=...), the card's table
# --8<-- [end:keep]
assert from_record(json.loads(Path("payoff.json").read_text())) == payoff
assert {each.rows for each in figures} == {240}
