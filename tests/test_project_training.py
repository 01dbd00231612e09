"""A run with a language model: rows and pairs, SFT, DPO, a report; SFT is trained once."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from projects import did, open_project, states, write_project
from routesdk.pipeline.project import run
from small_model import save_random_model

pytestmark = pytest.mark.slow

STAGES = ("download", "split", "oracle", "prepare", "sft", "dpo", "evaluate", "report")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small base model, where the packages are there."""
    if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
        for package in ("torch", "trl", "peft"):
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed: run `make models`")
    monkeypatch.chdir(tmp_path)
    save_random_model(tmp_path / "base")
    return tmp_path


def configure(trainer: str, dpo: str = "") -> None:
    """Write a project with this trainer."""
    write_project(
        train=f"""
        base_model = "base"

        [train.sft]
        epochs = 0.2
        max_tokens = 1024
        device = "cpu"
        order = "decision-first"

        [train.dpo]
        epochs = 0.2
        pairs = 8
        max_tokens = 1024
        device = "cpu"
        {dpo}

        [router]
        model_options = {{ device = "cpu" }}
        """,
        rows=60,
    )
    file = Path("routesdk.toml")
    text = file.read_text("utf-8")
    text = text.replace('{ name = "linear", options = { bits = 10 } }', f'"{trainer}"')
    file.write_text(text, encoding="utf-8")


@pytest.mark.filterwarnings("default")
def test_a_run_goes_by_sft_and_dpo_to_a_report_and_trains_sft_once(folder: Path) -> None:
    configure("qlora-dpo")

    steps = run(open_project())

    assert did(steps) == STAGES
    for name in ("sft_train.jsonl", "dpo_train.jsonl", "statistics.json"):
        assert Path("data/training", name).stat().st_size > 0
    assert Path("router_checkpoints/router_sft/router.json").is_file()
    assert Path("router_checkpoints/router_final/router.json").is_file()
    assert Path("evaluation/results/report.html").is_file()
    assert states()["train"] == "not needed"
    trained = {
        name: Path("router_checkpoints/work/models", name).stat().st_mtime_ns
        for name in ("qlora-sft", "qlora-dpo")
    }
    # DPO found SFT's model, and did not train another.
    assert trained["qlora-sft"] < trained["qlora-dpo"]

    # Another setting of DPO leaves SFT as it is; another order of the lines does not.
    configure("qlora-dpo", "beta = 0.2")
    found = states()
    assert (found["prepare"], found["sft"], found["dpo"]) == ("done", "done", "stale")
    run(open_project(), until="dpo")
    assert Path("router_checkpoints/work/models/qlora-sft").stat().st_mtime_ns == trained["qlora-sft"]
    file = Path("routesdk.toml")
    file.write_text(file.read_text("utf-8").replace("decision-first", "reason-first"), encoding="utf-8")
    found = states()
    assert (found["prepare"], found["sft"], found["dpo"]) == ("stale", "stale", "stale")


@pytest.mark.filterwarnings("default")
def test_a_run_that_ends_with_sft_writes_the_final_router_there(folder: Path) -> None:
    configure("qlora-sft")

    steps = run(open_project(), until="sft")

    assert did(steps) == ("download", "split", "oracle", "prepare", "sft")
    assert states()["dpo"] == "not needed"
    assert Path("router_checkpoints/router_final/router.json").is_file()
    assert not Path("router_checkpoints/router_sft").exists()
    rows = Path("data/training/sft_train.jsonl").read_text("utf-8").splitlines()
    statistics = json.loads(Path("data/training/statistics.json").read_text("utf-8"))
    assert statistics["sft_rows_an_epoch"] == len(rows)
