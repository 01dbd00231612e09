"""`routesdk oracle`: the commands as a person types them."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command import Command, Result
from provider_server import ProviderServer
from routesdk.dataset import write_examples
from routesdk.errors import RunStoppedError
from routesdk.journal import JournalView
from routesdk.testing import MODELS, make_examples

PAIR = ("--medium", MODELS[0], "--large", MODELS[1])


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recorded") / "answers.jsonl"
    write_examples(file, make_examples(90))
    return file


@pytest.fixture
def oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `routesdk oracle` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys, before=("oracle",))


def generated(oracle: Command, answers: Path, *more: str) -> Result:
    return oracle("generate", "--recorded", str(answers), *PAIR, *more)


def test_recorded_answers_become_a_table_without_a_key_or_a_call(oracle: Command, answers: Path) -> None:
    done = generated(oracle, answers)

    assert done.code == 0, done.err
    assert "Complex_Query" in done.out
    assert "spent: $0.000000" in done.out
    assert "rows done" in done.out


def test_a_dry_run_writes_nothing(oracle: Command, answers: Path, tmp_path: Path) -> None:
    done = generated(oracle, answers, "--dry-run", "--json")
    record = json.loads(done.out)

    assert record["rows"] > 60
    assert [item["role"] for item in record["items"]] == ["answer", "answer"]
    assert record["cost_usd"] == "0"
    assert not list(tmp_path.iterdir())
    assert generated(oracle, answers, "--dry-run").code == 0


def test_a_dry_run_prices_what_is_left(oracle: Command, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    write_examples(questions, make_examples(50))
    arguments = ("--benchmark", "jsonl", "--file", str(questions), "--max-usd", "5", "--limit", "10")
    done = oracle("generate", *arguments, "--dry-run", "--json")
    record = json.loads(done.out)

    assert record["rows"] == 10
    roles = {(item["role"], item["model"]): item for item in record["items"]}
    assert roles["answer", "gemini-2.5-pro"]["calls"] == 10
    assert roles["verdict", "gemini-2.5-flash"]["calls"] == 20
    assert 0 < float(record["cost_usd"]) < float(record["at_most_usd"])
    assert record["seconds"] > 0


def test_a_run_is_shown_exported_and_labelled_anew(oracle: Command, answers: Path, tmp_path: Path) -> None:
    generated(oracle, answers)
    shown = json.loads(oracle("show", "oracle.sqlite", "--json").out)
    assert shown["done"] == shown["total"] == sum(cell["rows"] for cell in shown["cells"].values())
    assert len(shown["cells"]) == 9

    one = oracle("show", "oracle.sqlite", "--cell", "ic", "--examples", "2")
    assert one.code == 0
    assert "Standard_Query" not in one.out.split("\n\n")[0]

    assert oracle("export", "oracle.sqlite", "out.jsonl").code == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == shown["total"]
    assert {row["label"]["cell"] for row in rows} == set(shown["cells"])

    moved = json.loads(oracle("relabel", "oracle.sqlite", "--matrix", "cheapest-correct", "--json").out)
    assert moved["rows"] == moved["moved"] == shown["total"]
    again = oracle("relabel", str(answers), *PAIR, "--judge", "lexical", "--output", "lexical.jsonl")
    assert again.code == 0, again.err
    assert "labels change" in again.out
    assert (tmp_path / "lexical.jsonl").exists()


def test_started_again_the_command_goes_on(oracle: Command, answers: Path) -> None:
    first = json.loads(generated(oracle, answers, "--json").out)
    again = json.loads(generated(oracle, answers, "--json", "--retry-unscored").out)

    assert first == again
    assert first["stopped"] is None
    assert first["done"] == first["total"]


def test_a_config_file_describes_a_run_and_options_win(
    oracle: Command, answers: Path, tmp_path: Path
) -> None:
    (tmp_path / "routesdk.toml").write_text(
        f"""
        [oracle]
        benchmark = {{ name = "recorded", options = {{ path = "{answers}" }} }}
        backend = {{ name = "recorded", options = {{ path = "{answers}" }} }}
        judge = "lexical"
        matrix = "cheapest-correct"
        journal = "mine.sqlite"
        limit = 7
        [[oracle.tiers]]
        name = "small"
        model = "{MODELS[0]}"
        [[oracle.tiers]]
        name = "big"
        model = "{MODELS[1]}"
        """,
        encoding="utf-8",
    )
    done = oracle("generate", "-c", "routesdk.toml", "--limit", "9", "--json")
    assert json.loads(done.out)["total"] == 9
    shown = json.loads(oracle("show", "mine.sqlite", "--json").out)
    assert shown["tiers"] == ["small", "big"]
    assert set(shown["policies"]) == {"Needs_small", "Needs_big", "None_Correct"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--judge", "lexicl"), "Did you mean 'lexical'"),
        (("--tier", "a=b"), "beside --medium or --large"),
        (("--max-usd", "lots"), "not a number"),
        (("--limit", "0"), "must be >= 1"),
        (("--rows", "missing.jsonl"), "cannot be read"),
        (("--journal", "missing/oracle.sqlite"), "folder that exists"),
        (("--config", "missing.toml"), "cannot be read"),
        (("--large", "nobody"), "has no model 'nobody'"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_what_to_do(
    oracle: Command, answers: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = generated(oracle, answers, *arguments)

    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "none.sqlite"), "no such journal"),
        (("show", "notes.txt"), "journal of routesdk"),
        (("export", "none.sqlite"), "no such journal"),
        (("relabel", "none.sqlite", "--matrix", "nine-cell"), "no such journal"),
        (("relabel", "none.sqlite"), "--judge"),
        (("relabel", "rows.jsonl", "--judge", "lexical"), "--medium and --large"),
    ],
)
def test_a_file_that_is_no_journal_is_named(
    oracle: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "notes.txt").write_text("notes" * 100)
    done = oracle(*arguments)

    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_help_names_the_sections_of_the_config(oracle: Command) -> None:
    assert "[oracle]" in oracle("generate", "--help").out


def test_what_has_no_price_is_said(oracle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProviderServer() as server:
        options = f'{{ base_url = "{server.url}/v1" }}'
        questions = tmp_path / "questions.jsonl"
        write_examples(questions, make_examples(20))
        (tmp_path / "routesdk.toml").write_text(
            f"""
            [oracle]
            benchmark = {{ name = "jsonl", options = {{ path = "{questions}" }} }}
            backend = {{ name = "openai-compatible", options = {options} }}
            judge = "lexical"
            count_only_tokens = true
            [[oracle.tiers]]
            name = "medium"
            model = "mine"
            [[oracle.tiers]]
            name = "large"
            model = "ours"
            """,
            encoding="utf-8",
        )
        done = oracle("generate", "-c", "routesdk.toml")
    assert done.code == 0, done.err
    assert "of unknown price: 34 calls" in " ".join(done.out.split())


def test_why_rows_have_no_label_is_shown(oracle: Command, answers: Path) -> None:
    done = oracle(
        "generate", "--recorded", str(answers), "--medium", MODELS[0], "--large", "x", "--limit", "5"
    )
    said = " ".join(done.out.split())

    assert "5 rows have no label" in said
    assert "has no model 'x'" in said


def test_a_file_of_three_models_is_labelled_anew(oracle: Command, answers: Path) -> None:
    tiers = ("--tier", f"small={MODELS[0]}", "--tier", f"big={MODELS[1]}")
    done = oracle("relabel", str(answers), *tiers, "--matrix", "cheapest-correct", "--json")

    assert json.loads(done.out)["rows"] == 90
    assert oracle("relabel", str(answers), *tiers, "--matrix-option", "a=1", "--judge", "lexical").code == 2


def test_a_cell_without_rows_is_named(oracle: Command, answers: Path) -> None:
    generated(oracle, answers)
    done = oracle("show", "oracle.sqlite", "--cell", "XY")

    assert done.code == 2
    assert "Cells with rows" in done.err


@pytest.mark.parametrize("ending", [RunStoppedError("no access", "Mend that."), KeyboardInterrupt()])
def test_a_run_that_ended_before_it_began_says_why_and_speaks_of_no_journal(
    oracle: Command, answers: Path, monkeypatch: pytest.MonkeyPatch, ending: BaseException
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ending

    monkeypatch.setattr("routesdk.pipeline.oracle.generate", refuse)
    done = oracle("generate", "--recorded", str(answers), *PAIR)

    by_hand = isinstance(ending, KeyboardInterrupt)
    assert done.code == (130 if by_hand else 2), done.err
    assert ("Stopped by hand" if by_hand else "no access") in done.err
    assert "journal" not in done.err


@pytest.mark.parametrize("twice", [False, True])
def test_stopped_by_hand_the_command_says_how_to_go_on(answers: Path, tmp_path: Path, twice: bool) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import asyncio, sys\n"
        "from routesdk.plugins.recorded import backend\n"
        "whole = backend.RecordedBackend.generate\n"
        "async def generate(self, request):\n"
        "    await asyncio.sleep(0.3)\n"
        "    return await whole(self, request)\n"
        "backend.RecordedBackend.generate = generate\n"
        "from routesdk.cli import main\n"
        "main()\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(slow), "oracle", "generate", "--recorded", str(answers), *PAIR]
    command += ["--concurrency", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    journal, until = tmp_path / "oracle.sqlite", time.monotonic() + 30
    while time.monotonic() < until and _settled(journal) < 4:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    if twice:
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130, errors.decode()
    assert "it goes on" in errors.decode()
    assert "Traceback" not in errors.decode()
    assert _settled(journal) >= 4
    with JournalView.open(journal) as view:
        unknown = [bill for bill in view.bills() if bill.state == "unknown"]
    # Stopped once, it lets calls come to their end.
    assert twice or not unknown


def _settled(journal: Path) -> int:
    if not journal.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as database:
            (count,) = database.execute("SELECT COUNT(*) FROM call").fetchone()
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()
    return int(count)
