"""Evaluate a router in Python, and write its report."""

import tempfile
from pathlib import Path

import numpy as np

from routesdk import PluginHost
from routesdk.manifest import PartRecord
from routesdk.pipeline.split import query_hash
from routesdk.pretrained import assemble_router
from routesdk.testing import MODELS, make_examples, write_dataset
from routesdk.types import Tier, TrainJob

examples = make_examples(400)
train, test_rows = examples[:200], examples[200:]
host = PluginHost()
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    (folder / "model").mkdir()
    rows = write_dataset(folder / "train.jsonl", train)
    host.trainer("linear").train(TrainJob(train=(rows,), output=folder / "model"))
    model = host.policy_model("linear").load(folder / "model")
hashes = np.unique(np.array([query_hash(row.query.text) for row in train], dtype=np.uint64))
router = assemble_router(
    policy_model=model,
    policy_model_record=PartRecord(kind="policy model", name="linear"),
    tiers=[Tier("medium", MODELS[0]), Tier("large", MODELS[1])],
    host=host,
    training_hashes=lambda: hashes,
)

# --8<-- [start:write]
from routesdk.pipeline.evaluation import evaluate
from routesdk.report import to_markdown, write_html

found = evaluate(router, test_rows)  # rows with outcomes of both models
write_html(found, "report.html")
print(to_markdown(found))
# --8<-- [end:write]

# --8<-- [start:again]
import json

from routesdk.pipeline.evaluation import from_record, to_record
from routesdk.report import to_html

Path("evaluation.json").write_text(json.dumps(to_record(found)))
kept = from_record(json.loads(Path("evaluation.json").read_text()))
page = to_html(kept)
# --8<-- [end:again]
assert page == Path("report.html").read_text(encoding="utf-8")
assert found.verdict.advice.value in page
