"""Bootstrap intervals, and paired differences on the same resamples.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13, for
the percentile interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._draws import draws
from routesdk.metrics._input import Floats, column, whole_number

if TYPE_CHECKING:
    import numpy.typing as npt

Statistic: TypeAlias = Callable[[Floats], Floats]
"""From how often each row was drawn, (resamples, rows), to a value each, (resamples,)."""

DEFAULT_RESAMPLES = 2000


@attrs.frozen(kw_only=True)
class Interval:
    """A metric with its bootstrap interval.

    Attributes:
        metric: What was measured.
        value: The metric on the rows as they are.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: Probability that the interval is meant to cover, such as 0.95.
        resamples: How often the rows were drawn anew.
        undefined: Resamples on which the metric is not defined (for APGR: the large
            model was no better); they are left out of the interval, so a number above
            a few makes it too narrow.
        seed: Seed of the random generator.
        rows: Number of rows.
    """

    metric: str
    value: float
    low: float
    high: float
    level: float
    resamples: int
    undefined: int
    seed: int
    rows: int


def mean_statistic(values: npt.ArrayLike) -> Statistic:
    """Prepare a mean for many resamples.

    Args:
        values: Any finite numbers, such as qualities, or costs in US dollars, (rows,).

    Returns:
        A function from counts, (resamples, rows), to means, (resamples,).

    Raises:
        MetricError: The column is empty or holds NaN.
    """
    numbers = column("mean", "values", values)

    def statistic(counts: Floats) -> Floats:
        return np.asarray(counts @ numbers / counts.sum(axis=1), dtype=np.float64)

    return statistic


def bootstrap_values(
    statistic: Statistic, rows: int, *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> Floats:
    """Evaluate a statistic on rows drawn with replacement.

    Two statistics of the same rows see the same resamples where the seed is the same.
    To average over independent data sets, average their values, each with its own seed.

    Args:
        statistic: What to measure; NaN where it is not defined.
        rows: Number of rows.
        resamples: How often to draw.
        seed: Seed of the random generator.

    Returns:
        One value for each resample, (resamples,).

    Raises:
        MetricError: Rows or resamples are no whole number of 1 or more.
    """
    (values,) = bootstrap_many((statistic,), rows, resamples=resamples, seed=seed)
    return np.asarray(values, dtype=np.float64)


def bootstrap_many(
    statistics: Sequence[Statistic], rows: int, *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> Floats:
    """Evaluate many statistics on the same rows drawn with replacement, drawing once.

    Each has the values that `bootstrap_values` would give it with the same seed.

    Args:
        statistics: What to measure; NaN where one is not defined.
        rows: Number of rows.
        resamples: How often to draw.
        seed: Seed of the random generator.

    Returns:
        One value for each statistic and resample, (statistics, resamples).

    Raises:
        MetricError: Rows or resamples are no whole number of 1 or more.
    """
    values = np.empty((len(statistics), whole_number("bootstrap", "resamples", resamples)))
    for part, counts in draws(rows, resamples, seed):
        for place, statistic in enumerate(statistics):
            values[place, part] = statistic(counts)
    return values


def bootstrap_interval(
    metric: str,
    statistic: Statistic,
    rows: int,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound a statistic with a percentile bootstrap interval.

    Args:
        metric: Its name, for the record and for errors.
        statistic: What to measure; NaN where it is not defined.
        rows: Number of rows.
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover, between 0 and 1.

    Returns:
        The value on the rows as they are, and the interval.

    Raises:
        MetricError: The statistic is not defined on the rows, or on half of the
            resamples or more; or an argument is out of range.
    """
    if rows < 1:
        raise MetricError(metric, "there are no rows")
    value = float(statistic(np.ones((1, rows)))[0])
    return summarise(
        metric,
        value,
        bootstrap_values(statistic, rows, resamples=resamples, seed=seed),
        rows=rows,
        seed=seed,
        level=level,
    )


def summarise(
    metric: str, value: float, values: Floats, *, rows: int, seed: int, level: float = 0.95
) -> Interval:
    """Turn bootstrap values into an interval, for averages over several data sets too.

    Args:
        metric: Its name, for the record and for errors.
        value: The metric on the rows as they are.
        values: The metric on each resample, (resamples,); NaN where it is not defined.
        rows: Number of rows.
        seed: The seed that the resamples were drawn with.
        level: Probability to cover, between 0 and 1.

    Returns:
        The value, the interval, and how it came about.

    Raises:
        MetricError: The value is NaN, or half of the values or more are; or the level
            is out of range.
    """
    if not 0 < level < 1:
        raise MetricError(metric, f"a level of {level:g} does not lie between 0 and 1")
    undefined = int(np.isnan(values).sum())
    if np.isnan(value):
        raise MetricError(metric, f"it has no value on these {rows} rows")
    if 2 * undefined >= len(values):
        raise MetricError(metric, f"it has no value on {undefined} of {len(values)} resamples: too few rows")
    defined = values[~np.isnan(values)]
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(
        metric=metric,
        value=value,
        low=low,
        high=high,
        level=level,
        resamples=len(values),
        undefined=undefined,
        seed=seed,
        rows=rows,
    )


def centre(interval: Interval, values: Floats, *, least: float, most: float) -> Interval:
    """Centre an interval on its value: take from both ends what the resamples are off by on average.

    A statistic that noise can only raise is higher on resamples, which are noisier than
    the rows, so that its percentile interval may not even hold its value.

    Args:
        interval: The interval of `values`, as `summarise` makes it.
        values: The metric on each resample, (resamples,); NaN where it is not defined.
        least: The lowest that the metric can be.
        most: The highest.

    Returns:
        The interval without that bias; it lies within the limits and holds the value.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 10, for
        the bootstrap estimate of bias.
    """
    bias = float(np.nanmean(values)) - interval.value
    low, high = interval.low - bias, interval.high - bias
    return attrs.evolve(
        interval,
        low=min(max(low, least), interval.value),
        high=max(min(high, most), interval.value),
    )


def wilson(share: float, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Bound a share with Wilson's score interval, which has a width at 0 and 1, too.

    Args:
        share: The share that was observed, from 0 to 1.
        rows: Of how many independent rows.
        level: Probability to cover, between 0 and 1.

    Returns:
        The lower and the upper end, from 0 to 1.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    weight = z * z / rows
    centre = (share + weight / 2) / (1 + weight)
    reach = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    # At the ends the sums are exact but for rounding.
    low = 0.0 if share == 0.0 else max(0.0, centre - reach)
    return low, 1.0 if share == 1.0 else min(1.0, centre + reach)


def mean_interval(
    values: npt.ArrayLike, *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95
) -> Interval:
    """Bound a mean, such as accuracy or cost per query.

    Args:
        values: Any finite numbers, (rows,). For a paired difference of means, give the
            differences.
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Returns:
        The mean and its interval, in the unit of the values.

    Raises:
        MetricError: The column is empty or holds NaN, or an argument is out of range.
    """
    statistic = mean_statistic(values)
    rows = len(np.asarray(values))
    return bootstrap_interval("mean", statistic, rows, resamples=resamples, seed=seed, level=level)
