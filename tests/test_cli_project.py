"""`routesdk init`, `run` and `status`, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import Command
from projects import FILES, LINEAR, write_project
from routesdk._variable import with_variables
from routesdk.config import load_config
from routesdk.errors import ConfigError


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `routesdk` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys)


def test_init_writes_a_config_that_is_valid_and_never_writes_over_one(command: Command) -> None:
    done = command("init")

    assert done.code == 0, done.err
    assert "routesdk run --dry-run" in done.out
    config = load_config("routesdk.toml")
    assert (config.project.name, config.oracle.benchmark.name, config.train.trainer.name) == (
        "simpleqa",
        "simpleqa",
        "linear",
    )
    Path("routesdk.toml").write_text("# mine\n", encoding="utf-8")
    assert "is there already, and is left as it is" in command("init").refused()
    assert Path("routesdk.toml").read_text("utf-8") == "# mine\n"
    assert command("init", "other/routesdk.toml").code == 0
    assert load_config("other/routesdk.toml") == config


def test_what_the_config_calls_a_default_is_one(command: Command) -> None:
    command("init")
    text = Path("routesdk.toml").read_text("utf-8")
    kept = [line for line in text.splitlines() if "# not a default" not in line]
    Path("routesdk.toml").write_text("\n".join(kept), encoding="utf-8")

    found, usual = load_config("routesdk.toml"), load_config(_empty())

    assert found.project.name == "simpleqa"
    assert (found.oracle, found.train, found.evaluate, found.router) == (
        usual.oracle,
        usual.train,
        usual.evaluate,
        usual.router,
    )


def _empty() -> Path:
    Path("empty.toml").write_text("", encoding="utf-8")
    return Path("empty.toml")


def test_a_run_goes_from_start_to_report(command: Command) -> None:
    write_project()

    before = command("status")
    assert before.code == 0, before.err
    assert "`routesdk run` does download, split, oracle, train, evaluate, report." in before.out
    assert "the trainer 'linear' learns from the oracle's rows" in " ".join(before.out.split())
    done = command("run")

    assert done.code == 0, done.err
    lines = [line.split()[:2] for line in done.out.splitlines()[:6]]
    assert lines == [["done", name] for name in LINEAR]
    assert done.out.splitlines()[-1] == "report: evaluation/results/report.html, evaluation/results/report.md"
    for name in FILES:
        assert Path(name).stat().st_size > 0
    assert "`routesdk run` has nothing to do" in command("status").out
    assert "again with: `routesdk run`" in Path("evaluation/results/report.md").read_text("utf-8")
    again = command("run", "--json")
    assert [each["what"] for each in again.rows[0]["stages"]] == ["kept"] * 6  # type: ignore[attr-defined]


def test_status_and_dry_run_speak_to_machines_too(command: Command) -> None:
    write_project()
    command("run", "--until", "oracle")
    write_project(train="seed = 1")
    status = command("status", "--json").rows[0]
    dry = command("run", "--dry-run", "--from", "train", "--json").rows[0]

    stages = {each["stage"]: each for each in status["stages"]}  # type: ignore[attr-defined]
    assert status["trainer"] == "linear"
    assert stages["oracle"]["state"] == "done"
    assert stages["oracle"]["outputs"][0] == "data/generated/oracle_dataset.jsonl"
    assert stages["sft"]["state"] == "not needed"
    assert [each["stage"] for each in dry["stages"]] == ["train", "evaluate", "report"]  # type: ignore[attr-defined]
    assert dry["cost_usd"] == dry["at_most_usd"] == "0"


def test_a_dry_run_is_a_table_with_the_bound_below(command: Command) -> None:
    write_project(oracle="max_usd = 2.5")

    done = command("run", "--dry-run")

    assert done.code == 0, done.err
    assert "calls in all: about $0.0000, at most $0.0000" in done.out
    assert "more than $2.5" in done.out
    assert sorted(path.name for path in Path().iterdir()) == ["recorded.jsonl", "routesdk.toml"]


def test_edits_are_told_with_what_to_do_about_them(command: Command) -> None:
    write_project()
    command("run", "--until", "split")
    file = Path("data/splits/simpleqa_test.jsonl")
    file.write_text(file.read_text("utf-8") + "\n", encoding="utf-8")

    shown = " ".join(command("status").out.split())
    assert "changed by hand" in shown
    assert "`--replace-edits` puts them aside" in shown
    assert "does nothing as things stand" in shown
    assert "--keep-edits" in command("run", "--until", "split").refused()
    assert "--keep-edits" in command("run", "--dry-run").refused()
    assert command("run", "--dry-run", "--keep-edits").code == 0
    assert "Give one of them" in command("run", "--keep-edits", "--replace-edits").refused()
    replaced = command("run", "--until", "split", "--replace-edits")
    assert replaced.code == 0
    assert "yours was put aside: data/splits/simpleqa_test.edited-1.jsonl" in replaced.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "-c", "missing.toml"), "Write one with `routesdk init`"),
        (("status", "-c", "missing.toml"), "Write one with `routesdk init`"),
        (("run", "--from", "train", "--until", "split"), "comes after --until split"),
        (("run", "--from", "trian"), "is no stage"),
        (("run", "--until", "dpo"), "the stage `train` is all of its training"),
        (("run", "--from", "evaluate"), "Leave out --from"),
        (("run", "--dry-run", "--from", "nothing"), "is no stage"),
        (("run", "--dry-run", "--retry-unscored"), "Leave out one of it and --dry-run"),
    ],
)
def test_a_mistake_is_one_sentence_and_runs_nothing(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    write_project()

    assert said in " ".join(command(*arguments).refused().split())
    assert not Path("data").exists()


def test_a_config_takes_variables_of_routesdk_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTESDK_DATA", "/somewhere")
    monkeypatch.setenv("SECRET_KEY", "secret")
    monkeypatch.delenv("ROUTESDK_OTHER", raising=False)
    data = {
        "path": "${ROUTESDK_DATA}/a.jsonl",
        "other": ["${ROUTESDK_OTHER:-../data}/b", {"deep": "${SECRET_KEY} $HOME {x}"}],
        "number": 3,
    }

    assert with_variables(data) == {
        "path": "/somewhere/a.jsonl",
        "other": ["../data/b", {"deep": "${SECRET_KEY} $HOME {x}"}],
        "number": 3,
    }
    with pytest.raises(ConfigError) as refused:
        with_variables({"oracle": {"tiers": [{"name": "${ROUTESDK_OTHER}"}]}}, source="a.toml")
    assert refused.value.key == "oracle.tiers[0].name"
    assert "ROUTESDK_OTHER is not set" in refused.value.problem
