"""An evaluation as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from routesdk.errors import ConfigError
from routesdk.pipeline.evaluation.figures import Evaluation
from routesdk.structure import structure, unstructure

SCHEMA_VERSION = 1
"""Version of the form that `to_record` writes."""


def to_record(evaluation: Evaluation, *, results: bool = False) -> dict[str, object]:
    """Turn an evaluation into plain data for JSON.

    The same router, rows and seed give the same record, but for `latency`.

    Args:
        evaluation: What was measured.
        results: Whether what was decided for each row is wanted in it, too.
    """
    kept = evaluation if results else attrs.evolve(evaluation, results=())
    return {"schema_version": SCHEMA_VERSION, **unstructure(kept)}


def from_record(record: Mapping[str, object]) -> Evaluation:
    """Read an evaluation from what `to_record` returned, through JSON or not.

    Raises:
        ConfigError: The record has another version, or a key is unknown or missing.
    """
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        problem, fix = f"is not {SCHEMA_VERSION}, which is read here", "Evaluate again."
        raise ConfigError("schema_version", repr(version), problem, fix)
    data = {key: value for key, value in record.items() if key != "schema_version"}
    return structure(data, Evaluation)
