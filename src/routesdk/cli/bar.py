"""The progress of a run, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from routesdk.cli.console import errors
from routesdk.types import from_nano

if TYPE_CHECKING:
    from routesdk.pipeline.oracle import Progress as RunProgress


@contextmanager
def run_bar() -> Iterator[Callable[[RunProgress], None]]:
    """Show rows, rate, cost so far, cost to come and time left; nothing where nobody looks."""
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
    bar = Progress(
        *columns,
        console=errors(),
        transient=True,
        disable=not sys.stderr.isatty(),
        redirect_stdout=False,
        refresh_per_second=4,
    )
    with bar as shown:
        task = shown.add_task("oracle", total=None, figures="reading and dividing the benchmark")

        def listen(progress: RunProgress) -> None:
            shown.update(task, completed=progress.done, total=progress.total, figures=_figures(progress))

        yield listen


def _figures(progress: RunProgress) -> str:
    new = progress.done - progress.begun_at
    rate = new / progress.elapsed_s if progress.elapsed_s else 0.0
    ledger = progress.ledger
    spent = from_nano(ledger.settled_nano + ledger.unknown_nano)
    figures = [f"{rate:.1f} rows/s", f"${spent:.4f}"]
    if progress.spent_in_all_nano is not None:
        figures.append(f"about ${from_nano(progress.spent_in_all_nano):.4f} in all")
    if progress.left_s is not None:
        figures.append(f"{clock(progress.left_s)} left")
    return ", ".join(figures)


def clock(seconds: float) -> str:
    """Write seconds as minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
