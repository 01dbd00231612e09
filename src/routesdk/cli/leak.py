"""`routesdk leak-check`: questions that stand on both sides, and rows that a checkpoint learned from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.cli.rows import open_file
from routesdk.errors import ConfigError
from routesdk.host import PluginHost

if TYPE_CHECKING:
    from routesdk.pipeline.leak import Leak

_SHOWN_CHARACTERS = 90
# 1 and 2 say that the check could not be made: a build must tell them from a leak.
_LEAK = 3
_HELP_FILE = "JSONL rows, SimpleQA's CSV, or a question a line."
_HELP_CHECKPOINT = "List the rows that this checkpoint learned from: a bundled name, a folder, or a Hub id."


def leak_check(
    file: Path = typer.Argument(..., help=_HELP_FILE),
    other: Path | None = typer.Argument(None, help="Another file; without it, duplicates within the one."),
    split: bool = typer.Option(False, "--split", help="Divide the file, and compare train with test."),
    test_share: float = typer.Option(0.2, help="With --split: share of the test part."),
    seed: int = typer.Option(0, help="With --split: the seed."),
    checkpoint: str | None = typer.Option(None, help=_HELP_CHECKPOINT),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a pair or row, for machines."),
    limit: int = typer.Option(20, min=1, help="Pairs or rows to print; --json gives all."),
) -> None:
    """Report exact and near duplicates across two files; exit code 3 where there are any."""
    given = [name for name, on in (("OTHER", other), ("--split", split), ("--checkpoint", checkpoint)) if on]
    if len(given) > 1:
        raise ConfigError(given[1], "given", f"was given beside {given[0]}", "Give one of the two.")
    if checkpoint is not None:
        found = _learned(file, checkpoint, as_json, limit)
    else:
        found = _pairs(_leaks(file, other, (test_share, seed) if split else None), as_json, limit)
    if found:
        raise typer.Exit(_LEAK)


def _leaks(file: Path, other: Path | None, split: tuple[float, int] | None) -> tuple[Leak, ...]:
    from routesdk.pipeline.division import divide
    from routesdk.pipeline.leak import find_leaks, find_split_leaks

    host = PluginHost()
    rows = open_file(file, host)
    if split is not None:
        return find_split_leaks(rows, divide(rows, test_share=split[0], seed=split[1]))
    return find_leaks(rows.examples(), None if other is None else open_file(other, host).examples())


def _pairs(leaks: tuple[Leak, ...], as_json: bool, limit: int) -> bool:
    """Print pairs; tell whether there are any."""
    if as_json:
        for leak in leaks:
            row = {
                "left": {"id": leak.left_id, "text": leak.left},
                "right": {"id": leak.right_id, "text": leak.right},
                "similarity": round(leak.similarity, 4),
                "exact": leak.exact,
            }
            sys.stdout.write(json.dumps(row) + "\n")
        return bool(leaks)
    if not leaks:
        console().print("no leak: no question stands on both sides, exactly or nearly")
        return False
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("left", "right", "alike", "left text", "right text"):
        table.add_column(heading, overflow="fold")
    for leak in leaks[:limit]:
        alike = "exact" if leak.exact else f"near, {leak.similarity:.2f}"
        ids = (printable(leak.left_id, 24), printable(leak.right_id, 24))
        right = "" if leak.exact else printable(leak.right, _SHOWN_CHARACTERS)
        table.add_row(*ids, alike, printable(leak.left, _SHOWN_CHARACTERS), right)
    console().print(table)
    exact = sum(leak.exact for leak in leaks)
    pairs = "1 pair" if len(leaks) == 1 else f"{len(leaks)} pairs"
    console().print(f"{pairs}: {exact} exact, {len(leaks) - exact} near{_unshown(len(leaks), limit)}")
    return True


def _learned(file: Path, checkpoint: str, as_json: bool, limit: int) -> bool:
    """Print the rows that a checkpoint learned from; tell whether there are any."""
    from routesdk.pipeline.leak import find_learned, learned_sets, require_hashes
    from routesdk.router import Router

    host = PluginHost()
    router = Router.from_pretrained(checkpoint, host=host)
    require_hashes(router, checkpoint)
    rows = 0
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("id", "text"):
        table.add_column(heading, overflow="fold")
    for rows, example in enumerate(find_learned(router, open_file(file, host).examples()), start=1):
        if as_json:
            row = {"id": example.id, "text": example.query.text, "checkpoint": router.checkpoint_id}
            sys.stdout.write(json.dumps(row) + "\n")
        elif rows <= limit:
            table.add_row(printable(example.id, 24), printable(example.query.text, _SHOWN_CHARACTERS))
    name = printable(checkpoint)
    if as_json:
        return rows > 0
    if not rows:
        console().print(f"no leak: {name} learned from none of these rows")
        return False
    console().print(table)
    console().print(f"{rows} rows that {name} learned from{_unshown(rows, limit)}")
    for line in learned_sets(router):
        console().print(f"it was trained on {printable(line)}", soft_wrap=True)
    return True


def _unshown(count: int, limit: int) -> str:
    return f"; {count - limit} more are not shown: raise --limit, or write --json" if count > limit else ""
