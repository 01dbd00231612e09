"""What `routesdk oracle relabel` does: stored outcomes from a journal or a file, labelled anew."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

import attrs
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.config import OracleConfig, TierConfig
from routesdk.dataset import read_examples, replacing
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.journal import JournalView, Work
from routesdk.pipeline.oracle.export import oracle_row, stored_config
from routesdk.pipeline.oracle.label import recorded_work
from routesdk.pipeline.oracle.plan import build_matrix
from routesdk.pipeline.oracle.relabel import Relabelling, relabel
from routesdk.types import PartConfig


@attrs.frozen(kw_only=True)
class Wish:
    """What the command was told.

    Attributes:
        source: A journal, or a JSONL file with outcomes.
        matrix: The matrix from now on.
        judge: The judge from now on; None keeps the grades.
        tiers: The tiers and their models, for a JSONL file.
        output: Where the rows go with their new labels; None for nowhere.
    """

    source: Path
    matrix: PartConfig | None
    judge: PartConfig | None
    tiers: tuple[TierConfig, ...]
    output: Path | None


def carry_out(wish: Wish) -> Relabelling:
    """Label stored outcomes anew."""
    host = PluginHost()
    with contextlib.ExitStack() as stack:
        view, config, works = _stored(wish, stack)
        tiers = tuple(tier.name for tier in config.tiers)
        old = build_matrix(config.matrix, host, tiers)
        new = old if wish.matrix is None else build_matrix(wish.matrix, host, tiers)
        judge = None if wish.judge is None else host.judge(wish.judge.name, **wish.judge.options)
        if wish.output is None:
            return relabel(works, old, new, judge=judge, view=view)
        try:
            rows = stack.enter_context(replacing(wish.output))
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise ConfigError("--output", str(wish.output), problem, "Choose another place.") from error

        def write(work: Work) -> None:
            rows.write(json.dumps(oracle_row(work, new), allow_nan=False).encode("ascii") + b"\n")

        return relabel(works, old, new, judge=judge, view=view, sink=write)


def _stored(
    wish: Wish, stack: contextlib.ExitStack
) -> tuple[JournalView | None, OracleConfig, Iterable[Work]]:
    if ".jsonl" not in wish.source.suffixes:
        view = stack.enter_context(JournalView.open(wish.source))
        return view, stored_config(view), view.work()
    if not wish.tiers:
        problem = "is a file of outcomes, and its models are not named"
        raise ConfigError("source", str(wish.source), problem, "Give --medium and --large, or --tier.")
    # Nine cells are for two tiers.
    matrix = PartConfig("nine-cell" if len(wish.tiers) == 2 else "cheapest-correct")
    config = OracleConfig(tiers=wish.tiers, matrix=matrix)
    return None, config, recorded_work(read_examples(wish.source), [tier.model for tier in wish.tiers])


def print_relabelling(done: Relabelling) -> None:
    """Print old and new labels, cell by cell."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("cell", "policy", "cell now", "policy now"):
        table.add_column(heading, no_wrap=True)
    table.add_column("rows", justify="right")
    for change in done.changes:
        style = "yellow" if change.moved else None
        cells = (change.cell, change.policy, change.new_cell, change.new_policy)
        table.add_row(*map(printable, cells), f"{change.rows:,}", style=style)
    out = console()
    out.print(table)
    share = f" ({done.moved / done.rows:.1%})" if done.rows else ""
    out.print(
        f"\n{done.moved:,} of {done.rows:,} labels change{share}; {done.moved_tier:,} rows go to another tier"
    )
    if done.lost:
        text = f"{done.lost:,} lose their label: the judge gave no grade, or no verdict of it is stored"
        out.print(f"[yellow]{text}[/]")
