"""`routesdk split`: divide a benchmark into a train file and a test file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from routesdk.cli.console import console, errors, printable
from routesdk.cli.part import part_options
from routesdk.cli.rows import open_file
from routesdk.errors import ConfigError
from routesdk.host import PluginHost

if TYPE_CHECKING:
    from routesdk.pipeline.division import Division
    from routesdk.protocols import Benchmark

_HELP_TIER = "Model whose recorded grades make up the joint cell; repeat it, cheapest first."
_HELP_OUTPUT = "Beginning of the two files' names: STEM_train.jsonl and STEM_test.jsonl."


def split(
    file: Path | None = typer.Argument(None, help="JSONL rows, SimpleQA's CSV, or a question a line."),
    benchmark: str | None = typer.Option(None, "--benchmark", "-b", help="A benchmark by name, not a file."),
    option: list[str] = typer.Option(None, help="KEY=VALUE for the benchmark; repeat it."),
    test_share: float = typer.Option(0.2, help="Share of rows for the test file, between 0 and 1."),
    seed: int = typer.Option(0, help="Another seed is another split."),
    tier: list[str] = typer.Option(None, help=_HELP_TIER),
    output: Path | None = typer.Option(None, "--output", "-o", help=_HELP_OUTPUT),
) -> None:
    """Divide rows into a train file and a test file, with near duplicates on one side."""
    from routesdk.pipeline.division import divide, write_parts

    source, stem = _source(file, benchmark, option or [], output)
    division = divide(source, test_share=test_share, seed=seed, tiers=tier or None)
    files = write_parts(source, division, stem)
    if tier and division.strata != "joint cell":
        errors().print(
            f"not every row has an outcome of {printable(', '.join(tier))}: no joint cells to balance"
        )
    for part in files:
        if not division.size(part):
            errors().print(
                f"the {part} part is empty: give more rows, or another --test-share", soft_wrap=True
            )
    _print(division)
    for part, path in files.items():
        console().print(f"{part}: {division.size(part)} rows in {printable(str(path))}", soft_wrap=True)


def _source(
    file: Path | None, benchmark: str | None, options: list[str], output: Path | None
) -> tuple[Benchmark, Path]:
    """Find the rows, and where their parts go.

    Raises:
        ConfigError: Neither or both of a file and a benchmark are given, or the parts would replace the file.
    """
    if (file is None) == (benchmark is None):
        fix = "Give a file, or --benchmark NAME."
        raise ConfigError("file", str(file), "give either a file or a benchmark", fix)
    host = PluginHost()
    if benchmark is not None:
        return host.benchmark(benchmark, **part_options(options)), output or Path(benchmark)
    if file is None or options:
        raise ConfigError("--option", repr(options), "is for a benchmark by name", "Give --benchmark too.")
    stem = output or file.with_name(file.name.partition(".")[0] or file.name)
    if file.parent.resolve() == stem.parent.resolve() and file.name in {
        f"{stem.name}_{part}.jsonl" for part in ("train", "test")
    }:
        raise ConfigError("--output", str(stem), "its files would replace the rows", "Choose another name.")
    return open_file(file, host), stem


def _print(division: Division) -> None:
    """Print the rows of each stratum."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("all rows" if division.strata == "nothing" else division.strata, overflow="fold")
    for part in ("train", "test"):
        table.add_column(part, justify="right")
    table.add_column("test share", justify="right")
    for stratum, found in division.counts.items():
        share = found["test"] / (found["train"] + found["test"])
        table.add_row(printable(stratum) or "-", str(found["train"]), str(found["test"]), f"{share:.1%}")
    console().print(table)
