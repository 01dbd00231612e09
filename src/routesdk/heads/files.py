"""Reads the files of trained heads: a table in JSON and arrays in safetensors, both checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from routesdk.errors import CheckpointError, ConfigError
from routesdk.heads.head import LINK, Head
from routesdk.structure import structure, unstructure

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIX = "Load another checkpoint, or train this one again."

T = TypeVar("T")

# Of which type each is was checked when it was read; no annotation can say it.
Arrays: TypeAlias = "dict[str, NDArray[Any]]"
"""Arrays by name."""

Shapes = Mapping[str, tuple[Sequence[int | None], type]]
"""Name of an array → its shape, None for any size, and its type."""


def write_heads(
    table: object, table_file: Path, arrays: Mapping[str, NDArray[np.generic]], file: Path
) -> None:
    """Write a table and arrays, the same bytes each time."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # Written by hand: the library's own writer makes files that only their owner can read.
    file.write_bytes(save(whole))
    text = json.dumps(unstructure(table), indent=1, sort_keys=True, allow_nan=False)
    table_file.write_text(text + "\n", encoding="utf-8")


def read_table(file: Path, cls: type[T], *, newest: int, what: str) -> T:
    """Read a table that `write_heads` wrote; it has its version as `format`.

    Args:
        file: The table.
        cls: Its attrs class.
        newest: The newest format that is read.
        what: What the table describes, for the error.

    Raises:
        CheckpointError: The file is missing, damaged, foreign, or of a newer format.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(str(file), f"cannot be read ({error.strerror})", FIX) from error
    except ValueError as error:
        raise CheckpointError(str(file), f"is no JSON, or was cut off ({error})", FIX) from error
    version = data.get("format") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise CheckpointError(str(file), f"does not describe {what}", FIX)
    if version > newest:
        problem = f"has format {version}; this routesdk reads {newest}"
        raise CheckpointError(str(file), problem, "Upgrade: pip install -U routesdk")
    try:
        return structure(data, cls, source=str(file))
    except ConfigError as error:
        raise CheckpointError(str(file), str(error), FIX) from error


def read_arrays(file: Path, wanted: Shapes, heads: Sequence[Head]) -> Arrays:
    """Read arrays, `pairs` and `links` of the heads among them.

    Args:
        file: The arrays.
        wanted: The arrays but `pairs` and `links`.
        heads: All heads.

    Raises:
        CheckpointError: The file is missing or damaged, or an array does not fit.
    """
    try:
        arrays: Arrays = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(str(file), f"cannot be read ({error})", FIX) from error
    both: Shapes = {**wanted, "pairs": ((None, 2), np.int16), "links": ((None, LINK), np.float32)}
    for name, (shape, kind) in both.items():
        array = arrays.get(name)
        if array is None:
            raise CheckpointError(str(file), f"has no {name}", FIX)
        fits = len(shape) == array.ndim and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != kind:
            found = f"{array.dtype} of shape {array.shape}"
            raise CheckpointError(str(file), f"holds {found} as {name}, which does not fit its heads", FIX)
        if issubclass(kind, np.floating) and not np.isfinite(cast("NDArray[np.floating]", array)).all():
            raise CheckpointError(str(file), f"holds {name} that are not finite", FIX)
    pairs = cast("NDArray[np.int16]", arrays["pairs"])
    if len(pairs) != len(arrays["links"]) or not ((pairs >= 0) & (pairs < len(heads))).all():
        raise CheckpointError(str(file), "holds pairs that do not fit its heads", FIX)
    return arrays


def columns_in(heads: Sequence[Head]) -> int:
    """Return how many columns of weights the heads name."""
    used = [output.column for head in heads for output in (head.correct, head.abstained)]
    return 1 + max((column for column in used if column is not None), default=-1)
