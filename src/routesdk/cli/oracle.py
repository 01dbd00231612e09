"""`routesdk oracle`: make evidence, look at it, write it out, label it anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import attrs
import typer

from routesdk.cli.bar import run_bar
from routesdk.cli.cell import Standing, print_cells, print_forecast
from routesdk.cli.console import console, errors, printable
from routesdk.cli.interrupt import STOPPED_BY_HAND, at_first_interrupt
from routesdk.cli.part import part_options
from routesdk.config import Config, OracleConfig, load_config
from routesdk.errors import ConfigError, JournalError, RunStoppedError
from routesdk.structure import structure, unstructure
from routesdk.types import Example, PartConfig

app = typer.Typer(
    help="Make evidence: both models answer, a blind judge grades, a matrix labels.", no_args_is_help=True
)

_JOURNAL = typer.Argument(help="The journal of a run.")


@app.callback()
def _group() -> None:
    """Make evidence: both models answer, a blind judge grades, a matrix labels."""


@app.command("generate")
def generate(
    config: Path | None = typer.Option(
        None, "--config", "-c", help="routesdk.toml with [oracle] and [prices]."
    ),
    recorded: Path | None = typer.Option(
        None, help="Take questions, answers and verdicts from this file: no key, no call."
    ),
    benchmark: str | None = typer.Option(None, help="Benchmark by name."),
    file: Path | None = typer.Option(None, "--file", "-f", help="The benchmark's file."),
    backend: str | None = typer.Option(None, help="Backend that answers, by name."),
    judge: str | None = typer.Option(None, help="Judge, by name."),
    analyst: str | None = typer.Option(None, help="Analyst, by name."),
    matrix: str | None = typer.Option(None, help="Matrix, by name."),
    medium: str | None = typer.Option(None, help="Model of the medium tier."),
    large: str | None = typer.Option(None, help="Model of the large tier."),
    tier: list[str] = typer.Option(
        None, help="NAME=MODEL, cheapest first; repeat it for two to eight tiers."
    ),
    journal: Path | None = typer.Option(None, help="The run's file. [default: oracle.sqlite]"),
    limit: int | None = typer.Option(None, help="Train rows to take; a higher one later adds rows."),
    held_out: Path | None = typer.Option(
        None, help="The test part of a split made beforehand: the benchmark is then the train part."
    ),
    rows: Path | None = typer.Option(None, help="These rows alone; each must be in the train part."),
    max_usd: str | None = typer.Option(None, help="US dollars that the journal may come to, and no more."),
    concurrency: int | None = typer.Option(None, help="Calls under way at once, for each provider."),
    shards: int | None = typer.Option(None, help="Parts for the executor; 1 runs in this process."),
    retry_unscored: bool = typer.Option(
        False, "--retry-unscored", help="Try rows that ended without a grade or a reason again."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Estimate cost and time; make no call."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object, for machines."),
) -> None:
    """Answer, grade and analyse the train rows of a benchmark; started again, it goes on."""
    given = {
        "benchmark": benchmark,
        "backend": backend,
        "judge": judge,
        "analyst": analyst,
        "matrix": matrix,
        "journal": None if journal is None else str(journal),
        "held_out": None if held_out is None else str(held_out),
        "limit": limit,
        "max_usd": max_usd,
        "concurrency": concurrency,
        "shards": shards,
    }
    settings = _settings(config, given, recorded, file)
    settings = attrs.evolve(settings, oracle=_with_tiers(settings.oracle, medium, large, tier or []))
    if dry_run:
        from routesdk.pipeline.oracle.forecast import forecast

        found = forecast(settings, rows=_only(rows))
        print_forecast(found, settings.oracle.concurrency, as_json)
        return
    _run(settings, rows, retry_unscored, as_json)


@app.command("show")
def show(
    journal: Path = _JOURNAL,
    examples: int = typer.Option(1, min=0, help="Examples of each cell."),
    cell: str | None = typer.Option(None, help="One cell alone, such as IC."),
    matrix: str | None = typer.Option(None, help="Another matrix than the run's."),
    matrix_option: list[str] = typer.Option(None, help="KEY=VALUE for that matrix."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object, for machines."),
) -> None:
    """Show the table of cells, with examples of each, and what the run has cost."""
    standing = Standing.read(journal, _part(matrix, matrix_option), examples=examples)
    if as_json:
        typer.echo(json.dumps(standing.record()))
        return
    print_cells(standing.table, cell)
    console().print(f"\n{standing.sentence()}")


@app.command("export")
def export(
    journal: Path = _JOURNAL,
    output: Path = typer.Argument(
        Path("oracle_dataset.jsonl"), help="The labelled rows; two more files go beside it."
    ),
    matrix: str | None = typer.Option(None, help="Another matrix than the run's."),
    matrix_option: list[str] = typer.Option(None, help="KEY=VALUE for that matrix."),
) -> None:
    """Write labelled rows, rows that were kept out, and a manifest of where all came from."""
    from routesdk.journal import JournalView
    from routesdk.pipeline.oracle.export import export as write

    with JournalView.open(journal) as view:
        done = write(view, output, matrix=_part(matrix, matrix_option))
        finished, total = view.counts()
    out = console()
    out.print(f"{done.rows:,} labelled rows: {printable(str(done.dataset))}", soft_wrap=True)
    out.print(f"{done.rows_kept_out:,} kept out: {printable(str(done.kept_out))}", soft_wrap=True)
    out.print(f"manifest: {printable(str(done.manifest))}", soft_wrap=True)
    if finished < total:
        errors().print(f"[yellow]{total - finished:,} rows are not done yet[/]")


@app.command("relabel")
def relabel(
    source: Path = typer.Argument(help="A journal, or a JSONL file with outcomes."),
    matrix: str | None = typer.Option(None, help="The matrix from now on, by name."),
    judge: str | None = typer.Option(None, help="Grade the stored answers anew by this judge."),
    matrix_option: list[str] = typer.Option(None, help="KEY=VALUE for the matrix."),
    judge_option: list[str] = typer.Option(None, help="KEY=VALUE for the judge."),
    medium: str | None = typer.Option(None, help="Model of the medium tier, for a JSONL file."),
    large: str | None = typer.Option(None, help="Model of the large tier, for a JSONL file."),
    tier: list[str] = typer.Option(
        None, help="NAME=MODEL, cheapest first, in their place; repeat it for two to eight tiers."
    ),
    output: Path | None = typer.Option(None, help="Write the rows with their new labels to this JSONL file."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object, for machines."),
) -> None:
    """Apply another matrix or judge to stored outcomes, without a call, and show what changes."""
    from routesdk.cli.relabelling import Wish, carry_out, print_relabelling

    if (medium or large or tier) and ".jsonl" not in source.suffixes:
        problem, fix = "is a journal, which knows its tiers", "Leave out --medium, --large and --tier."
        raise ConfigError("source", str(source), problem, fix)
    if matrix is None and judge is None:
        raise ConfigError("--matrix", "nothing", "and no --judge is given", "Name what to label with.")
    wish = Wish(
        source=source,
        matrix=_part(matrix, matrix_option),
        judge=_part(judge, judge_option, "--judge-option"),
        tiers=_with_tiers(OracleConfig(), medium, large, tier or []).tiers if medium or large or tier else (),
        output=output,
    )
    done = carry_out(wish)
    if as_json:
        typer.echo(
            json.dumps(
                unstructure(done) | {"moved": done.moved, "moved_tier": done.moved_tier, "lost": done.lost}
            )
        )
    else:
        print_relabelling(done)


def _settings(
    config: Path | None, given: Mapping[str, object], recorded: Path | None, file: Path | None
) -> Config:
    """Read the config, and put what the command line says in its place."""
    settings = load_config(config) if config is not None else Config()
    described = unstructure(settings.oracle)
    part: dict[str, object]
    if recorded is not None:
        part = {"name": "recorded", "options": {"path": str(recorded)}}
        described |= {"benchmark": part, "backend": part, "judge": part}
    described |= {key: value for key, value in given.items() if value is not None}
    if file is not None:
        part = unstructure(structure(described["benchmark"], PartConfig, where="oracle.benchmark"))
        field = "file" if part["name"] == "simpleqa" else "path"
        described["benchmark"] = part | {
            "options": {**cast("dict[str, object]", part["options"]), field: str(file)}
        }
    source = "" if config is None else str(config)
    oracle = structure(described, OracleConfig, where="oracle", source=source)
    return Config(oracle=oracle, prices=settings.prices)


def _with_tiers(
    oracle: OracleConfig, medium: str | None, large: str | None, given: list[str]
) -> OracleConfig:
    """Put the tiers of the command line in place of the config's."""
    described = unstructure(oracle)
    if given:
        if medium is not None or large is not None:
            raise ConfigError("--tier", given[0], "was given beside --medium or --large", "Give one of them.")
        described["tiers"] = [_tier(item) for item in given]
    else:
        wanted = {"medium": medium, "large": large}
        tiers = described["tiers"]
        assert isinstance(tiers, (list, tuple))
        for each in tiers:
            each["model"] = wanted.pop(each["name"], None) or each["model"]
        lost = [name for name, model in wanted.items() if model is not None]
        if lost:
            raise ConfigError(f"--{lost[0]}", "", "the config has no tier of this name", "Use --tier.")
    return structure(described, OracleConfig, where="oracle")


