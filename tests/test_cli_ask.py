"""`routesdk ask`: text to standard output, the decision beside it, one record for machines, money bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from command import Command
from routers import PLUGIN, make_router, write_distribution
from routesdk.ledger import Charge, read_charges
from routesdk.logbook import LoggedCall, read_calls
from routesdk.plugins.spend.sqlite import SQLiteSpend
from routesdk.record import answer_from_dict, decision_from_dict
from routesdk.testing import MODELS, make_host

MEDIUM, LARGE = MODELS

# In another module's name, so that the command finds it as an installed plugin.
BACKEND = (
    PLUGIN
    + '''
import asyncio
from routesdk.errors import BackendError
from routesdk.testing import FakeBackend
from routesdk.types import Usage

class Moody(FakeBackend):
    """Fails where the question says so; a slow question takes its time."""

    running = most = 0

    async def generate(self, request):
        Moody.running += 1
        Moody.most = max(Moody.most, Moody.running)
        try:
            text = request.query.text
            await asyncio.sleep(0.05 if "slow" in text else 0.005)
            if "denied" in text:
                raise BackendError("moody", "wrong key", denied=True)
            if "fail" in text or (request.model == "medium-model" and "overload" in text):
                raise BackendError("moody", "it is in a mood", retryable="overload" in text)
            return await super().generate(request)
        finally:
            Moody.running -= 1

@hookimpl
def routesdk_backends():
    yield Component(name="moody", factory=lambda: Moody(
        answers=lambda request: f"{request.model} says \\x1b[31m{request.query.text}"[:60], cost_usd=None))
'''
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_distribution(tmp_path_factory.mktemp("plugins"), "FakePlugin", "routesdk_moody", BACKEND)


@pytest.fixture(scope="module")
def folder(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A router that sends everything to the medium model."""
    router = make_router({"CC": 0.5, "II": 0.5}, references=["a", "b"])
    return router.save_pretrained(tmp_path_factory.mktemp("checkpoints") / "router")


@pytest.fixture
def config(folder: Path, tmp_path: Path) -> Path:
    file = tmp_path / "routesdk.toml"
    file.write_text(
        f"[router]\ncheckpoint = '{folder}'\nbackend = 'moody'\n"
        f"[prices.'{MEDIUM}']\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 4\n"
        f"[prices.'{LARGE}']\ninput_usd_per_mtok = 10\noutput_usd_per_mtok = 40\n"
    )
    return file


