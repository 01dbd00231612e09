"""What a valid batch of predictions is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from routesdk.testing.verdict import require
from routesdk.types import PredictionBatch
from routesdk.types.prediction import SUM_TOLERANCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME_WITHIN = 1e-5
"""How far a query's probabilities may differ between batches: sums of float32 depend on their order.

On a GPU, and with weights of 4 bits, the shape of a batch chooses another kernel: more is lost there.
"""

_ARRAYS = ("cells", "weights", "grades", "policies")


def probabilities_of(batch: PredictionBatch) -> dict[str, NDArray[np.floating]]:
    """Return the arrays of probabilities that a batch holds, by name."""
    found = {name: getattr(batch, name) for name in _ARRAYS}
    return {name: array for name, array in found.items() if array is not None}


def form_of(batch: PredictionBatch) -> str:
    """Name the form of a batch: cells, grades of a mixture, or policies."""
    return " and ".join(probabilities_of(batch))


def rows_of(batch: PredictionBatch, rows: Sequence[int]) -> PredictionBatch:
    """Return some rows of a batch, in this order."""
    arrays = probabilities_of(batch)
    picked = {name: arrays[name][list(rows)] if name in arrays else None for name in _ARRAYS}
    return PredictionBatch(
        cells=picked["cells"],
        weights=picked["weights"],
        grades=picked["grades"],
        policies=picked["policies"],
        policy_names=batch.policy_names,
        cut=None if batch.cut is None else batch.cut[list(rows)],
        notices=batch.notices,
    )


def same(one: PredictionBatch, other: PredictionBatch, *, within: float = SAME_WITHIN) -> bool:
    """Tell whether two batches predict the same, up to a difference of each probability."""
    import numpy as np

    left, right = probabilities_of(one), probabilities_of(other)
    if left.keys() != right.keys() or one.policy_names != other.policy_names:
        return False
    if (one.cut is None) != (other.cut is None) or one.notices != other.notices:
        return False
    if one.cut is not None and not np.array_equal(one.cut, other.cut if other.cut is not None else one.cut):
        return False
    return all(
        array.shape == right[name].shape and np.allclose(array, right[name], rtol=0.0, atol=within)
        for name, array in left.items()
    )


def check_batch(part: object, batch: PredictionBatch, rows: int, tiers: int, about: str) -> None:
    """Check the shapes and the probabilities of a batch.

    Args:
        part: The policy model, for the failure's sentence.
        batch: What it returned.
        rows: How many queries it was asked about.
        tiers: How many tiers are bound.
        about: What it was asked.

    Raises:
        AssertionError: A shape is wrong, or probabilities are none.
    """
    import numpy as np

    _check_shapes(part, batch, rows, tiers, about)
    for name, array in probabilities_of(batch).items():
        floats = np.issubdtype(array.dtype, np.floating)
        require(floats, part, f"returns {name} of {array.dtype} {about}", "probabilities are floats")
        promise = "probabilities are finite, 0 or more, and sum to one"
        valid = bool(np.isfinite(array).all() and (array >= 0).all())
        require(valid, part, f"returns {name} below 0 or without a number {about}", promise)
        sums = array.sum(axis=-1)
        off = float(np.abs(sums - 1.0).max(initial=0.0))
        require(
            off <= SUM_TOLERANCE, part, f"returns {name} whose sums are {off:.2g} off one {about}", promise
        )
    strings = all(isinstance(notice, str) and notice.strip() for notice in batch.notices)
    require(strings, part, f"gives the notices {batch.notices!r} {about}", "a notice is a sentence")


def _check_shapes(part: object, batch: PredictionBatch, rows: int, tiers: int, about: str) -> None:
    names = batch.policy_names
    components = batch.weights.shape[-1] if batch.weights is not None and batch.weights.ndim else 0
    wanted = {
        "cells": (rows, 3**tiers),
        "weights": (rows, components),
        "grades": (rows, components, tiers, 3),
        "policies": (rows, len(names)),
    }
    for name, array in probabilities_of(batch).items():
        promise = f"{name} has one row a query, and the shape {wanted[name]} here"
        require(array.shape == wanted[name], part, f"returns {name} of shape {array.shape} {about}", promise)
    if batch.policies is not None:
        promise = "each column of policies has a name of its own"
        require(len(set(names)) == len(names), part, f"gives the policy names {names} {about}", promise)
    if batch.cut is not None:
        right = batch.cut.shape == (rows,) and batch.cut.dtype == bool
        fault = f"returns cut as {batch.cut.dtype} of shape {batch.cut.shape} {about}"
        require(right, part, fault, "cut is one truth value a query, or None")
