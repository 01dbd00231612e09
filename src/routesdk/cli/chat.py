"""`routesdk chat`: type a question, see what is decided and why, and the answer where there is a backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import typer

from routesdk.cli import option
from routesdk.cli.ask import counting, reaching
from routesdk.cli.console import check_output, errors, fail, printable
from routesdk.cli.line_editor import LineEditor
from routesdk.cli.option import RouterOptions
from routesdk.cli.session import Session
from routesdk.cli.source import standard_input
from routesdk.errors import ConfigError, RouteSDKError

_FAILED = 2
_PROMPT = "\nquestion> "


def chat(
    backend: str | None = typer.Option(None, help="Backend that reaches the models, by name."),
    backend_option: list[str] = typer.Option(None, help="KEY=VALUE of the backend's config; JSON or text."),
    no_answers: bool = typer.Option(False, "--no-answers", help="Decide alone, whatever the config reaches."),
    conversation: bool = typer.Option(
        False, "--conversation", help="Take questions for turns of one conversation; /new begins another."
    ),
    system: str = typer.Option("", help="System instruction."),
    max_output_tokens: int | None = typer.Option(None, help="Cap on each answer. [default: 4096]"),
    max_usd: str | None = typer.Option(None, help="US dollars that all answers together may cost."),
    spend: Path | None = typer.Option(None, help="SQLite file that money is counted in, over many runs."),
    history: Path | None = typer.Option(None, help="File that typed lines are kept in, for the next time."),
    checkpoint: str | None = option.CHECKPOINT,
    medium: str | None = option.MEDIUM,
    large: str | None = option.LARGE,
    tier: list[str] = option.TIER,
    large_share: float | None = option.LARGE_SHARE,
    model_option: list[str] = option.MODEL_OPTION,
    budget: str | None = option.BUDGET,
    spent: str | None = option.SPENT,
    log: Path | None = typer.Option(None, help="Append every decision and answer to this JSONL file."),
    config: Path | None = option.CONFIG,
) -> None:
    """Try a router by hand: a question a line; /help lists what else can be typed."""
    check_output()
    given = RouterOptions(
        config=config,
        checkpoint=checkpoint,
        medium=medium,
        large=large,
        tier=tier,
        large_share=large_share,
        model_option=model_option,
        budget=budget,
        spent=spent,
        log=log,
    )
    router = counting(reaching(given.router(), backend, backend_option or []), spend, spent)
    if no_answers and backend is not None:
        raise ConfigError("--no-answers", "given", "was given beside --backend", "Give one of the two.")
    session = Session(
        router,
        answers=not no_answers and (router.backends.usual is not None or bool(router.backends.ways)),
        conversation=conversation,
        echo=not _somebody_types(),
        terms={"system": system, "max_output_tokens": max_output_tokens, "max_usd": max_usd},
    )
    if _somebody_types():
        _talk(session, history)
    elif not _read(session):
        raise typer.Exit(_FAILED)


def _somebody_types() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _talk(session: Session, history: Path | None) -> None:
    """Ask for a line after another, until /quit or the end of the input; a mistake ends nothing."""
    errors().print("[dim]/help lists what can be typed beside questions; /quit or Ctrl-D leaves[/]")
    with LineEditor(history) as editor:
        while not session.left:
            try:
                line = editor.read(_PROMPT)
            except EOFError:
                break
            except KeyboardInterrupt:
                # As in a shell: the line is dropped, and another one begun.
                sys.stdout.write("\n")
                continue
            try:
                _take(session, line)
            except KeyboardInterrupt:
                errors().print("\n[yellow]broken off; what the call may have cost is counted[/]")


def _read(session: Session) -> bool:
    """Take every line of standard input; tells whether all of them could be answered.

    Raises:
        ConfigError: Standard input is closed.
    """
    if sys.stdin is None:
        raise ConfigError("standard input", "closed", "holds no question", "Pipe questions, one a line.")
    good = True
    for line in _lines():
        good = _take(session, line) and good
        if session.left:
            break
    return good


def _lines() -> Iterator[str]:
    for number, line in enumerate(standard_input(), 1):
        # Some editors begin a file with a byte-order mark.
        yield line.removeprefix("\ufeff") if number == 1 else line


def _take(session: Session, line: str) -> bool:
    """Do what one line asks for; tells whether that went well."""
    text = line.strip()
    if not text:
        return True
    try:
        session.take(text)
    except RouteSDKError as error:
        # What was written of the block so far comes first.
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        if not _somebody_types():
            errors().print(printable(text, 60), soft_wrap=True)
        fail(error)
        return False
    finally:
        sys.stdout.flush()
    return True
