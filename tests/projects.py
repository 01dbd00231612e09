"""Small projects for tests: recorded answers, a quick trainer, and a config in the current folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from routesdk.config import Config, load_config
from routesdk.dataset import write_examples
from routesdk.host import PluginHost
from routesdk.pipeline.project import Project, Step, run, status
from routesdk.testing import MODELS, make_examples

ROWS = 160

TEXT = """
[project]
name = "simpleqa"

[oracle]
benchmark = {{ name = "{benchmark}", options = {{ path = "recorded.jsonl" }} }}
backend = {{ name = "recorded", options = {{ path = "recorded.jsonl" }} }}
judge = {{ name = "recorded", options = {{ path = "recorded.jsonl" }} }}
journal = "data/generated/oracle.sqlite"
{oracle}

[[oracle.tiers]]
name = "medium"
model = "{medium}"

[[oracle.tiers]]
name = "large"
model = "{large}"

[train]
trainer = {{ name = "linear", options = {{ bits = 10 }} }}
compare = []
{train}

[evaluate]
resamples = 100
timed = 10
reasons = 5
{more}
"""

LINEAR = ("download", "split", "oracle", "train", "evaluate", "report")
"""The stages that the trainer `linear` needs."""

FILES = (
    "data/benchmarks/simpleqa.jsonl",
    "data/splits/simpleqa_train.jsonl",
    "data/splits/simpleqa_test.jsonl",
    "data/generated/oracle_dataset.jsonl",
    "router_checkpoints/router_final/router.json",
    "evaluation/results/router_results.jsonl",
    "evaluation/results/router_metrics.json",
    "evaluation/results/comparison.json",
    "evaluation/results/report.html",
    "evaluation/results/report.md",
)
"""The files that people expect of a run with `linear`."""


def write_project(
    *, benchmark: str = "recorded", oracle: str = "", train: str = "", more: str = "", rows: int = ROWS
) -> Path:
    """Write recorded answers, where there are none, and a config into the current folder."""
    if not Path("recorded.jsonl").exists():
        write_examples("recorded.jsonl", make_examples(rows))
    medium, large = MODELS
    text = TEXT.format(benchmark=benchmark, oracle=oracle, train=train, more=more, medium=medium, large=large)
    Path("routesdk.toml").write_text(text, encoding="utf-8")
    return Path("routesdk.toml")


def open_project(host: PluginHost | None = None) -> Project:
    """Open the project of the current folder."""
    return Project.of(config(), host or PluginHost(entry_points=False))


def config() -> Config:
    """Read the config of the current folder."""
    return load_config("routesdk.toml")


def did(steps: tuple[Step, ...], what: str = "done") -> tuple[str, ...]:
    """Name the stages that were done, or kept."""
    return tuple(step.stage for step in steps if step.what == what)


def states() -> dict[str, str]:
    """Return how every stage stands."""
    return {each.stage.name: each.state.value for each in status(open_project())}


def reasons(stage: str) -> str:
    """Say why a stage stands as it does."""
    return "; ".join(next(each for each in status(open_project()) if each.stage.name == stage).reasons)


def contents(*folders: str) -> dict[str, str]:
    """Hash every file below these folders."""
    return {
        path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


__all__ = [
    "FILES",
    "LINEAR",
    "config",
    "contents",
    "did",
    "open_project",
    "reasons",
    "run",
    "states",
    "write_project",
]
