"""Whether decisions stay the same when only the wording of a query changes.

Source: RouterArena (arXiv:2510.00202), robustness as one minus the ratio of
decisions that flip.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics.intervals import mean_statistic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

_METRIC = "robustness"


def unchanged(decisions: Sequence[str], perturbed: Sequence[str]) -> Floats:
    """Mark the rows whose decision stayed the same.

    Args:
        decisions: The decision on each query, such as its policy or its model, (rows,).
        perturbed: The decision on the same query in other words, (rows,).

    Returns:
        1 where both are the same, else 0, (rows,).

    Raises:
        MetricError: There are no rows, or lengths differ.
    """
    if len(decisions) != len(perturbed):
        raise MetricError(
            _METRIC, f"there are {len(decisions)} decisions, of which {len(perturbed)} were made again"
        )
    if not len(decisions):
        raise MetricError(_METRIC, "there are no rows")
    same = [one == other for one, other in zip(decisions, perturbed, strict=True)]
    return np.array(same, dtype=np.float64)


def robustness(decisions: Sequence[str], perturbed: Mapping[str, Sequence[str]]) -> Mapping[str, float]:
    """Measure the share of decisions that stay the same under each kind of perturbation.

    Args:
        decisions: The decision on each query, (rows,).
        perturbed: For each kind of perturbation, the decisions on the perturbed queries, (rows,).

    Returns:
        For each kind, in order, the share from 0 to 1.

    Raises:
        MetricError: There are no rows or no kinds, or lengths differ.
    """
    _some(perturbed)
    kept = {kind: float(unchanged(decisions, found).mean()) for kind, found in perturbed.items()}
    return MappingProxyType(kept)


def robustness_statistic(decisions: Sequence[str], perturbed: Mapping[str, Sequence[str]]) -> Statistic:
    """Prepare the share of unchanged decisions, averaged over the kinds, for many resamples.

    For one kind alone, `mean_statistic(unchanged(decisions, perturbed))` is the form.

    Args:
        decisions: As for `robustness`, (rows,).
        perturbed: As for `robustness`.

    Returns:
        A function from counts, (resamples, rows), to shares, (resamples,).

    Raises:
        MetricError: As for `robustness`.
    """
    _some(perturbed)
    kept = [unchanged(decisions, found) for found in perturbed.values()]
    return mean_statistic(np.mean(kept, axis=0))


def _some(perturbed: Mapping[str, Sequence[str]]) -> None:
    if not perturbed:
        raise MetricError(_METRIC, "there are no perturbations")
