"""Where an evaluation comes from: hashes of rows and files, versions, the checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import routesdk
from routesdk.errors import ConfigError
from routesdk.pipeline.evaluation.basis import DataFile, Provenance
from routesdk.pipeline.leak import learned_sets
from routesdk.router import Router
from routesdk.types import Example

_BLOCK = 1 << 20


def data_file(path: str | os.PathLike[str], rows: int) -> DataFile:
    """Hash a file of rows, so that it can be known again.

    Args:
        path: The file.
        rows: How many rows of it are used.

    Raises:
        ConfigError: It cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ConfigError("path", str(path), problem, "Check the path.") from error
    return DataFile(name=Path(path).name, sha256=digest.hexdigest(), rows=rows)


def rows_sha256(rows: Iterable[Example], models: Sequence[str]) -> str:
    """Hash ids, questions and the outcomes that count, in the order of the rows.

    Args:
        rows: Rows with an outcome of every model.
        models: The tiers' models, cheapest first.
    """
    digest = hashlib.sha256()
    for row in rows:
        outcomes = [
            each.grade.value if each.grade is not None else each.quality
            for each in (row.outcomes[model] for model in models)
        ]
        turns = [[turn.role, turn.content] for turn in row.query.messages]
        line = json.dumps([row.id, row.query.text, turns, row.topic, outcomes])
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def provenance(
    router: Router,
    rows: Sequence[Example],
    *,
    name: str,
    data: Sequence[DataFile] = (),
    command: str = "",
    date: str = "",
) -> Provenance:
    """Say what was evaluated with what; see `Provenance`."""
    return Provenance(
        checkpoint=name,
        checkpoint_id=router.checkpoint_id,
        policy_model=router.names.policy_model.name,
        matrix=router.names.matrix.name,
        learned_from=learned_sets(router),
        data=tuple(data),
        rows_sha256=rows_sha256(rows, [tier.model for tier in router.tiers]),
        package_version=routesdk.__version__,
        python_version=platform.python_version(),
        numpy_version=np.__version__,
        command=command,
        date=date,
    )
