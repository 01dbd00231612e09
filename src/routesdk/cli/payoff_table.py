"""Prints what a comparison of routers found, and which one to ship."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.pipeline.payoff import Payoff, Verdict, to_markdown
from routesdk.pipeline.payoff.wording import (
    ACCURACY_HEADINGS,
    CONFIDENCE_HEADINGS,
    DIFFERENCE_HEADINGS,
    FIGURE_HEADINGS,
    accuracy_cells,
    confidence_cells,
    difference_rows,
    figure_cells,
    heading,
    remarks,
)

_NARROWEST = 8
"""Columns that a name gets at least; it wraps where it is longer, and the figures never do."""

_PIPED = 120
"""Columns of a line that goes to a file or another program, which no terminal cuts."""


def print_payoff(payoff: Payoff, verdict: Verdict, *, out: Console | None = None) -> None:
    """Print the tables, and below them the verdict, which is then what stands last on the screen.

    Args:
        payoff: What was measured.
        verdict: What follows from it.
        out: Where to print; standard output where left out.
    """
    out = console() if out is None else out
    if not out.is_terminal and out.width < _PIPED:
        out.width = _PIPED
    # Names of models may be long: they wrap anywhere rather than push figures off the screen.
    out.print(printable(heading(payoff)), soft_wrap=True)
    out.print(_table(FIGURE_HEADINGS, map(figure_cells, payoff.lines())))
    if payoff.candidates:
        out.print("\n[bold]paired differences[/], on the same resamples of the rows")
        # A terminal of 80 columns holds two intervals beside the names.
        for columns in ((0, 1, 2, 3), (0, 1, 4)):
            rows = [tuple(row[at] for at in columns) for row in difference_rows(payoff)]
            headings = [DIFFERENCE_HEADINGS[at] for at in columns]
            out.print(_table(headings, _named_once(rows), names=2))
        out.print("\n[bold]confidence[/], beside the 95th percentile of a perfect one's ECE, and its spread")
        out.print(_table(CONFIDENCE_HEADINGS, map(confidence_cells, payoff.ranked())))
        out.print("\n[bold]accuracy[/] of the answers, and of the likeliest policy")
        out.print(_table(ACCURACY_HEADINGS, map(accuracy_cells, payoff.ranked())))
    for line in remarks(payoff):
        out.print(f"[yellow]{printable(line, 400)}[/]", soft_wrap=True)
    decisive, *further = map(printable, verdict.sentences)
    out.print()
    out.print(" ".join((f"[bold]{decisive}[/]", *further)), soft_wrap=not out.is_terminal)


def _named_once(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Leave out the name that the row above has already."""
    above = ""
    for name, *cells in rows:
        yield ["" if name == above else name, *cells]
        above = name


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, title in enumerate(headings):
        shown = printable(title)
        if place < names:
            table.add_column(shown, overflow="fold", min_width=_NARROWEST)
        else:
            table.add_column(shown, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    return table


__all__ = ["print_payoff", "to_markdown"]
