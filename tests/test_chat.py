"""`routesdk chat`, as a person types at it, and as a program pipes questions through it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from command import Command, Result
from routesdk.dataset import write_examples
from routesdk.types import Example, Grade, Outcome, Query, Usage
from terminal import Terminal

QUESTION = "Who painted the ceiling of the Sistine Chapel?"
ANSWERS = {"gemini-2.5-flash": "Michelangelo.\n\nHe began in 1508.", "gemini-2.5-pro": "Michelangelo, 1508."}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `routesdk chat` in a folder in which recorded answers lie."""
    monkeypatch.chdir(tmp_path)
    usage = Usage(input_tokens=12, output_tokens=34)
    outcomes = {
        model: Outcome(model=model, grade=Grade.CORRECT, answer=text, usage=usage)
        for model, text in ANSWERS.items()
    }
    write_examples(tmp_path / "answers.jsonl", [Example(id="1", query=Query(QUESTION), outcomes=outcomes)])
    return Command(monkeypatch, capsys, before=("chat",))


RECORDED = ("--backend", "recorded", "--backend-option", "path=answers.jsonl")


def piped(run: Command, *lines: str, options: tuple[str, ...] = ()) -> Result:
    return run(*options, stdin="\n".join(lines).encode())


def test_piped_questions_give_a_block_each_and_nothing_else(run: Command) -> None:
    done = piped(run, QUESTION, "", "  ", "What is 3*4?")

    assert done.code == 0, done.err
    assert not done.err
    blocks = done.out.removesuffix("\n\n").split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [QUESTION, "What is 3*4?"]
    for block in blocks:
        labels = [line.split()[0] for line in block.splitlines()[1:]]
        assert labels[:5] == ["policy", "confidence", "model", "rules", "reason"]
        assert labels[-1] == "estimate"


def test_an_answer_is_shown_with_its_cost_and_breaks_no_block(run: Command) -> None:
    done = piped(run, QUESTION, options=RECORDED)

    assert done.code == 0, done.err
    assert done.out.count("\n\n") == 1
    assert "answer      Michelangelo" in done.out
    assert "cost        $0, 12 tokens in, 34 tokens out, by gemini-2.5-" in done.out
    if "by gemini-2.5-flash" in done.out:
        assert "\n            He began in 1508." in done.out


def test_a_question_without_an_answer_is_told_and_the_next_is_taken(run: Command) -> None:
    done = piped(run, "Who is asked in vain?", QUESTION, options=RECORDED)

    assert done.code == 2
    assert "asks 'Who is asked in vain?'" in done.err
    assert [block.splitlines()[0] for block in done.out.rstrip().split("\n\n")] == [
        "Who is asked in vain?",
        QUESTION,
    ]
    assert done.out.count("answer      ") == 1


def test_a_backend_can_be_left_alone(run: Command, tmp_path: Path) -> None:
    (tmp_path / "routesdk.toml").write_text(
        '[router]\nbackend = { name = "recorded", options = { path = "answers.jsonl" } }\n', encoding="utf-8"
    )

    assert "answer      " in piped(run, QUESTION, options=("-c", "routesdk.toml")).out
    alone = piped(run, QUESTION, options=("-c", "routesdk.toml", "--no-answers"))

    assert "answer      " not in alone.out
    assert "estimate    " in alone.out


def test_why_shows_all_of_the_last_decision(run: Command) -> None:
    done = piped(run, QUESTION, "/why")

    assert done.code == 0, done.err
    for part in ("probabilities", "expected gain", "escalates from", "default, policy map", "explanation"):
        assert part in done.out


def test_rules_and_models_tell_what_the_config_says(run: Command, tmp_path: Path) -> None:
    (tmp_path / "routesdk.toml").write_text(
        """
        [router]
        backends = { "gemini-2.5-pro" = "gemini" }

        [mapping]
        models = ["claude-sonnet-4-5", "a-model-of-mine"]

        [[mapping.rules]]
        name = "math"
        options = { model = "gemini-2.5-pro" }
        on_error = "skip"
        """,
        encoding="utf-8",
    )
    done = piped(
        run, "/rules", "/models", "What is 3 * (4 + 5)?", options=("-c", "routesdk.toml", "--no-answers")
    )

    assert done.code == 0, done.err
    assert '1. math           model = "gemini-2.5-pro"; passed over where it fails' in done.out
    assert (
        "tier large              gemini-2.5-pro: $1.25 in, $10 out per million tokens; reached by gemini"
        in (done.out)
    )
    assert (
        "tier medium             gemini-2.5-flash: $0.3 in, $2.5 out per million tokens; reached by no"
        in (done.out)
    )
    assert "also allowed            a-model-of-mine: price unknown; reached by no backend" in done.out
    assert "rules       math (override): gemini-2.5-pro, since" in done.out


