"""Accuracy: the mean quality of answers, overall, by group, and of a routing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import same_rows, unit_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from routesdk.metrics._input import Floats


def accuracy(quality: npt.ArrayLike) -> float:
    """Average the quality of answers.

    Args:
        quality: 1 for a correct answer and 0 for another, or an expected quality from
            0 to 1, (rows,).

    Returns:
        The mean, from 0 to 1.

    Raises:
        MetricError: Empty, NaN, or outside 0 to 1.
    """
    return float(unit_column("accuracy", "quality", quality).mean())


def accuracy_by(quality: npt.ArrayLike, groups: Sequence[str]) -> Mapping[str, float]:
    """Average the quality of answers within each group, such as a topic or a policy.

    Args:
        quality: As for `accuracy`, (rows,).
        groups: The group of each row, (rows,).

    Returns:
        Group names, sorted, and their means, from 0 to 1.

    Raises:
        MetricError: As for `accuracy`, or there is not one group for each row.
    """
    values = unit_column("accuracy", "quality", quality)
    names, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    same_rows("accuracy", quality=values, groups=codes)
    means = np.bincount(codes, weights=values) / np.bincount(codes)
    return MappingProxyType(dict(zip(names.tolist(), means.tolist(), strict=True)))


def routed_quality(large_called: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> Floats:
    """Look up the quality that a routing obtained, row by row.

    Args:
        large_called: Whether the large model was called, (rows,), booleans.
        medium: Quality of the medium model's answers, 0 to 1, (rows,).
        large: Quality of the large model's answers, 0 to 1, (rows,).

    Returns:
        The quality of the answer that was chosen, 0 to 1, (rows,).

    Raises:
        MetricError: As for `accuracy`; lengths differ; or decisions are not booleans.
    """
    called = np.asarray(large_called)
    if called.dtype != np.bool_:
        raise MetricError("routed quality", f"large_called holds {called.dtype} values, not booleans")
    cheap = unit_column("routed quality", "medium", medium)
    dear = unit_column("routed quality", "large", large)
    same_rows("routed quality", large_called=called, medium=cheap, large=dear)
    return np.asarray(np.where(called, dear, cheap), dtype=np.float64)
