"""The table of cells and the forecast of a run, as people and machines read them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer
from rich.table import Table

from routesdk.cli.bar import clock
from routesdk.cli.console import console, printable
from routesdk.errors import ConfigError
from routesdk.journal import JournalView, Ledger
from routesdk.structure import unstructure
from routesdk.types import PartConfig, from_nano

if TYPE_CHECKING:
    from routesdk.pipeline.oracle.forecast import Forecast
    from routesdk.pipeline.oracle.label import CellTable


@attrs.frozen(kw_only=True)
class Standing:
    """Where a run stands, as its journal tells.

    Attributes:
        table: Its cells.
        done: Rows that are finished.
        total: Rows that there are.
        ledger: What it has cost.
        unpriced: Settled calls of which only the tokens are known.
        tokens: Their tokens, in and out.
    """

    table: CellTable
    done: int
    total: int
    ledger: Ledger
    unpriced: int
    tokens: tuple[int, int]

    @classmethod
    def read(cls, journal: Path, matrix: PartConfig | None = None, *, examples: int = 0) -> Standing:
        """Read a journal, also while a run is writing it."""
        from routesdk.host import PluginHost
        from routesdk.pipeline.oracle.export import stored_config, stored_matrix
        from routesdk.pipeline.oracle.label import cell_table

        with JournalView.open(journal) as view, view.snapshot():
            models = tuple(tier.model for tier in stored_config(view).tiers)
            table = cell_table(view.work(), stored_matrix(view, PluginHost(), matrix), examples=examples)
            done, total = view.counts()
            bills = [bill for bill in view.bills() if bill.unpriced]
            return cls(
                table=attrs.evolve(table, models=models),
                done=done,
                total=total,
                ledger=view.ledger(),
                unpriced=sum(bill.unpriced for bill in bills),
                tokens=(sum(bill.input_tokens for bill in bills), sum(bill.output_tokens for bill in bills)),
            )

    def record(self) -> dict[str, object]:
        """Return it as plain data."""
        return table_record(self.table) | {
            "done": self.done,
            "total": self.total,
            "settled_usd": f"{from_nano(self.ledger.settled_nano):f}",
            "at_most_usd": f"{from_nano(self.ledger.total_nano):f}",
            "unpriced_calls": self.unpriced,
        }

    def sentence(self) -> str:
        """Say how far it is, and what it has cost."""
        return f"{self.done:,} of {self.total:,} rows done; {_spent(self)}"


def _spent(standing: Standing) -> str:
    ledger = standing.ledger
    text = f"spent: ${from_nano(ledger.settled_nano):.6f}"
    if ledger.unknown_nano:
        text += f", and at most ${from_nano(ledger.unknown_nano):.6f} by calls whose end is not known"
    if ledger.open_nano:
        text += f", and at most ${from_nano(ledger.open_nano):.6f} by calls under way"
    if standing.unpriced:
        tokens_in, tokens_out = standing.tokens
        text += (
            f"; of unknown price: {standing.unpriced:,} calls, {tokens_in:,} tokens in, {tokens_out:,} out"
        )
    return text


def print_forecast(found: Forecast, concurrency: int, as_json: bool) -> None:
    """Print what a run will cost."""
    if as_json:
        record = unstructure(found)
        record |= {"cost_usd": _text(found.cost_usd), "at_most_usd": _text(found.at_most_usd)}
        typer.echo(json.dumps(record))
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("for", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for heading in ("calls", "in", "out", "cost", "at most", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in found.items:
        table.add_row(
            item.role,
            printable(item.model),
            f"{item.calls:,}",
            f"{item.input_tokens:,}",
            f"{item.output_tokens:,}",
            _dollars(item.cost_usd),
            _dollars(item.at_most_usd),
            f"{'' if item.measured else '~'}{item.seconds:.2f}",
        )
    out = console()
    out.print(table)
    out.print(
        f"\n{found.rows:,} rows to do, {clock(found.seconds)} at {concurrency} calls at once; "
        f"about {_dollars(found.cost_usd)}, at most {_dollars(found.at_most_usd)} without second tries"
    )
    out.print(
        "in and out are tokens: those in estimated from characters, those out assumed, without thinking or"
        " with as much as the config allows. s is the seconds of a call; ~ where they are assumed."
    )
    if found.spent_usd:
        out.print(f"spent already: {_dollars(found.spent_usd)}")


def _dollars(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"${amount:.4f}"


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def table_record(table: CellTable) -> dict[str, object]:
    """Return the table of cells as plain data."""
    return {
        "tiers": list(table.tiers),
        "models": list(table.models),
        "cells": {cell.name: {"policy": cell.policy, "rows": cell.rows} for cell in table.cells},
        "policies": dict(table.policies),
        "unscored": table.unscored,
        "problems": dict(table.problems),
        "kept_out": table.kept_out,
        "rows": table.rows,
    }


def print_cells(table: CellTable, only: str | None) -> None:
    """Print the table of cells, or one cell."""
    cells = [cell for cell in table.cells if only is None or cell.name == only.upper()]
    if only is not None and not cells:
        known = ", ".join(cell.name for cell in table.cells) or "none"
        raise ConfigError("--cell", repr(only), "no row is in this cell", f"Cells with rows: {known}.")
    out = console()
    pairs = zip(table.tiers, table.models or table.tiers, strict=False)
    out.print(printable(", ".join(f"{tier}: {model}" for tier, model in pairs)), soft_wrap=True)
    listing = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("cell", "policy"):
        listing.add_column(heading, no_wrap=True)
    for heading in ("rows", "share"):
        listing.add_column(heading, justify="right", no_wrap=True)
    listing.add_column("why")
    graded = sum(cell.rows for cell in table.cells)
    for cell in cells:
        share = f"{cell.rows / graded:.1%}"
        listing.add_row(cell.name, printable(cell.policy), f"{cell.rows:,}", share, printable(cell.reason))
        for work in cell.examples:
            listing.add_row("", "", "", "", f"[dim]{printable(work.row.example.query.text, 90)}[/]")
    out.print(listing)
    shares = [f"{printable(name)} {rows:,}" for name, rows in table.policies.items()]
    out.print(f"\n{', '.join(shares)}")
    if table.unscored:
        out.print(f"[yellow]{table.unscored:,} rows have no label: a tier has no grade[/]")
        for problem, times in table.problems.items():
            out.print(f"[yellow]  {times:,} x {printable(problem, 160)}[/]", soft_wrap=True)
    if table.kept_out:
        out.print(f"[yellow]{table.kept_out:,} rows have a reason that may not be used[/]")
