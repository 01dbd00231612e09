"""The table of cells and the forecast of a run, as people and machines read them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from routesdk.cli.bar import clock
from routesdk.cli.console import console, printable
from routesdk.errors import ConfigError
from routesdk.structure import unstructure
from routesdk.types import from_nano

if TYPE_CHECKING:
    from routesdk.pipeline.oracle.forecast import Forecast
    from routesdk.pipeline.oracle.label import CellTable


def spent(settled_nano: int, unknown_nano: int) -> str:
    """Write what a run has cost."""
    text = f"spent: ${from_nano(settled_nano):.6f}"
    if unknown_nano:
        text += f", and at most ${from_nano(unknown_nano):.6f} by calls whose end is not known"
    return text


def print_forecast(found: Forecast, concurrency: int, as_json: bool) -> None:
    """Print what a run will cost."""
    if as_json:
        record = unstructure(found)
        record |= {"cost_usd": _text(found.cost_usd), "at_most_usd": _text(found.at_most_usd)}
        typer.echo(json.dumps(record))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("calls for", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for heading in ("calls", "tokens in", "out", "cost", "at most", "s each"):
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
        "Tokens in are estimated from characters; tokens out are assumed, without thinking. ~: assumed."
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
    if table.kept_out:
        out.print(f"[yellow]{table.kept_out:,} rows have a reason that may not be used[/]")