@pytest.fixture
def ask(
    config: Path, installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.syspath_prepend(str(installed))
    return Command(monkeypatch, capsys, ("ask",), ("--config", config))


def fields(row: dict[str, object], key: str) -> dict[str, object]:
    return cast("dict[str, object]", row[key])


def test_the_text_goes_to_standard_output_and_the_decision_beside_it(ask: Command) -> None:
    result = ask("Who?")

    assert result.code == 0
    assert result.out == f"{MEDIUM} says \x1b[31mWho?\n"
    assert f"Standard_Query -> {MEDIUM}: cost $0.000013, 1 tokens in, 3 tokens out" in result.err


def test_verbose_shows_all_of_the_decision_on_standard_error(ask: Command) -> None:
    result = ask("Who?", "--verbose")

    assert "expected gain" in result.err and "policy map" in result.err
    assert "expected gain" not in result.out


def test_a_terminal_is_spared_a_models_control_characters(
    ask: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert ask("Who?").out == f"{MEDIUM} says \N{REPLACEMENT CHARACTER}[31mWho?\n"


def test_json_is_one_record_with_decision_and_answer(ask: Command) -> None:
    (row,) = ask("Who?", "--json").rows

    decision = decision_from_dict(fields(row, "decision"))
    answer = answer_from_dict(fields(row, "answer"))
    assert (decision.model, decision.call_id != "") == (MEDIUM, True)
    assert (answer.model, answer.usage.cost_usd) == (MEDIUM, Decimal("0.000013"))


def test_many_questions_are_answered_in_their_order_with_bounded_concurrency(
    ask: Command, tmp_path: Path
) -> None:
    file = tmp_path / "questions.txt"
    texts = [f"{'slow' if number % 5 == 0 else 'quick'} {number}?" for number in range(30)]
    file.write_text("\n".join(texts))

    result = ask("--file", file, "--json", "--concurrency", 4)

    assert [str(fields(row, "answer")["text"]).split("m")[-1] for row in result.rows] == texts
    from routesdk_moody import Moody  # type: ignore[import-not-found]

    assert Moody.most == 4
    assert "30 answers: $" in result.err


def test_many_answers_are_shown_below_their_questions(ask: Command) -> None:
    result = ask("Who?", "When?")

    assert result.out.splitlines()[:2] == ["Who?", f"{MEDIUM} says \x1b[31mWho?"]
    assert "When?" in result.out
    assert "2 answers: $0.000026" in result.err


def test_a_question_without_an_answer_stops_no_other_and_fails_the_command(ask: Command) -> None:
    result = ask("Who?", "fail?", "When?", "--json")

    assert ["error" in row for row in result.rows] == [False, True, False]
    assert "it is in a mood" in str(result.rows[1]["error"])
    assert "it is in a mood" in result.refused()
    assert "2 answers: $0.000026; 1 questions got no answer" in result.err


def test_one_question_without_an_answer_fails_the_command(ask: Command) -> None:
    assert "it is in a mood" in ask("fail?").refused()


def test_a_fallback_answers_where_the_caller_says_so(ask: Command) -> None:
    assert "mood" in ask("overload?").refused()

    result = ask("overload?", "--fallback", LARGE)

    assert result.code == 0
    assert result.out.startswith(f"{LARGE} says")
    assert f"-> {LARGE}" in result.err
    assert "mood" in ask("fail?", "--fallback", LARGE).refused()


def test_the_config_may_name_a_fallback(ask: Command, config: Path) -> None:
    config.write_text(config.read_text().replace("[router]", f"[router]\nfallback = ['{LARGE}']"))

    assert ask("overload?").out.startswith(f"{LARGE} says")


def test_the_command_line_replaces_the_backends_of_the_config(ask: Command, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    outcome = {"score": 1, "answer": "Goethe"}
    recorded.write_text(json.dumps({"id": "1", "query": "Who?", "outcomes": {MEDIUM: outcome}}))

    result = ask("Who?", "--backend", "recorded", "--backend-option", f"path={recorded}")

    assert result.out == "Goethe\n"
    assert "cost $0, ? tokens in" in result.err


def test_max_usd_stops_before_it_is_exceeded_and_says_so(ask: Command) -> None:
    # Each call may cost 1 + 16 bytes in and 10 tokens out at the most: 0.000060 USD.
    texts = [f"{number}" for number in range(9)]

    result = ask(*texts, "--json", "--max-output-tokens", 10, "--max-usd", "0.000100", "--concurrency", 1)

    assert "would exceed 0.0001" in result.refused()
    costs = [Decimal(str(fields(row, "answer")["cost_usd"])) for row in result.rows if "answer" in row]
    assert 0 < len(costs) < 9
    assert sum(costs) <= Decimal("0.0001")


def test_a_spend_file_counts_over_runs_and_the_log_tells_of_each_answer(ask: Command, tmp_path: Path) -> None:
    spend, log = tmp_path / "spend.db", tmp_path / "log.jsonl"
    for _ in range(2):
        assert ask("Who?", "--spend", spend, "--log", log).code == 0

    source = SQLiteSpend(spend)
    snapshot = source.snapshot()
    source.close()
    assert (snapshot.settled_usd, snapshot.reserved_usd) == (Decimal("0.000026"), 0)
    charges = [each for each in read_charges(log, make_host()) if isinstance(each, Charge)]
    assert [each.cost_usd for each in charges] == [Decimal("0.000013")] * 2
    assert all(isinstance(call, LoggedCall) and call.answered and call.decided for call in read_calls(log))


def test_the_log_holds_texts_where_that_is_asked_for(ask: Command, config: Path, tmp_path: Path) -> None:
    log, other = tmp_path / "log.jsonl", tmp_path / "other.jsonl"
    config.write_text(
        config.read_text().replace(
            "[router]",
            f"[router]\ndecision_log = {{ path = '{other}', include_text = true, max_bytes = 10 }}",
        )
    )
    assert ask("Who?", "--log", log, "--log-text").code == 0
    assert ask("Who?", "--log", log).code == 0

    first, second = (call for call in read_calls(log) if isinstance(call, LoggedCall))
    assert first.decided and first.decided.query and first.decided.query.text == "Who?"
    assert second.decided and second.decided.query is None
    # A line is longer than the limit: each has a file of its own.
    assert (tmp_path / "other.jsonl.3").exists()
    assert b'"text": "Who?"' in other.read_bytes()


def test_a_budget_that_is_nearly_unspent_stops_no_batch(ask: Command) -> None:
    # Four worst cases, of 0.000062 USD each, fill the budget; nine calls, of some 0.000020 USD each, do not.
    texts = [f"slow {number}" for number in range(9)]

    result = ask(*texts, "--json", "--max-output-tokens", 10, "--max-usd", "0.000250", "--concurrency", 8)

    assert (result.code, len(result.rows)) == (0, 9)
    assert all("answer" in row for row in result.rows)


def test_questions_that_were_never_begun_are_counted_and_written(ask: Command, tmp_path: Path) -> None:
    file = tmp_path / "questions.txt"
    file.write_text("\n".join(f"question {number}" for number in range(100)))
    limits = ("--max-output-tokens", 10, "--max-usd", "0.000100")

    result = ask("--file", file, "--json", *limits)

    assert "would exceed 0.0001" in result.refused()
    assert len(result.rows) == 100
    never = [row for row in result.rows if row.get("never_begun")]
    assert 90 < len(never) < 100
    assert all("would exceed" in str(row["error"]) for row in never)
    assert f"{len(never)} questions were never begun" in result.err
    assert f"{len(never)} questions were never begun" in ask("--file", file, *limits).err


def test_a_refused_key_stops_a_batch(ask: Command) -> None:
    result = ask("Who?", "denied?", *("When?" for _ in range(20)), "--json", "--concurrency", 1)

    assert "wrong key" in result.refused()
    assert [*result.rows[0]] == ["decision", "answer"]
    assert "never_begun" not in result.rows[1]
    assert all(row["never_begun"] for row in result.rows[2:])
    assert len(result.rows) == 22


def test_a_line_that_is_no_question_throws_no_answer_away(ask: Command) -> None:
    result = ask("--json", stdin=b"slow 1\nslow 2\n{broken\nslow 3\n")

    assert "line 3" in result.refused()
    assert ["answer" in row for row in result.rows] == [True, True]
    assert "2 answers: $" in result.err


def test_an_error_of_one_question_throws_no_answer_away(ask: Command, config: Path) -> None:
    config.write_text(
        config.read_text().replace("backend = 'moody'", f"backends = {{ '{MEDIUM}' = 'moody' }}")
        + f"[mapping]\nmodels = ['{LARGE}']\n"
        + f"[[mapping.rules]]\nname = 'tag'\noptions = {{ tag = 'law', model = '{LARGE}' }}\n"
    )

    result = ask("--json", stdin=b'slow 1\n{"query": "May I?", "tags": ["law"]}\nslow 3\n')

    assert "no backend reaches this model" in result.refused()
    assert ["answer" in row for row in result.rows] == [True, False, True]


@pytest.fixture
def started(config: Path, installed: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the command as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    command = [sys.executable, "-c", "from routesdk.cli import main; main()", "ask", "--config", str(config)]
    begun: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([*command, *arguments], env=environment, **options))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def test_questions_are_answered_as_they_come_in_and_an_interrupt_leaves_an_open_input(
    started: Callable[..., subprocess.Popen[bytes]],
) -> None:
    pipe = subprocess.PIPE
    with started("--json", stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin and process.stdout and process.stderr
        for question in (b"Who?\n", b"When?\n"):
            process.stdin.write(question)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["answer"]["model"] == MEDIUM
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=20) == 130
        assert b"Fatal" not in process.stderr.read()


@pytest.mark.parametrize("closed", [">&-", "<&-"])
def test_a_closed_stream_is_said_before_anything_is_paid(
    closed: str, config: Path, installed: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    question = "Who?" if closed == ">&-" else ""
    log = tmp_path / "log.jsonl"
    code = "from routesdk.cli import main; main()"
    script = f'exec "$@" {question} {closed}'

    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-c", code, "ask", "--config", config, "--log", log],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "closed" in done.stderr
    assert not log.exists() or not log.read_text()


def test_without_a_backend_the_error_says_what_to_write(ask: Command, config: Path) -> None:
    config.write_text(config.read_text().replace("backend = 'moody'", ""))

    for arguments in (("Who?",), ("Who?", "When?")):
        said = ask(*arguments).refused()
        assert "--backend gemini" in said and "[router] of routesdk.toml" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Who?", "--backend", "modey"), "Did you mean 'moody'?"),
        (("Who?", "--backend-option", "a=1"), "Give --backend too"),
        (("Who?", "--backend", "moody", "--backend-option", "a"), "not KEY=VALUE"),
        (("Who?", "--backend", "recorded", "--backend-option", "pth=x"), "Did you mean 'path'?"),
        (("Who?", "--log-text"), "Give --log too"),
        (("Who?", "--fallback-on", "any"), "Give --fallback too"),
        (("Who?", "--fallback", "x", "--fallback-on", "some"), "on = 'some'"),
        (("Who?", "--max-usd", "much"), "max_usd = 'much'"),
        (("Who?", "--max-output-tokens", "0"), "max_output_tokens = 0"),
        (("Who?", "--concurrency", "0"), "must be 1 or more"),
        (("Who?", "--spend", "x.db", "--spent", "1", "--budget", "2"), "beside --spend"),
        (("Who?", "--file", "x"), "Give one of the two"),
        ((), "holds no query"),
    ],
)
def test_what_is_wrong_leaves_as_one_sentence(ask: Command, arguments: tuple[str, ...], said: str) -> None:
    assert said in ask(*arguments).refused()


HANGING = (
    PLUGIN
    + """
import asyncio
from routesdk.testing import FakeBackend
from routesdk.types import Chunk

class Hanging(FakeBackend):
    async def stream(self, request):
        yield Chunk(text="Goe")
        await asyncio.sleep(60)

@hookimpl
def routesdk_backends():
    yield Component(name="moody", factory=lambda: Hanging())
"""
)


@pytest.mark.slow
def test_an_interrupted_answer_is_settled_before_the_process_ends(
    config: Path, folder: Path, tmp_path: Path
) -> None:
    plugins = write_distribution(tmp_path / "plugins", "FakePlugin", "routesdk_hanging", HANGING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(plugins), *sys.path])}
    code = "from routesdk.cli import main; main()"
    asked = ["ask", "Who?", "--config", config, "--spend", tmp_path / "s.db", "--log", tmp_path / "l.jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, asked)], env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout as out:
        assert out.read(3) == b"Goe"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130

    source = SQLiteSpend(tmp_path / "s.db")
    snapshot = source.snapshot()
    source.close()
    assert snapshot.reserved_usd == 0
    (told,) = [each for each in read_charges(tmp_path / "l.jsonl", make_host()) if isinstance(each, Charge)]
    assert (told.whole, told.cost_usd) == (False, snapshot.settled_usd)
