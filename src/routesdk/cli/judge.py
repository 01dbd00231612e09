"""`routesdk judge`: how far judges can be trusted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from routesdk.cli.audit_table import print_audit
from routesdk.cli.console import errors, printable
from routesdk.cli.part import option_value
from routesdk.config import load_config
from routesdk.dataset import Fields, read_examples
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.pipeline.audit import AuditSettings, audit_judge, count_calls
from routesdk.pipeline.yardstick import AuditData, read_audit
from routesdk.protocols import Judge, PromptedJudge
from routesdk.structure import unstructure
from routesdk.types import PartConfig

app = typer.Typer(help="See how far judges can be trusted.", no_args_is_help=True)

_HELP_OPTION = "JUDGE.KEY=VALUE, an option of a judge; the value is JSON, or text. Repeat it."
_HELP_PROBE = "Answers to probe; 0 for none. [default: all, or 200 for a judge that asks a model]"


@app.callback()
def _group() -> None:
    """See how far judges can be trusted."""


@app.command("audit")
def audit(
    data: Path = typer.Option(..., "--data", "-d", help="JSONL of answers with verdicts, also .gz."),
    judge: list[str] = typer.Option(None, "--judge", "-j", help="A judge by name; repeat it for several."),
    option: list[str] = typer.Option(None, "--option", "-o", help=_HELP_OPTION),
    config: Path | None = typer.Option(
        None, "--config", "-c", help="routesdk.toml; its [oracle] judge is audited, with its options."
    ),
    query_field: str = typer.Option("query", help="Field of the question."),
    limit: int | None = typer.Option(None, min=1, help="Questions to take, chosen by the hash of their ids."),
    concurrency: int = typer.Option(8, min=1, help="Calls at once, for a judge that asks a model."),
    probe_rows: int | None = typer.Option(None, min=0, help=_HELP_PROBE),
    resamples: int = typer.Option(2000, min=1, help="Bootstrap resamples behind every interval."),
    seed: int = typer.Option(0, min=0, help="Seed of the bootstrap and of the shuffled order."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a judge, for machines."),
) -> None:
    """Compare judges with verdicts on record, and try to move them by what must not matter."""
    host = PluginHost()
    parts = _parts(judge or [], option or [], config)
    judges = [(name, cast("Judge", host.build("judge", name, options))) for name, options in parts.items()]
    rows = read_audit(
        read_examples(data, fields=Fields(query=query_field), require_outcomes=True), limit=limit
    )
    settings = AuditSettings(concurrency=concurrency, probe_rows=probe_rows, resamples=resamples, seed=seed)
    ended = False
    for name, built in judges:
        calls = count_calls(built, rows, settings)
        if isinstance(built, PromptedJudge):
            more = "and again where a reply cannot be read or a call fails"
            errors().print(f"{printable(name)} asks its model {calls:,} times, {more}", soft_wrap=True)
        with _bar(name, calls) as progress:
            found = audit_judge(name, built, rows, settings, progress=progress.tick)
        ended = ended or bool(found.ended)
        if as_json:
            record = {"data": _counts(data, rows), **unstructure(found)}
            sys.stdout.write(json.dumps(record) + "\n")
        else:
            print_audit(found, rows)
    if ended:
        errors().print("an audit ended early: see what ended it in its report")
        raise typer.Exit(2)


class _Ticker:
    """Moves a bar on by one."""

    def __init__(self, progress: Progress, total: int, label: str) -> None:
        self._progress = progress
        self._task = progress.add_task(label, total=total)

    def tick(self) -> None:
        """Count one verdict."""
        self._progress.advance(self._task)


@contextmanager
def _bar(name: str, total: int) -> Iterator[_Ticker]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not sys.stderr.isatty()
    with Progress(
        *columns, console=errors(), transient=True, disable=hidden, redirect_stdout=False
    ) as progress:
        yield _Ticker(progress, total, f"auditing {name}")


def _parts(names: list[str], options: list[str], config: Path | None) -> dict[str, dict[str, object]]:
    """Return the judges to audit, each with its options.

    Raises:
        ConfigError: No judge is named, an option cannot be read, or it is of a judge that is not audited.
    """
    described = PartConfig("lexical") if config is None else load_config(config).oracle.judge
    if config is None and not names:
        raise ConfigError(
            "--judge", "nothing", "no judge is named", "Write --judge lexical, or give --config."
        )
    chosen = tuple(dict.fromkeys(names or [described.name]))
    parts: dict[str, dict[str, object]] = {
        name: dict(described.options) if config is not None and name == described.name else {}
        for name in chosen
    }
    for given in options:
        key, equals, value = given.partition("=")
        name, dot, field = key.partition(".")
        if not equals or not dot or not field or name not in parts:
            problem = "is not JUDGE.KEY=VALUE of a judge that is audited"
            raise ConfigError("--option", repr(given), problem, f"Judges here: {', '.join(parts)}.")
        parts[name][field] = option_value(value)
    return parts


def _counts(path: Path, rows: AuditData) -> Mapping[str, object]:
    return {
        "path": path.name,
        "rows": len(rows.rows),
        "questions": rows.questions,
        "three_way": rows.three_way,
        "without_answer": rows.without_answer,
        "without_grade": rows.without_grade,
        "without_reference": rows.without_reference,
    }
