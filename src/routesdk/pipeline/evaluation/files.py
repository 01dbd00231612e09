"""The files of an evaluation: a line for each row, every metric, and the comparison with the baselines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from routesdk.dataset import read_jsonl, replacing
from routesdk.errors import ConfigError
from routesdk.pipeline.evaluation.figures import Evaluation, RowResult
from routesdk.pipeline.evaluation.record import SCHEMA_VERSION, from_record, to_record
from routesdk.structure import structure, unstructure

RESULTS = "router_results.jsonl"
METRICS = "router_metrics.json"
COMPARISON = "comparison.json"

_COMPARED = ("verdict", "tiers", "rows", "lines", "targets", "cost", "provenance", "resamples", "seed")
"""What `comparison.json` has of an evaluation: the router beside the baselines, and what follows."""


@attrs.frozen
class EvaluationFiles:
    """Where an evaluation was written to.

    Attributes:
        results: A line for each row: what was decided, and what was recorded.
        metrics: Everything but those lines; `read_evaluation` reads it.
        comparison: The router beside the baselines, the targets, and the verdict.
    """

    results: Path
    metrics: Path
    comparison: Path


def write_evaluation(evaluation: Evaluation, folder: str | os.PathLike[str]) -> EvaluationFiles:
    """Write an evaluation's three files; each appears when it is whole.

    Args:
        evaluation: What was measured.
        folder: Made where it is not there.

    Raises:
        ConfigError: The folder cannot be made or written to.
    """
    home = Path(folder)
    files = EvaluationFiles(home / RESULTS, home / METRICS, home / COMPARISON)
    record = to_record(evaluation)
    compared = {"schema_version": SCHEMA_VERSION, **{key: record[key] for key in _COMPARED}}
    try:
        home.mkdir(parents=True, exist_ok=True)
        _write_lines(files.results, evaluation.results)
        _write_object(files.metrics, record)
        _write_object(files.comparison, compared)
    except OSError as error:
        problem = f"cannot be written to ({error.strerror})"
        raise ConfigError("output", str(home), problem, "Give a folder that you may write to.") from error
    return files


def read_evaluation(folder: str | os.PathLike[str], *, results: bool = False) -> Evaluation:
    """Read an evaluation back from the folder that it was written to.

    Args:
        folder: Where `write_evaluation` wrote it.
        results: Whether to read what was decided for each row as well.

    Raises:
        ConfigError: A file is missing, is no JSON, or holds something else.
        DatasetError: A line of the results is no JSON.
    """
    home = Path(folder)
    evaluation = from_record(_read_object(home / METRICS))
    if not results:
        return evaluation
    rows = tuple(
        structure(row, RowResult, where=f"line {line}", source=str(home / RESULTS))
        for line, row in read_jsonl(home / RESULTS)
    )
    return attrs.evolve(evaluation, results=rows)


def _write_lines(file: Path, rows: Iterable[RowResult]) -> None:
    with replacing(file) as raw:
        for row in rows:
            raw.write(f"{json.dumps(unstructure(row), allow_nan=False)}\n".encode())


def _write_object(file: Path, data: Mapping[str, object]) -> None:
    with replacing(file) as raw:
        raw.write(f"{json.dumps(data, indent=2, allow_nan=False)}\n".encode())


def _read_object(file: Path) -> Mapping[str, object]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ConfigError(
            "file", str(file), problem, "Give a folder that `routesdk evaluate` wrote."
        ) from error
    except ValueError as error:
        raise ConfigError("file", str(file), f"is no JSON: {error}", "Evaluate again.") from error
    if not isinstance(data, dict):
        raise ConfigError("file", str(file), "holds no evaluation", "Evaluate again.")
    return data
