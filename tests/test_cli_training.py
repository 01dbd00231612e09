"""`routesdk prepare`, `train`, `merge` and `push`, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from command import Command, Result
from hub_stand_in import Hub, serve
from routesdk import Router
from routesdk.config import TrainConfig
from routesdk.dataset import write_examples
from routesdk.errors import TrainingError
from routesdk.pipeline import training
from routesdk.testing import MODELS, make_examples
from routesdk.types import Grade

CORRECT = Grade.CORRECT
TIERS = ("--tier", f"medium={MODELS[0]}", "--tier", f"large={MODELS[1]}")
QUICK = ("--trainer", "linear", "--option", "bits=10", "--compare", "none")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `routesdk` in a folder of its own, in which an oracle lies."""
    monkeypatch.chdir(tmp_path)
    write_examples(tmp_path / "oracle.jsonl", make_examples(90))
    return Command(monkeypatch, capsys)


def trained(run: Command, *more: str) -> Result:
    return run("train", "oracle.jsonl", *TIERS, *QUICK, "-o", "router", "--work", "work", *more)


def test_an_oracle_becomes_rows_and_pairs_and_is_counted(run: Command, tmp_path: Path) -> None:
    done = run("prepare", "oracle.jsonl", *TIERS, "-o", "training", "--balance", "none", "--seed", "3")

    assert done.code == 0, done.err
    statistics = json.loads(done.out[: done.out.rindex("}") + 1])
    assert done.out.rstrip().endswith("written to training")
    rows = (tmp_path / "training" / "sft_train.jsonl").read_text().splitlines()
    assert statistics["rows"]["train"] == len(rows) == statistics["sft_rows_an_epoch"]
    assert (tmp_path / "training" / "dpo_validation.jsonl").stat().st_size > 0
    assert "Policy: " in json.loads(rows[0])["completion"][0]["content"].splitlines()[0]


def test_the_other_order_is_prepared_where_it_is_asked_for(run: Command, tmp_path: Path) -> None:
    assert run("prepare", "oracle.jsonl", *TIERS, "--order", "reason-first").code == 0

    (first, *_) = (tmp_path / "data" / "training" / "sft_train.jsonl").read_text().splitlines()
    assert json.loads(first)["completion"][0]["content"].startswith("Reason: ")


def test_a_router_is_trained_and_said_to_be_worth_it_or_not(run: Command, tmp_path: Path) -> None:
    done = trained(run)

    assert done.code == 0, done.err
    assert "always medium" in done.out
    assert "prompt length" in done.out
    assert done.out.rstrip().endswith("written to router")
    assert Router.from_pretrained(tmp_path / "router").route("Why?").model in MODELS
    assert run("route", "--checkpoint", "./router", "--json", "Why?").rows[0]["model"] in MODELS


def test_machines_get_one_object(run: Command) -> None:
    done = trained(run, "--json")

    assert done.code == 0, done.err
    (record,) = done.rows
    assert record["checkpoint"] == "router"
    payoff = record["payoff"]
    assert isinstance(payoff, dict)
    assert [each["name"] for each in payoff["candidates"]] == ["linear"]
    assert payoff["verdict"]["sentences"]


def test_a_config_file_describes_a_training_and_options_win(run: Command, tmp_path: Path) -> None:
    (tmp_path / "routesdk.toml").write_text(
        f"""
        [train]
        trainer = {{ name = "linear", options = {{ bits = 10 }} }}
        data = ["oracle.jsonl"]
        tiers = ["{MODELS[0]}", "{MODELS[1]}"]
        compare = []
        output = "from-file"
        work = "work"
        seed = 7
        """,
        encoding="utf-8",
    )
    done = run("train", "-c", "routesdk.toml", "-o", "from-option")

    assert done.code == 0, done.err
    assert (tmp_path / "from-option" / "router.json").is_file()
    assert not (tmp_path / "from-file").exists()
    assert json.loads((tmp_path / "work" / "payoff.json").read_text())["seed"] == 7


@pytest.mark.parametrize(
    ("written", "option", "taken"),
    [
        ('{ name = "qlora-dpo", options = { beta = 0.2 } }', (), ("qlora-dpo", {"beta": 0.2})),
        ('"qlora-dpo"', ("--trainer", "qlora-sft"), ("qlora-sft", {})),
        ('"linear"', (), ("qlora-sft", {})),
    ],
)
def test_a_comparison_takes_the_trainer_of_the_config_with_its_options(  # noqa: PLR0917 - fixtures
    run: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    option: tuple[str, ...],
    taken: tuple[str, dict[str, object]],
) -> None:
    seen = []

    def compare_bases(config: TrainConfig, *_: object, **__: object) -> None:
        seen.append((config.trainer.name, dict(config.trainer.options)))
        raise TrainingError("compare", "far enough", "")

    monkeypatch.setattr(training, "compare_bases", compare_bases)
    (tmp_path / "routesdk.toml").write_text(f"[train]\ntrainer = {written}\n", encoding="utf-8")

    run("compare", "oracle.jsonl", *TIERS, "--base-model", "a/b", "-c", "routesdk.toml", *option)

    assert seen == [taken]


