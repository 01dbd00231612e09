"""Quality against cost: the non-decreasing convex hull of operating points, and AIQ.

Source: Hu et al., RouterBench: A Benchmark for Multi-LLM Routing System
(arXiv:2403.12031), section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import column, same_rows, unit_column

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

_METRIC = "AIQ"
_FLAT = 1e-12


@attrs.frozen(kw_only=True)
class CostCurve:
    """The best quality that mixing operating points buys at each cost.

    Attributes:
        cost: Cost per query in US dollars, or in any unit, (points,), rising.
        quality: Mean quality there, (points,), never falling.
    """

    cost: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    quality: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))

    def average(self, least_cost: float, most_cost: float) -> float:
        """Average the quality over all costs between two ends.

        Beyond its last point a curve goes on flat: nobody has to spend more. Below its
        first point it has no quality to show, and counts as 0.

        Args:
            least_cost: The cost to begin at, in the unit of the curve.
            most_cost: The cost to end at, above the other.

        Returns:
            The mean quality, from 0 to 1.

        Raises:
            MetricError: The ends are not finite, or the second is not above the first.
        """
        if not np.isfinite([least_cost, most_cost]).all() or most_cost <= least_cost:
            raise MetricError(_METRIC, f"costs from {least_cost:g} to {most_cost:g} are no range")
        return _average(self.cost, self.quality, least_cost, most_cost)


def cost_curve(cost: npt.ArrayLike, quality: npt.ArrayLike) -> CostCurve:
    """Draw the non-decreasing convex hull over operating points.

    Two points can be mixed at random, so that every point on the line between them can be
    had, too; and a point that costs more for less is never chosen.

    Args:
        cost: Mean cost per query at each operating point, 0 or more, (points,).
        quality: Mean quality there, 0 to 1, (points,).

    Returns:
        The hull, from the cheapest point to the dearest that is worth it.

    Raises:
        MetricError: There are no points, a value is NaN or out of range, or lengths differ.

    Source: RouterBench (arXiv:2403.12031), section 3.
    """
    paid, obtained = _points(cost, quality)
    kept = _hull(paid, obtained)
    return CostCurve(cost=paid[kept], quality=obtained[kept])


def aiq(
    cost: npt.ArrayLike,
    quality: npt.ArrayLike,
    *,
    least_cost: float | None = None,
    most_cost: float | None = None,
) -> float:
    """Average the quality of a router over a range of costs: RouterBench's AIQ.

    The definition is that of the paper, the integral over the hull divided by the width of
    the range. RouterBench's own code divides by the largest cost instead and begins at
    the cheapest point; both agree where the cheapest point is free.

    Args:
        cost: Mean cost per query at each operating point, 0 or more, (points,).
        quality: Mean quality there, 0 to 1, (points,).
        least_cost: Where the range begins; None takes the cheapest point.
        most_cost: Where it ends; None takes the dearest point. To compare routers, give
            both the same range.

    Returns:
        The average, from 0 to 1.

    Raises:
        MetricError: As for `cost_curve`, or all points cost the same, so that there is no range.

    Source: RouterBench (arXiv:2403.12031), section 3, Average Improvement in Quality.
    """
    paid, _ = _points(cost, quality)
    low = float(paid.min()) if least_cost is None else least_cost
    high = float(paid.max()) if most_cost is None else most_cost
    return cost_curve(cost, quality).average(low, high)


def aiq_statistic(
    cost: npt.ArrayLike,
    quality: npt.ArrayLike,
    *,
    least_cost: float | None = None,
    most_cost: float | None = None,
) -> Statistic:
    """Prepare AIQ for many resamples.

    Args:
        cost: What each row costs at each operating point, 0 or more, (rows, points).
        quality: Quality of the answer there, 0 to 1, (rows, points).
        least_cost: As for `aiq`; None takes the cheapest point of each resample.
        most_cost: As for `aiq`; None takes the dearest point of each resample.

    Returns:
        A function from counts, (resamples, rows), to AIQ, (resamples,); NaN where all
        points cost the same on a resample.

    Raises:
        MetricError: A table is empty, holds NaN or a value out of range, or shapes differ.
    """
    given = np.asarray(cost), np.asarray(quality)
    shape = given[0].shape
    if len(shape) != 2 or shape != given[1].shape:
        problem = f"cost has shape {shape} and quality {given[1].shape}, not (rows, points)"
        raise MetricError(_METRIC, problem)
    paid, obtained = (values.reshape(shape) for values in _points(given[0].ravel(), given[1].ravel()))

    def statistic(counts: Floats) -> Floats:
        rows = counts.sum(axis=1, keepdims=True)
        costs, qualities = counts @ paid / rows, counts @ obtained / rows
        low = costs.min(axis=1) if least_cost is None else np.full(len(costs), least_cost)
        high = costs.max(axis=1) if most_cost is None else np.full(len(costs), most_cost)
        values = np.full(len(costs), np.nan)
        for at in np.flatnonzero(high - low > _FLAT * np.abs(high)):
            kept = _hull(costs[at], qualities[at])
            values[at] = _average(costs[at][kept], qualities[at][kept], low[at], high[at])
        return values

    return statistic


def _points(cost: npt.ArrayLike, quality: npt.ArrayLike) -> tuple[Floats, Floats]:
    paid = column(_METRIC, "cost", cost)
    obtained = unit_column(_METRIC, "quality", quality)
    same_rows(_METRIC, cost=paid, quality=obtained)
    if (paid < 0).any():
        raise MetricError(_METRIC, f"cost is negative at {int(np.flatnonzero(paid < 0)[0])}")
    return paid, obtained


def _hull(cost: Floats, quality: Floats) -> npt.NDArray[np.int64]:
    """Choose the points of the upper hull that rise, by falling slope (Andrew's monotone chain)."""
    kept: list[int] = []
    costs, qualities = cost.tolist(), quality.tolist()
    for point in np.lexsort((-quality, cost)).tolist():
        if kept and qualities[point] <= qualities[kept[-1]]:
            continue
        while len(kept) > 1:
            first, last = kept[-2], kept[-1]
            rise = (qualities[last] - qualities[first]) * (costs[point] - costs[first])
            if rise > (qualities[point] - qualities[first]) * (costs[last] - costs[first]):
                break
            kept.pop()
        kept.append(point)
    return np.array(kept, dtype=np.int64)


def _average(cost: Floats, quality: Floats, low: float, high: float) -> float:
    inner = cost[(cost > low) & (cost < high)]
    corners = np.concatenate(([low], inner, [high]))
    heights = np.interp(corners, cost, quality)
    area = float((heights[1:] + heights[:-1]) / 2 @ np.diff(corners))
    # np.interp goes on flat to the left as well, where there is nothing to be had.
    missing = max(0.0, min(float(cost[0]), high) - low) * float(quality[0])
    return (area - missing) / (high - low)
