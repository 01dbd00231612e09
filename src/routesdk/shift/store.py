"""The file that a checkpoint keeps its shift score in: arrays as safetensors, the rest as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import numpy as np

from routesdk.errors import CheckpointError, ConfigError
from routesdk.shift.score import DIMENSIONS, ShiftScore, ShiftSource
from routesdk.structure import structure, unstructure

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
"""Version of this form."""

_KEY = "shift"
_ARRAYS = {"table": np.uint8, "step": np.float64, "centre": np.float64, "factor": np.float64}
_ARRAYS |= {"offset": np.float64, "group_source": np.int64, "reference": np.float64, "counts": np.int64}


@attrs.frozen(kw_only=True)
class _Header:
    format: int
    sources: tuple[ShiftSource, ...]
    false_alarm: float


def shift_bytes(shift: ShiftScore) -> bytes:
    """Return the file's contents; equal scores give equal bytes."""
    from safetensors.numpy import save

    header = _Header(format=FORMAT, sources=shift.sources, false_alarm=shift.false_alarm)
    plain = [name for name in _ARRAYS if name not in ("reference", "counts")]
    arrays = {name: np.ascontiguousarray(getattr(shift, name)) for name in plain}
    arrays["reference"] = np.concatenate(shift.reference)
    arrays["counts"] = np.array([len(each) for each in shift.reference])
    return save(arrays, {_KEY: json.dumps(unstructure(header), sort_keys=True)})


def read_shift(file: Path) -> ShiftScore:
    """Read what `shift_bytes` returned.

    Raises:
        CheckpointError: It cannot be read, is not of this kind, or was written by a newer routesdk.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            header = json.loads((opened.metadata() or {})[_KEY])
            arrays = {name: opened.get_tensor(name) for name in _ARRAYS}
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(str(file), f"holds no shift score ({error})") from error
    if isinstance(header, dict) and type(header.get("format")) is int and header["format"] > FORMAT:
        problem = f"has format {header['format']}; this routesdk reads {FORMAT}"
        raise CheckpointError(str(file), problem, "Upgrade: pip install -U routesdk")
    try:
        return _built(structure(header, _Header, where=_KEY), arrays)
    except ConfigError as error:
        raise CheckpointError(str(file), str(error)) from error


def _built(header: _Header, arrays: dict[str, NDArray[np.generic]]) -> ShiftScore:
    """Put the score together, its arrays of the right form.

    Raises:
        ConfigError: An array does not fit the others.
    """
    sources, groups = len(header.sources), len(arrays["centre"])
    shapes: dict[str, tuple[int, ...]] = {
        "table": (len(arrays["table"]), sources),
        "step": (sources,),
        "centre": (groups, DIMENSIONS),
        "factor": (groups, DIMENSIONS, DIMENSIONS),
        "offset": (groups,),
        "group_source": (groups,),
        "counts": (sources,),
        "reference": (int(np.sum(cast("NDArray[np.int64]", arrays["counts"]))),),
    }
    for name, form in shapes.items():
        array = arrays[name]
        if array.shape != form or array.dtype != _ARRAYS[name]:
            _refuse(name, f"is {array.dtype} of shape {array.shape}, not {np.dtype(_ARRAYS[name])} of {form}")
        if array.dtype == np.float64 and not np.isfinite(cast("NDArray[np.float64]", array)).all():
            _refuse(name, "holds numbers that are not finite")
    group_source = cast("NDArray[np.int64]", arrays["group_source"])
    if not sources or not np.array_equal(np.unique(group_source), np.arange(sources)):
        _refuse("group_source", "leaves a set without a group")
    if (np.diff(group_source) < 0).any():
        _refuse("group_source", "is not in ascending order")
    size = len(arrays["table"])
    if size < 2 or size & (size - 1):
        _refuse("table", f"has {size} buckets, which is no power of two")
    counts = cast("NDArray[np.int64]", arrays["counts"])
    if (counts < 1).any():
        _refuse("counts", "leaves a set without distances")
    reference = np.split(cast("NDArray[np.float64]", arrays["reference"]), np.cumsum(counts)[:-1])
    if any((np.diff(each) < 0).any() for each in reference):
        _refuse("reference", "is not in ascending order")
    return ShiftScore(
        sources=header.sources,
        table=cast("NDArray[np.uint8]", arrays["table"]),
        step=cast("NDArray[np.float64]", arrays["step"]),
        centre=cast("NDArray[np.float64]", arrays["centre"]),
        factor=cast("NDArray[np.float64]", arrays["factor"]),
        offset=cast("NDArray[np.float64]", arrays["offset"]),
        group_source=group_source,
        reference=tuple(reference),
        false_alarm=header.false_alarm,
    )


def _refuse(name: str, problem: str) -> None:
    raise ConfigError(f"shift.{name}", "given", problem, "Train the router again.")