def test_preparation_writes_what_the_config_would_train_on(run: Command, tmp_path: Path) -> None:
    text = '[train.sft]\norder = "reason-first"\nbalance = "none"\n'
    (tmp_path / "routesdk.toml").write_text(text, encoding="utf-8")

    done = run("prepare", "oracle.jsonl", *TIERS, "-c", "routesdk.toml", "-o", "prepared")
    assert run("prepare", "oracle.jsonl", *TIERS, "--order", "decision-first", "-o", "other").code == 0

    assert done.code == 0, done.err
    first, other = (
        json.loads(next((tmp_path / folder).rglob("sft_train.jsonl")).read_text().splitlines()[0])
        for folder in ("prepared", "other")
    )
    assert "Reason:" in json.dumps(first["completion"]).partition("Policy:")[0]
    assert "Reason:" not in json.dumps(other["completion"]).partition("Policy:")[0]
    assert '"balance": "none"' in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "missing.jsonl", *TIERS), "missing.jsonl: cannot be read"),
        (("train", "oracle.jsonl", *QUICK), "does not say which models stand for the tiers"),
        (("train", "oracle.jsonl", *TIERS, "--trainer", "linaer"), "Did you mean 'linear'?"),
        (("train", "oracle.jsonl", *TIERS, "--trainer", "linear", "--option", "bit=9"), "bit"),
        (("train", "oracle.jsonl", *TIERS, "--option", "bits=9"), "Give --trainer too"),
        (("train", "oracle.jsonl", "--tier", "medium"), "is not NAME=MODEL"),
        (("train",), "names no file"),
        (("train", "oracle.jsonl", *TIERS, "--executor", "modl"), "Did you mean 'modal'?"),
        (("train", "oracle.jsonl", *TIERS, "--seed", "-1"), "seed"),
        (("train", "-c", "missing.toml"), "cannot be read"),
        (("prepare", "oracle.jsonl", *TIERS, "--balance", "equal"), "none, sqrt, full"),
        (("prepare", "oracle.jsonl", *TIERS, "--order", "first"), "decision-first, reason-first"),
        (("prepare", "oracle.jsonl", *TIERS, "--rejected", "all"), "uniform, prior"),
        (("prepare",), "names no file"),
        (
            ("compare", "oracle.jsonl", *TIERS, "--base-model", "a/b", "--base-model", "c/b"),
            "two of one name",
        ),
        (("merge", "nowhere", "merged"), "nowhere"),
        (("merge", "default", "merged"), "no adapter to merge"),
        (("merge", "default", "merged", "--model-option", "device"), "is not KEY=VALUE"),
        (("push", "oracle.jsonl", "owner/router"), "oracle.jsonl"),
        (("push", "nowhere", "owner/router"), "nowhere"),
        (("route", "Why?", "--model-option", "device=cpu"), "device"),
        (("route", "Why?", "--model-option", "device"), "is not KEY=VALUE"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_what_to_do(
    run: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())

    done = run(*arguments)

    assert said in " ".join(done.refused().split())
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "merged").exists()
    assert not (tmp_path / "router_checkpoints" / "router_final").exists()
    assert before == ["oracle.jsonl"]


def test_an_oracle_of_one_policy_alone_teaches_nothing(run: Command, tmp_path: Path) -> None:
    rows = [
        row for row in make_examples(90) if row.id in {f"row-{3 * at}" for at in range(30) if at % 4 != 1}
    ]
    write_examples(tmp_path / "oracle.jsonl", rows)

    done = run("prepare", "oracle.jsonl", *TIERS)

    assert "have the policy 'Standard_Query'" in done.refused()


def test_options_of_the_policy_model_reach_it(run: Command) -> None:
    trained(run)

    # `linear` has no options: it says so, and not that the option is unknown to the command.
    done = run("route", "--checkpoint", "./router", "--model-option", "device=cpu", "Why?")

    assert "linear" in done.refused()
    assert "device" in done.refused()


def test_a_checkpoint_is_put_on_the_hub_whole_and_none_of_it_is_run(run: Command, tmp_path: Path) -> None:
    trained(run)
    kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    # The Hub's client reads its endpoint when it is imported.
    with serve(Hub()) as hub:
        environment = {
            **kept,
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_TOKEN": "hf_of_nobody",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "*",
        }
        command = ["-c", "from routesdk.cli import main; main()", "push", "router", "owner/router"]
        done = subprocess.run(
            [sys.executable, *command, "--private", "--message", "First one"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert "owner/router" in done.stdout
    repository = hub.repositories["owner/router"]
    pushed = repository.commits[repository.refs["main"]]
    wanted = {
        path.relative_to(tmp_path / "router").as_posix(): path.read_bytes()
        for path in (tmp_path / "router").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert {name: pushed[name] for name in wanted} == wanted
    assert repository.messages[-1] == "First one"
    assert repository.private