def test_a_budget_is_shown_set_kept_to_and_taken_away(run: Command) -> None:
    said = piped(
        run,
        "/budget",
        "/budget 5",
        QUESTION,
        "/budget off",
        options=("--budget", "10", "--spent", "8.5", "--large-share", "1"),
    )

    assert said.code == 0, said.err
    before, _, after = said.out.partition(QUESTION)
    assert "$10 by the rule cost-budget: $1.5 left" in before
    assert "from $9 on, everything goes to gemini-2.5-flash" in before
    assert "$5 by the rule cost-budget: $0 left" in before
    assert "model       gemini-2.5-flash" in after
    assert "rules       cost-budget (constraint): gemini-2.5-pro, since" in after
    assert "none is set; /budget 5 sets 5 US dollars" in after


def test_history_lists_the_questions_with_their_decisions(run: Command) -> None:
    done = piped(run, "/history", QUESTION, "/history")

    assert "nothing was asked yet" in done.out
    assert f"1. {QUESTION} -> " in done.out


def test_a_conversation_goes_on_until_another_begins(run: Command, tmp_path: Path) -> None:
    lines = [QUESTION, "And when?"]
    # The second question is asked with the first and its answer: nothing like it was recorded.
    together = piped(run, *lines, options=(*RECORDED, "--conversation"))
    apart = piped(run, QUESTION, "/new", QUESTION, options=(*RECORDED, "--conversation"))

    assert together.code == 2
    assert "And when?" in together.err
    assert apart.code == 0, apart.err
    assert "another conversation begins" in apart.out
    assert apart.out.count("answer      Michelangelo") == 2


def test_quit_leaves_at_once_and_help_names_every_command(run: Command) -> None:
    done = piped(run, "/help", "/quit", QUESTION)

    assert done.code == 0
    assert QUESTION not in done.out
    for name in ("/rules", "/models", "/why", "/budget", "/history", "/help", "/quit", "/new"):
        assert f"\n{name} " in f"\n{done.out}"


def test_two_slashes_begin_a_question(run: Command) -> None:
    done = piped(run, "//etc/passwd holds what?")

    assert done.code == 0, done.err
    assert done.out.startswith("/etc/passwd holds what?\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/rulse", "Did you mean /rules?"),
        ("/xyzzy", "/help lists what there is"),
        ("/why", "nothing was asked yet"),
        ("/new", "Start with --conversation"),
        ("/budget much", "not a number"),
        ("/budget -1", "not a finite amount"),
        ("/rules please", "takes nothing behind it"),
    ],
)
def test_a_mistake_is_told_and_ends_nothing(run: Command, line: str, said: str) -> None:
    done = piped(run, line, QUESTION)

    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert f"{QUESTION}\npolicy" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend-option", "path=x"), "Give --backend too"),
        (("--no-answers", *RECORDED), "Give one of the two"),
        (("--backend", "recordd"), "Did you mean 'recorded'?"),
        (("--checkpoint", "nowhere"), "nowhere"),
        (("-c", "missing.toml"), "cannot be read"),
    ],
)
def test_a_session_that_cannot_begin_says_why(run: Command, options: tuple[str, ...], said: str) -> None:
    assert said in " ".join(piped(run, QUESTION, options=options).refused().split())


def test_nothing_in_gives_nothing_out(run: Command) -> None:
    done = piped(run)

    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_budget_that_an_answer_could_exceed_stops_it(run: Command, tmp_path: Path) -> None:
    done = piped(
        run, QUESTION, options=("--backend", "gemini", "--max-usd", "0.0000001", "--max-output-tokens", "64")
    )

    assert done.code == 2
    assert "answer      " not in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_at_a_terminal_lines_are_asked_for_edited_and_kept(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--history", "typed") as terminal:
        terminal.see("question> ")
        terminal.type(f"{QUESTION}\n")
        shown = terminal.see("estimate    ")
        assert shown.count(QUESTION) == 1
        terminal.see("question> ")
        terminal.type("/hist\t")
        terminal.see("/history")
        terminal.type("\n")
        terminal.see(f"1. {QUESTION} -> ")
        terminal.see("question> ")
        terminal.type("half a line")
        terminal.see("half a line")
        terminal.interrupt("question> ")
        terminal.type("/nonsense\n")
        terminal.see("is not known")
        terminal.see("question> ")
        terminal.type("\x04")

        assert terminal.end() == 0

    assert (tmp_path / "typed").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "typed").read_text(encoding="utf-8").splitlines() == [
        QUESTION,
        "/history",
        "/nonsense",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_two_sessions_with_one_history_keep_the_lines_of_both(tmp_path: Path) -> None:
    options = ("--history", "typed")
    with Terminal(tmp_path, *options) as first, Terminal(tmp_path, *options) as second:
        for terminal, line in ((first, "/help"), (second, "/models")):
            terminal.see("question> ")
            terminal.type(f"{line}\n")
            terminal.see("question> ")
        for terminal in (first, second):
            terminal.type("/quit\n")
            assert terminal.end() == 0

    kept = (tmp_path / "typed").read_text(encoding="utf-8").splitlines()
    assert kept == ["/help", "/quit", "/models", "/quit"]


def test_what_was_decided_is_told_where_the_answer_failed(run: Command) -> None:
    done = piped(run, "Who is asked in vain?", "/history", "/WHY", options=RECORDED)

    assert "1. Who is asked in vain? -> " in done.out
    assert "probabilities" in done.out
