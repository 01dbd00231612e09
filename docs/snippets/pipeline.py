"""From a config to a trained router, stage by stage."""

import tempfile
from contextlib import chdir
from pathlib import Path

from routesdk.config import load_config
from routesdk.dataset import write_examples
from routesdk.pipeline.project import Project, estimate, run, status, total_usd
from routesdk.testing import make_examples

settings = load_config("pipeline.toml")
with tempfile.TemporaryDirectory() as folder, chdir(folder):
    write_examples("answers.jsonl", make_examples(160))
    # --8<-- [start:use]
    project = Project.of(settings)
    cost_usd, at_most_usd = total_usd(estimate(project))
    for step in run(project, until="train"):
        print(step.stage, step.what, step.summary)
    for standing in status(project):
        print(standing.stage.name, standing.state.value, *standing.reasons)
    # --8<-- [end:use]
    assert Path("router_checkpoints/router_final/router.json").is_file()
