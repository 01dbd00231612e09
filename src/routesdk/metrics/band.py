"""Bootstrap intervals of whole curves, on the same resamples as those of single figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._draws import draws
from routesdk.metrics._input import Floats, column
from routesdk.metrics._ranking import grouped, ranked, ranking_columns
from routesdk.metrics.intervals import DEFAULT_RESAMPLES

if TYPE_CHECKING:
    import numpy.typing as npt

CurveStatistic: TypeAlias = Callable[[Floats], Floats]
"""From how often each row was drawn, (resamples, rows), to the heights of a curve, (resamples, points)."""


@attrs.frozen(kw_only=True)
class Band:
    """A curve with an interval at every point.

    The intervals hold one point at a time; a whole curve leaves them more often.

    Attributes:
        metric: What was measured.
        value: The curve on the rows as they are, (points,).
        low: Lower ends, (points,); NaN where half of the resamples or more have no value.
        high: Upper ends, (points,); NaN likewise.
        level: Probability that each interval is meant to cover, such as 0.95.
        resamples: How often the rows were drawn anew.
        seed: Seed of the random generator.
        rows: Number of rows.
    """

    metric: str
    value: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    low: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    high: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    level: float
    resamples: int
    seed: int
    rows: int


def bootstrap_curves(
    statistics: Sequence[CurveStatistic], rows: int, *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> tuple[Floats, ...]:
    """Evaluate curves on the same rows drawn with replacement, drawing once.

    Args:
        statistics: What to measure; NaN where a point has no value.
        rows: Number of rows.
        resamples: How often to draw.
        seed: Seed of the random generator; with one seed these are the resamples of
            `bootstrap_many`, too.

    Returns:
        For each statistic its values, (resamples, points).

    Raises:
        MetricError: Rows or resamples are no whole number of 1 or more.
    """
    blocks: list[list[Floats]] = [[] for _ in statistics]
    for _, counts in draws(rows, resamples, seed):
        for block, statistic in zip(blocks, statistics, strict=True):
            block.append(statistic(counts))
    return tuple(np.concatenate(block) for block in blocks)


def bootstrap_band(
    metric: str,
    statistic: CurveStatistic,
    rows: int,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Band:
    """Bound every point of a curve with a percentile bootstrap interval.

    Args:
        metric: Its name, for the record and for errors.
        statistic: What to measure; NaN where a point has no value.
        rows: Number of rows.
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover, between 0 and 1.

    Raises:
        MetricError: Rows or resamples are no whole number of 1 or more, or the level is out of range.
    """
    if not 0 < level < 1:
        raise MetricError(metric, f"a level of {level:g} does not lie between 0 and 1")
    (values,) = bootstrap_curves((statistic,), rows, resamples=resamples, seed=seed)
    ends = np.full((2, values.shape[1]), np.nan)
    known = np.isnan(values).sum(axis=0) * 2 < len(values)
    ends[:, known] = np.nanquantile(values[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(
        metric=metric,
        value=statistic(np.ones((1, rows)))[0],
        low=ends[0],
        high=ends[1],
        level=level,
        resamples=resamples,
        seed=seed,
        rows=rows,
    )


def deferral_curve_statistic(
    score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike, shares: npt.ArrayLike
) -> CurveStatistic:
    """Prepare the quality at given shares of large calls for many resamples: rows are ranked once.

    Args:
        score: As for `deferral_curve`, (rows,).
        medium: As for `deferral_curve`, (rows,).
        large: As for `deferral_curve`, (rows,).
        shares: Shares of large calls to read the curve at, 0 to 1, (points,).

    Returns:
        A function from counts, (resamples, rows), to qualities, (resamples, points).

    Raises:
        MetricError: As for `deferral_curve`, or a share lies outside 0 to 1.
    """
    ranks, cheap, dear = ranking_columns("deferral curve", score, medium, large)
    wanted = column("deferral curve", "shares", shares)
    if wanted.min() < 0 or wanted.max() > 1:
        raise MetricError("deferral curve", "a share lies outside 0 to 1")
    order, starts = ranked(ranks)
    gain = (dear - cheap)[order]

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        gained = np.cumsum(grouped(drawn * gain, starts), axis=1)
        through = np.cumsum(grouped(drawn, starts), axis=1)
        base = np.asarray(counts @ cheap)
        found = np.empty((len(counts), len(wanted)))
        for at, (taken, won) in enumerate(zip(through, gained, strict=True)):
            rows = taken[-1]
            risen = np.interp(wanted * rows, np.concatenate(([0.0], taken)), np.concatenate(([0.0], won)))
            found[at] = (base[at] + risen) / rows
        return found

    return statistic
