"""The examples run as people run them, offline, and print what they promise."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from routesdk import PluginHost
from routesdk.config import load_config
from routesdk.dataset import read_examples
from routesdk.pipeline.division import TRAIN, divide
from routesdk.types import Example

FOLDER = Path(__file__).resolve().parents[2] / "examples"

PROMISED = {
    "answer_recorded.py": (
        "gemini-2.5-flash: Johann Wolfgang von Goethe. (40 tokens, 0 USD)",
        "On 22 March 1832.",
        "fallback: gemini-2.5-pro, since gemini-2.5-flash gave no answer",
        "spent: 0.000000000 USD",
    ),
    "custom_rule.py": ("acme: gpt-4.1, since tenant 'acme' has it in its contract",),
    "oracle_recorded.py": (
        "simpleqa_cs.jsonl.gz is not there.",
        "Set ROUTESDK_DATA to the folder that has simpleqa_cs.jsonl.gz",
    ),
    "read_trace.py": (
        "override   tag        claude-sonnet-4-5: the query has the tag 'vip'",
        "(overruled: claude-sonnet-4-5 stays)",
        "skipped    Broken     claude-sonnet-4-5: it failed: a bug",
    ),
    "route_offline.py": ("Jerlov", "policy", "expected gain", "with large_share=0.5"),
    "set_budget.py": (
        "nothing spent:   gemini-2.5-pro",
        "9.10 USD spent:  gemini-2.5-flash",
        "85 % spent:      gemini-2.5-pro",
        "90 % spent:      gemini-2.5-flash",
    ),
    "swap_model.py": (
        "'large': 'claude-sonnet-4-5'",
        "-> claude-sonnet-4-5",
        "bound:",
        "generic:",
    ),
}
"""Example → what its output holds, where there are no recorded outcomes."""

TRAINING = {
    "train_tiny.py": ("validation rows; medium medium-model", "| SFT + DPO |", "DPO added", "_Query -> "),
}
"""The same of examples that need the extra `train`, and some seconds."""

HAIKU, SONNET = "claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"


def _run(
    name: str, folder: Path, *, warnings: str = "error", timeout_s: float = 120, **environment: str
) -> str:
    # No proxy leads anywhere, so that an example which wants the network fails.
    nowhere = {"HF_HUB_OFFLINE": "1", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-W", warnings, str(FOLDER / name)],
        cwd=folder,
        env={**os.environ, **nowhere, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_an_example_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    output = _run(name, tmp_path, ROUTESDK_DATA=str(tmp_path))

    for promise in PROMISED[name]:
        assert promise in output


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRAINING))
def test_an_example_of_training_prints_what_it_promises(name: str, tmp_path: Path) -> None:
    if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
        for package in ("torch", "trl", "peft"):
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed: run `make models`")

    # What these packages warn of themselves is not the example's doing.
    output = _run(name, tmp_path, warnings="default", timeout_s=400, ROUTESDK_DATA=str(tmp_path))

    for promise in TRAINING[name]:
        assert promise in output


def test_every_example_is_run_here() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {*PROMISED, *TRAINING}


@pytest.mark.parametrize("name", sorted({*PROMISED, *TRAINING}))
def test_an_example_has_fewer_than_sixty_lines(name: str) -> None:
    assert len((FOLDER / name).read_text(encoding="utf-8").splitlines()) < 60


def test_an_example_writes_no_file(tmp_path: Path) -> None:
    _run("set_budget.py", tmp_path)

    assert not list(tmp_path.iterdir())


def test_the_nine_cells_of_recorded_answers_are_a_direct_count_of_the_file(
    data_folder: Path, tmp_path: Path
) -> None:
    file = data_folder / "simpleqa_cs.jsonl.gz"
    benchmark = PluginHost(entry_points=False).benchmark("recorded", path=str(file))
    division = divide(benchmark, tiers=(HAIKU, SONNET))
    train, everything = _cells(division.select(benchmark, TRAIN)), _cells(read_examples(file))

    output = _run("oracle_recorded.py", tmp_path, ROUTESDK_DATA=str(data_folder))

    rows = re.findall(r"^([CIA]{2}) +[A-Z]\w+_Query +([\d,]+) +([\d,]+) ", output, re.MULTILINE)
    assert {cell: _number(oracle) for cell, oracle, _ in rows} == train
    assert {cell: _number(whole) for cell, _, whole in rows} == everything
    assert [_number(total) for total in output.splitlines()[-1].split()] == [
        train.total(),
        everything.total(),
    ]
    assert len(everything) == 9


@pytest.mark.slow
def test_the_recorded_pipeline_goes_from_start_to_report(data_folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "ROUTESDK_DATA": str(data_folder), "HF_HUB_OFFLINE": "1"}
    # A key would be of no use: no provider is asked.
    environment = {key: value for key, value in environment.items() if not key.endswith("_API_KEY")}
    command = [sys.executable, "-c", "from routesdk.cli import main; main()"]
    config = ("-c", str(FOLDER / "pipeline_recorded.toml"))

    done = subprocess.run(
        [*command, "run", *config],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for name in (
        "data/benchmarks/simpleqa.jsonl",
        "data/splits/simpleqa_train.jsonl",
        "data/splits/simpleqa_test.jsonl",
        "data/generated/oracle_dataset.jsonl",
        "router_checkpoints/router_final/router.json",
        "evaluation/results/router_results.jsonl",
        "evaluation/results/router_metrics.json",
        "evaluation/results/comparison.json",
        "evaluation/results/report.html",
    ):
        assert (tmp_path / name).stat().st_size > 0, name
    rows = sum(1 for _ in read_examples(tmp_path / "data/splits/simpleqa_test.jsonl"))
    assert (tmp_path / "evaluation/results/router_results.jsonl").read_text("utf-8").count("\n") == rows


def test_the_recorded_pipeline_is_a_valid_config_wherever_the_data_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUTESDK_DATA", str(tmp_path))
    named = load_config(FOLDER / "pipeline_recorded.toml")
    monkeypatch.delenv("ROUTESDK_DATA")
    unnamed = load_config(FOLDER / "pipeline_recorded.toml")

    parts = [
        (config.oracle.benchmark, config.oracle.backend, config.oracle.judge) for config in (named, unnamed)
    ]
    assert [part.options["path"] for part in parts[0]] == [f"{tmp_path}/simpleqa_cs.jsonl.gz"] * 3
    assert [part.options["path"] for part in parts[1]] == ["../shared/data/simpleqa_cs.jsonl.gz"] * 3


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _cells(examples: Iterable[Example]) -> Counter[str]:
    grades = ([example.outcomes[model].grade for model in (HAIKU, SONNET)] for example in examples)
    return Counter("".join(grade.value[0] for grade in pair if grade is not None) for pair in grades)
