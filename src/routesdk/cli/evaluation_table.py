"""Prints what an evaluation found: the headline table, the targets, and last the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import Evaluation, Line, MeasuredTarget
from routesdk.report.summary import basis_text, measured_text, target_text
from routesdk.report.text import between, percent

_PIPED = 120
"""Columns of a line that goes to a file or another program, which no terminal cuts."""

_WIDE = 100
"""Columns that figures with their intervals behind them need; below that, intervals stand below them."""

_NARROWEST = 8
_ABSENT = "-"


def print_evaluation(evaluation: Evaluation, *, out: Console | None = None) -> None:
    """Print tables, notes and the verdict, which is then what stands last on the screen.

    Args:
        evaluation: What was measured.
        out: Where to print; standard output where left out.
    """
    out = console() if out is None else out
    if not out.is_terminal and out.width < _PIPED:
        out.width = _PIPED
    tiers = ", ".join(f"{tier.name} {tier.model}" for tier in evaluation.tiers)
    out.print(printable(f"{evaluation.rows:,} rows; {tiers}"), soft_wrap=True)
    dear = evaluation.tiers[-1].name
    headings = ("", "accuracy [95 %]", "router ahead, points", dear, "APGR [95 %]", "saved")
    stacked = out.width < _WIDE
    out.print(_table(headings, map(_line, evaluation.lines), stacked=stacked))
    out.print("\n[bold]targets[/] that the project set out with, beside what was measured")
    asked = ("", "target", "measured [95 %]", "outcome")
    out.print(_table(asked, map(_target, evaluation.targets), stacked=stacked))
    remarks = [f"cost {basis_text(evaluation)}", *evaluation.notes]
    if not evaluation.shift.shifted:
        # Else the verdict says it.
        remarks.append(evaluation.shift.note)
    for text in remarks:
        out.print(f"[yellow]{printable(text, 600)}[/]", soft_wrap=True)
    decisive, *further = map(printable, evaluation.verdict.sentences)
    out.print()
    out.print(" ".join((f"[bold]{decisive}[/]", *further)), soft_wrap=not out.is_terminal)


def _line(line: Line) -> tuple[str, ...]:
    return (
        line.name,
        _between(line.accuracy, "share"),
        _between(line.ahead, "points"),
        percent(line.large_share),
        _between(line.apgr),
        _ABSENT if line.saved is None else percent(line.saved.value),
    )


def _target(found: MeasuredTarget) -> tuple[str, ...]:
    measured = _ABSENT if found.measured is None else measured_text(found)
    return found.target.name, target_text(found.target), measured, found.outcome.value


def _between(interval: Interval | None, unit: str = "") -> str:
    """Write a figure as reports do, but where there is none: not every terminal has their dash."""
    return _ABSENT if interval is None else between(interval, unit)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, stacked: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, title in enumerate(headings):
        if place:
            table.add_column(_stack(title) if stacked else title, justify="right", no_wrap=True)
        else:
            table.add_column(title, overflow="fold", min_width=_NARROWEST)
    for name, *cells in rows:
        table.add_row(printable(name), *(_stack(cell) if stacked else printable(cell) for cell in cells))
    return table


def _stack(text: str) -> str:
    """Put an interval below its figure, and a unit below what it is of."""
    parts = text.replace(" [", "\n[").replace(", points", ",\npoints").split("\n")
    return "\n".join(map(printable, parts))
