"""`routesdk calibrate`: set a router to a cost, a quality or a share of large calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from routesdk.cli import option
from routesdk.cli.console import console, printable
from routesdk.cli.option import RouterOptions
from routesdk.cli.rows import open_file
from routesdk.errors import ConfigError

if TYPE_CHECKING:
    from routesdk.host import PluginHost
    from routesdk.metrics import Interval
    from routesdk.pipeline.calibration import Calibrated
    from routesdk.types import Example

# 1 and 2 say that nothing could be found out: a build must tell them from a target out of reach.
_OUT_OF_REACH = 3
_DATA = typer.Argument(None, help="Rows with recorded outcomes that the router did not learn from.")
_COST = typer.Option(None, help="US dollars a query on average, at most.")
_QUALITY = typer.Option(None, help="Mean quality of the answers, 0 to 1, at least.")
_SHARE = typer.Option(None, help="Share of the queries that leave the cheapest tier, 0 to 1.")
_OUTPUT = typer.Option(None, "--output", "-o", help="Folder of the calibrated checkpoint; none writes none.")


def calibrate(
    data: list[Path] = _DATA,
    target_cost: str | None = _COST,
    target_quality: float | None = _QUALITY,
    target_large_share: float | None = _SHARE,
    method: str = typer.Option("platt", help="platt, or isotonic for some thousand rows."),
    checkpoint: str | None = option.CHECKPOINT,
    medium: str | None = option.MEDIUM,
    large: str | None = option.LARGE,
    tier: list[str] = option.TIER,
    model_option: list[str] = option.MODEL_OPTION,
    output: Path | None = _OUTPUT,
    resamples: int = typer.Option(2000, min=1, help="Bootstrap resamples behind every interval."),
    seed: int = typer.Option(0, help="Seed of what is left out in turn, and of the bootstrap."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object, for machines."),
    config: Path | None = option.CONFIG,
) -> None:
    """Set a router to a target on rows with outcomes; exit code 3 where they cannot reach it."""
    if not data:
        fix = "Name files of rows: `routesdk calibrate rows.jsonl --target-large-share 0.3`."
        raise ConfigError("data", "none", "there is nothing to calibrate on", fix)
    router = RouterOptions(
        config=config,
        checkpoint=checkpoint,
        medium=medium,
        large=large,
        tier=tier,
        large_share=None,
        budget=None,
        spent=None,
        log=None,
        model_option=model_option,
    ).router()
    found = router.calibrate(
        _rows(data, router.host),
        target_cost=target_cost,
        target_quality=target_quality,
        target_large_share=target_large_share,
        method=method,
        resamples=resamples,
        seed=seed,
    )
    written = found.router.save_pretrained(output) if found.reached and output is not None else None
    if as_json:
        shown = None if written is None else str(written)
        typer.echo(json.dumps({"checkpoint": shown, **found.to_record()}))
    else:
        _print(found, written)
    if not found.reached:
        raise typer.Exit(_OUT_OF_REACH)


def _rows(files: list[Path], host: PluginHost) -> Iterator[Example]:
    for file in files:
        yield from open_file(file, host).examples()


def _print(found: Calibrated, written: Path | None) -> None:
    out = console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("on rows left out in turn")
    for heading in ("figure", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("quality at the point", *_share(found.quality))
    table.add_row("quality of the cheapest tier alone", *_share(found.medium_quality))
    table.add_row("quality of the dearest tier alone", *_share(found.large_quality))
    table.add_row("share above the cheapest tier", *_share(found.large_share))
    if found.cost is not None:
        table.add_row("US dollars a query", *_usd(found.cost))
    for name, (before, after) in (
        ("calibration error of confidence", found.calibration_error),
        ("Brier score of confidence", found.brier),
    ):
        table.add_row(f"{name}, before and after", f"{before:.4f}", f"{after:.4f}")
    out.print(table)
    thresholds = ", ".join(f"{threshold:+.4f}" for threshold in found.point.thresholds)
    out.print(
        f"operating point: expected gain of at least {thresholds} ({found.method}, {found.rows:,} rows)"
    )
    out.print(f"cost: {printable(found.cost_note)}", soft_wrap=True)
    for warning in found.warnings:
        out.print(f"[yellow]{printable(warning)}[/]", soft_wrap=True)
    out.print()
    out.print(f"[bold]{printable(found.sentence)}[/]", soft_wrap=True)
    if written is not None:
        out.print(f"written to {printable(str(written))}", soft_wrap=True)


def _share(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"


def _usd(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.6f}", f"{interval.low:.6f} to {interval.high:.6f}"
