"""Prints what an evaluation found: the headline table, the targets, and last the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import Evaluation, Line, Target

_PIPED = 120
"""Columns of a line that goes to a file or another program, which no terminal cuts."""

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
    headings = ("", "accuracy [95 %]", "router ahead [95 %]", "large", "APGR [95 %]", "saved")
    out.print(_table(headings, map(_line, evaluation.lines)))
    out.print("\n[bold]targets[/] that the project set out with, beside what was measured")
    out.print(_table(("", "target", "measured [95 %]", "outcome"), map(_target, evaluation.targets)))
    remarks = [f"cost {evaluation.cost.basis}: {evaluation.cost.note}", *evaluation.notes]
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
        _interval(line.accuracy),
        _interval(line.ahead, signed=True),
        f"{line.large_share:.0%}",
        _interval(line.apgr),
        _ABSENT if line.saved is None else f"{line.saved.value:.0%}",
    )


def _target(target: Target) -> tuple[str, ...]:
    sign = "+" if target.unit == "points" else ""
    unit = "points" if target.unit == "points" else "%"
    measured = target.measured
    found = (
        _ABSENT
        if measured is None
        else f"{measured.value:{sign}.1f} [{measured.low:{sign}.1f}, {measured.high:{sign}.1f}]"
    )
    return target.name, f"{target.low:{sign}.0f} to {target.high:{sign}.0f} {unit}", found, target.outcome


def _interval(interval: Interval | None, *, signed: bool = False) -> str:
    if interval is None:
        return _ABSENT
    sign = "+" if signed else ""
    value, low, high = (
        # `-0.000` reads like a loss.
        f"{0.0 if abs(each) < 0.0005 else each:{sign}.3f}"
        for each in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, title in enumerate(headings):
        if place:
            table.add_column(title, justify="right", no_wrap=True)
        else:
            table.add_column(title, overflow="fold", min_width=_NARROWEST)
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    return table
