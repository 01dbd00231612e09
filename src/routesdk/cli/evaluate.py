"""`routesdk evaluate`: what a router is worth on rows that it did not learn from."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer

from routesdk.cli import option
from routesdk.cli.console import console, errors, printable
from routesdk.cli.option import RouterOptions
from routesdk.config import Config, EvaluateConfig, load_config
from routesdk.dataset import read_examples, replacing
from routesdk.errors import ConfigError
from routesdk.structure import structure, unstructure

if TYPE_CHECKING:
    from routesdk.pipeline.evaluation import DataFile, Evaluation
    from routesdk.types import Example

_DATA = typer.Argument(
    None, help="Rows with recorded outcomes, such as `routesdk oracle export` writes them."
)
_OUTPUT = typer.Option(None, "--output", "-o", help="Folder of the results and the report.")
_FORMAT = typer.Option(None, "--format", help="Form of the report: html, md or json.")
_PERTURBATION = typer.Option(None, help="A wording to try decisions under; repeat it. `none` for none.")
_CONFIG = typer.Option(None, "--config", "-c", help="routesdk.toml with [router], [evaluate] and [prices].")

REPORTS = {"html": "report.html", "md": "report.md"}
"""The file that a report of each form is written to; `json` has none, as the metrics are one."""


def evaluate(
    data: list[Path] = _DATA,
    checkpoint: str | None = option.CHECKPOINT,
    medium: str | None = option.MEDIUM,
    large: str | None = option.LARGE,
    tier: list[str] = option.TIER,
    large_share: float | None = option.LARGE_SHARE,
    model_option: list[str] = option.MODEL_OPTION,
    output: Path | None = _OUTPUT,
    form: str | None = _FORMAT,
    resamples: int | None = typer.Option(None, help="Bootstrap resamples behind every interval."),
    seed: int | None = typer.Option(None, help="Seed of the bootstrap."),
    topics: bool | None = typer.Option(None, "--topics/--no-topics", help="Break figures down by topic."),
    perturbation: list[str] = _PERTURBATION,
    timed: int | None = typer.Option(None, help="Up to how many decisions to time alone; 0 for none."),
    reasons: int | None = typer.Option(None, help="Rows to have a reason written for; 0 for none."),
    mistakes: int | None = typer.Option(None, help="Mistakes of each kind to show."),
    config: Path | None = _CONFIG,
) -> None:
    """Judge a router on recorded outcomes: intervals, every baseline, and whether to route at all."""
    given: dict[str, object] = {
        "data": [str(path) for path in data or ()] or None,
        "output": None if output is None else str(output),
        "format": form,
        "resamples": resamples,
        "seed": seed,
        "topics": topics,
        "perturbations": [name for name in perturbation if name != "none"] if perturbation else None,
        "timed": timed,
        "reasons": reasons,
        "mistakes": mistakes,
    }
    settings, name = _settings(config, given, checkpoint)
    options = RouterOptions(
        config=config,
        checkpoint=checkpoint,
        medium=medium,
        large=large,
        tier=tier,
        large_share=large_share,
        budget=None,
        spent=None,
        log=None,
        model_option=model_option,
    )
    _show(_measure(settings, options, name), settings)


def _settings(
    file: Path | None, given: Mapping[str, object], checkpoint: str | None
) -> tuple[EvaluateConfig, str]:
    """Return `[evaluate]` with what the command line says in its place, and what to call the router."""
    whole = load_config(file) if file is not None else Config()
    described = unstructure(whole.evaluate) | {
        key: value for key, value in given.items() if value is not None
    }
    source = "" if file is None else str(file)
    settings = structure(described, EvaluateConfig, where="evaluate", source=source)
    if not settings.data:
        fix = "Name files of rows: `routesdk evaluate test.jsonl`, or `data` in [evaluate]."
        raise ConfigError("evaluate.data", "none", "there is nothing to evaluate on", fix)
    asked = checkpoint or whole.router.checkpoint
    return settings, Path(asked).name if Path(asked).is_dir() else asked


def _measure(settings: EvaluateConfig, options: RouterOptions, name: str) -> Evaluation:
    from routesdk.pipeline.evaluation import PERTURBATIONS
    from routesdk.pipeline.evaluation import evaluate as measure

    router = options.router()
    rows, files = _read(settings.data)
    # A language model may take minutes for thousands of decisions; nobody looks at a file.
    shown = errors().status(f"judging {len(rows):,} rows") if sys.stderr.isatty() else nullcontext()
    with shown:
        return measure(
            router,
            rows,
            name=name,
            topics=settings.topics,
            resamples=settings.resamples,
            seed=settings.seed,
            perturbations={each: PERTURBATIONS[each] for each in settings.perturbations},
            timed=settings.timed,
            reasons=settings.reasons,
            mistakes=settings.mistakes,
            data=files,
            command=shlex.join(["routesdk", *sys.argv[1:]]),
            date=datetime.date.today().isoformat(),
        )


def _read(paths: Sequence[Path]) -> tuple[list[Example], list[DataFile]]:
    """Read the rows of every file, and hash the files."""
    from routesdk.pipeline.evaluation import data_file

    rows: list[Example] = []
    files = []
    for path in paths:
        before = len(rows)
        rows += read_examples(path)
        files.append(data_file(path, len(rows) - before))
    return rows, files


def _show(evaluation: Evaluation, settings: EvaluateConfig) -> None:
    """Write the files, and print the report, or a short form of it."""
    from routesdk.pipeline.evaluation import to_record, write_evaluation

    written = list(attrs.astuple(write_evaluation(evaluation, settings.output), recurse=False))
    if settings.format == "json":
        typer.echo(json.dumps(to_record(evaluation)))
        return
    report = settings.output / REPORTS[settings.format]
    text = _write_report(evaluation, report, settings.format)
    if settings.format == "md":
        typer.echo(text, nl=False)
        return
    from routesdk.cli.evaluation_table import print_evaluation

    print_evaluation(evaluation)
    for file in (*written, report):
        console().print(f"written to {printable(str(file))}", soft_wrap=True)


def _write_report(evaluation: Evaluation, file: Path, form: str) -> str:
    from routesdk.report import to_html, to_markdown

    text = to_markdown(evaluation) if form == "md" else to_html(evaluation)
    with replacing(file) as raw:
        raw.write(text.encode("utf-8"))
    return text
