"""RouterArena's score: one figure from accuracy and cost.

Source: Lu et al., RouterArena: An Open Platform for Comprehensive Comparison of LLM Routers
(arXiv:2510.00202), and `compute_arena_score` in `llm_evaluation/run.py` of
github.com/RouteWorks/RouterArena, read on 2026-11-26, for the form and its three constants.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import column, same_rows, unit_column

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

BETA = 0.1
"""Weight of cost against accuracy, as RouterArena has it."""
MOST_USD_PER_1000 = 200.0
LEAST_USD_PER_1000 = 0.0044
_METRIC = "RouterArena score"


def arena_score(accuracy: float, usd_per_1000: float, *, beta: float = BETA) -> float:
    """Score accuracy and cost together as RouterArena does.

    Cost counts by its logarithm, from 0 at 200 US dollars for a thousand queries to 1 at
    0.0044; the score is the weighted harmonic mean of that and of accuracy. Costs beyond
    either end count as that end; RouterArena's code goes on beyond them, where the score leaves 0 to 1.

    Args:
        accuracy: Mean quality, from 0 to 1.
        usd_per_1000: Cost of a thousand queries in US dollars.
        beta: Weight of cost; 0 leaves accuracy alone.

    Returns:
        The score, from 0 to 1; RouterArena's table shows it times 100.

    Raises:
        MetricError: Accuracy lies outside 0 to 1, the cost is not above 0 or not finite, or beta is
            negative.
    """
    right = unit_column(_METRIC, "accuracy", [accuracy])
    if not math.isfinite(usd_per_1000) or usd_per_1000 <= 0:
        raise MetricError(_METRIC, f"a cost of {usd_per_1000:g} US dollars is not above 0")
    return float(_score(right, np.array([usd_per_1000], dtype=np.float64), _checked(beta))[0])


def arena_statistic(quality: npt.ArrayLike, cost_usd: npt.ArrayLike, *, beta: float = BETA) -> Statistic:
    """Prepare RouterArena's score for many resamples.

    Args:
        quality: Quality that the routing obtained, 0 to 1, (rows,).
        cost_usd: What it paid for each row in US dollars, (rows,).
        beta: As for `arena_score`.

    Returns:
        A function from counts, (resamples, rows), to scores, (resamples,); NaN where a
        resample cost nothing.

    Raises:
        MetricError: A column is empty, holds NaN, a quality lies outside 0 to 1, a cost is
            negative, lengths differ, or beta is negative.
    """
    obtained = unit_column(_METRIC, "quality", quality)
    paid = column(_METRIC, "cost_usd", cost_usd)
    same_rows(_METRIC, quality=obtained, cost_usd=paid)
    if (paid < 0).any():
        raise MetricError(_METRIC, f"cost_usd is negative in row {int(np.flatnonzero(paid < 0)[0])}")
    weight = _checked(beta)

    def statistic(counts: Floats) -> Floats:
        rows = counts.sum(axis=1)
        return _score(np.asarray(counts @ obtained / rows), np.asarray(counts @ paid / rows * 1000), weight)

    return statistic


def _checked(beta: float) -> float:
    if not math.isfinite(beta) or beta < 0:
        raise MetricError(_METRIC, f"beta is {beta:g}, not 0 or more")
    return beta


def _score(accuracy: Floats, usd_per_1000: Floats, beta: float) -> Floats:
    paid = usd_per_1000 > 0
    cost = np.clip(np.where(paid, usd_per_1000, 1.0), LEAST_USD_PER_1000, MOST_USD_PER_1000)
    cheapness = np.log(MOST_USD_PER_1000 / cost) / np.log(MOST_USD_PER_1000 / LEAST_USD_PER_1000)
    below = beta * accuracy + cheapness
    score = np.divide((1 + beta) * accuracy * cheapness, below, out=np.zeros_like(below), where=below > 0)
    return np.asarray(np.where(paid, score, np.nan), dtype=np.float64)
