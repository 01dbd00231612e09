"""How much of what a perfect choice would gain over the best single model a router gets.

Source: Lindauer, van Rijn and Kotthoff, The Algorithm Selection Competitions 2015 and 2017
(arXiv:1805.01214), for the gap between the single best and the virtual best
solver that a selector closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import SMALLEST_GAP, same_rows, unit_column
from routesdk.metrics._ranking import over

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

_METRIC = "oracle gap closed"


def oracle_gap_closed(routed: npt.ArrayLike, models: Sequence[npt.ArrayLike]) -> float:
    """Measure the share of the gap between the best single model and the oracle that is closed.

    The oracle takes the best answer to each query, whatever it costs.

    Args:
        routed: Quality that the routing obtained, 0 to 1, (rows,).
        models: Quality of each model's answers, 0 to 1, (rows,) each.

    Returns:
        0 for the best single model, 1 for the oracle; below 0 where always calling
        one model is better.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, lengths differ,
            there are no models, or one model is best on every row, so that there is no gap.
    """
    statistic = oracle_gap_statistic(routed, models)
    value = float(statistic(np.ones((1, len(np.asarray(routed)))))[0])
    if np.isnan(value):
        raise MetricError(_METRIC, "one model is as good as the oracle, so that there is no gap to close")
    return value


def oracle_gap_statistic(routed: npt.ArrayLike, models: Sequence[npt.ArrayLike]) -> Statistic:
    """Prepare the closed share of the oracle gap for many resamples.

    Args:
        routed: As for `oracle_gap_closed`, (rows,).
        models: As for `oracle_gap_closed`, (rows,) each.

    Returns:
        A function from counts, (resamples, rows), to shares, (resamples,); the best
        single model is that of the resample. NaN where there is no gap.

    Raises:
        MetricError: As for `oracle_gap_closed`, but for the gap.
    """
    obtained = unit_column(_METRIC, "routed", routed)
    if not len(models):
        raise MetricError(_METRIC, "there are no models")
    columns = {
        f"model {place}": unit_column(_METRIC, f"model {place}", quality)
        for place, quality in enumerate(models)
    }
    same_rows(_METRIC, routed=obtained, **columns)
    quality = np.stack(list(columns.values()), axis=1)
    best = quality.max(axis=1)

    def statistic(counts: Floats) -> Floats:
        single = (counts @ quality).max(axis=1)
        gap = counts @ best - single
        return over(np.asarray(counts @ obtained - single), gap, gap > SMALLEST_GAP * counts.sum(axis=1))

    return statistic