def _part(name: str | None, options: list[str] | None, flag: str = "--matrix-option") -> PartConfig | None:
    """Return the part that the command line names, with its options; None where it names none."""
    if name is not None:
        return PartConfig(name, part_options(options or (), flag=flag))
    if options:
        problem = "was given without a name"
        raise ConfigError(flag, options[0], problem, f"Give {flag.removesuffix('-option')} too.")
    return None


def _tier(item: str) -> dict[str, str]:
    name, equals, model = item.partition("=")
    if not equals or not name or not model:
        raise ConfigError("--tier", repr(item), "is not NAME=MODEL", "Write medium=my-model.")
    return {"name": name, "model": model}


def _only(rows: Path | None) -> list[Example] | None:
    from routesdk.dataset import read_examples

    return None if rows is None else list(read_examples(rows))


def _run(settings: Config, rows: Path | None, retry_unscored: bool, as_json: bool) -> None:
    from routesdk.pipeline.oracle import Halt
    from routesdk.pipeline.oracle import generate as run

    only = _only(rows)
    stopped: RunStoppedError | None = None
    halt = Halt()
    with run_bar() as listen, at_first_interrupt(halt):
        try:
            run(settings, rows=only, retry_unscored=retry_unscored, listen=listen, halt=halt)
        except RunStoppedError as error:
            stopped = error
        except KeyboardInterrupt:
            halt.ask()
    try:
        standing = Standing.read(settings.oracle.journal)
    except JournalError:
        # Where it ended before anything was begun, there is nothing to show.
        if stopped is None and not halt.wanted:
            raise
    else:
        _print_standing(standing, stopped, as_json)
    if halt.wanted:
        errors().print("[yellow]Stopped by hand. Run the same command, and it goes on.[/]")
        raise typer.Exit(STOPPED_BY_HAND)
    if stopped is not None:
        raise stopped


def _print_standing(standing: Standing, stopped: RunStoppedError | None, as_json: bool) -> None:
    if as_json:
        problem = None if stopped is None else stopped.problem
        typer.echo(json.dumps(standing.record() | {"stopped": problem}))
        return
    if standing.done:
        print_cells(standing.table, None)
    console().print(f"\n{standing.sentence()}")
