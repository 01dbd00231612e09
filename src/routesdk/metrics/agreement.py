"""How far two raters agree: share, Cohen's kappa and the table behind them, with intervals.

Where all rows agree or none does, every resample is the same, and the bootstrap would claim
to be certain. Wilson's score interval over the groups takes its place.

Answers to one question are not independent: what is hard to judge about it is hard for all
of them. Intervals therefore draw whole groups of rows anew, such as the questions.

Source: Cohen, A Coefficient of Agreement for Nominal Scales, Educational and Psychological
Measurement 20 (1960), 37-46, for kappa; Davison and Hinkley, Bootstrap Methods and their
Application (1997), section 3.8, for drawing groups; Wilson, Probable Inference, the Law of
Succession, and Statistical Inference, JASA 22 (1927), 209-212.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics.intervals import DEFAULT_RESAMPLES, Interval, Statistic, bootstrap_interval, wilson

if TYPE_CHECKING:
    from routesdk.metrics._input import Floats


_KAPPA = "Cohen's kappa"


@attrs.frozen
class Confusion:
    """How often each pair of categories was given.

    Attributes:
        categories: The categories, in the order of rows and columns.
        table: A row for each category of the first rater, a column for each of the second.
    """

    categories: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]


def confusion(first: Sequence[str], second: Sequence[str], categories: Sequence[str] = ()) -> Confusion:
    """Count the pairs of categories that two raters gave to the same rows.

    Args:
        first: The first rater's category of each row, (rows,).
        second: The second rater's, (rows,).
        categories: The categories to list, in order, beside any others that occur.

    Raises:
        MetricError: There are no rows, or not as many of one as of the other.
    """
    names, codes = _coded("confusion table", first, second, categories)
    size = len(names)
    table = np.bincount(codes, minlength=size * size).reshape(size, size)
    return Confusion(names, tuple(tuple(row) for row in table.tolist()))


def agreement(first: Sequence[str], second: Sequence[str]) -> float:
    """Return the share of rows to which two raters gave the same category, from 0 to 1.

    Raises:
        MetricError: There are no rows, or not as many of one as of the other.
    """
    names, codes = _coded("agreement", first, second)
    return float(_share(_tables(codes, np.zeros(len(codes), dtype=np.intp), len(names)))[0])


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return how far two raters agree beyond what their habits alone would bring.

    1 is full agreement, 0 what independent raters with the same shares of
    categories would reach, and less is possible. Any number of categories.

    Args:
        first: The first rater's category of each row, (rows,).
        second: The second rater's, (rows,).

    Raises:
        MetricError: There are no rows, not as many of one as of the other, or both raters
            gave one and the same category to all of them.
    """
    names, codes = _coded(_KAPPA, first, second)
    value = float(_kappa(_tables(codes, np.zeros(len(codes), dtype=np.intp), len(names)))[0])
    if np.isnan(value):
        raise MetricError(_KAPPA, f"both raters gave {names[0]!r} to every row")
    return value


def agreement_interval(
    first: Sequence[str],
    second: Sequence[str],
    groups: Sequence[Hashable],
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound the share of rows that two raters agree on; whole groups are drawn anew.

    Args:
        first: The first rater's category of each row, (rows,).
        second: The second rater's, (rows,).
        groups: The group of each row, such as its question, (rows,).
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Raises:
        MetricError: There are no rows, or the columns differ in length, or an argument is out of range.
    """
    return _bounded("agreement", _share, (first, second), groups, resamples=resamples, seed=seed, level=level)


def kappa_interval(
    first: Sequence[str],
    second: Sequence[str],
    groups: Sequence[Hashable],
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound Cohen's kappa; whole groups are drawn anew.

    Args:
        first: The first rater's category of each row, (rows,).
        second: The second rater's, (rows,).
        groups: The group of each row, such as its question, (rows,).
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Raises:
        MetricError: As for `cohens_kappa`; or kappa is undefined on half of the resamples or
            more; or an argument is out of range.
    """
    return _bounded(_KAPPA, _kappa, (first, second), groups, resamples=resamples, seed=seed, level=level)


def _bounded(
    metric: str,
    measure: Statistic,
    raters: tuple[Sequence[str], Sequence[str]],
    groups: Sequence[Hashable],
    *,
    resamples: int,
    seed: int,
    level: float,
) -> Interval:
    names, codes = _coded(metric, *raters)
    if len(groups) != len(codes):
        raise MetricError(metric, f"there are {len(codes)} rows and {len(groups)} groups")
    numbers: dict[Hashable, int] = {}
    group_codes = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.intp)
    tables = _tables(codes, group_codes, len(names))

    def statistic(counts: Floats) -> Floats:
        return measure(counts @ tables)

    interval = bootstrap_interval(
        metric, statistic, len(numbers), resamples=resamples, seed=seed, level=level
    )
    if interval.low == interval.high:
        whole = tables.sum(axis=0, keepdims=True)
        low, high = wilson(float(_share(whole)[0]), len(numbers), level)
        if metric == _KAPPA:
            # Every resample agrees fully: what chance brings stays, and the share is what may be less.
            expected = _expected(whole)
            low, high = (low - expected) / (1 - expected), interval.high
        interval = attrs.evolve(interval, low=min(low, interval.low), high=max(high, interval.high))
    return attrs.evolve(interval, rows=len(codes))


def _coded(
    metric: str, first: Sequence[str], second: Sequence[str], categories: Sequence[str] = ()
) -> tuple[tuple[str, ...], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Number the categories, and each row by its pair of them."""
    if len(first) != len(second):
        raise MetricError(metric, f"the raters graded {len(first)} and {len(second)} rows")
    if not first:
        raise MetricError(metric, "there are no rows")
    names = tuple(dict.fromkeys((*categories, *sorted({*first, *second}))))
    number = {name: code for code, name in enumerate(names)}
    size = len(names)
    pairs = zip(first, second, strict=True)
    return names, np.array([number[left] * size + number[right] for left, right in pairs], dtype=np.intp)


def _tables(
    codes: np.ndarray[tuple[int], np.dtype[np.intp]],
    groups: np.ndarray[tuple[int], np.dtype[np.intp]],
    size: int,
) -> Floats:
    """Count the pairs within each group: (groups, size * size)."""
    cells = size * size
    rows = int(groups.max()) + 1
    counted = np.bincount(groups * cells + codes, minlength=rows * cells)
    return counted.reshape(rows, cells).astype(np.float64)


def _share(tables: Floats) -> Floats:
    size = round(tables.shape[1] ** 0.5)
    return np.asarray(tables[:, :: size + 1].sum(axis=1) / tables.sum(axis=1), dtype=np.float64)


def _expected(tables: Floats) -> float:
    size = round(tables.shape[1] ** 0.5)
    shares = (tables[0] / tables[0].sum()).reshape(size, size)
    return float((shares.sum(axis=1) * shares.sum(axis=0)).sum())


def _kappa(tables: Floats) -> Floats:
    size = round(tables.shape[1] ** 0.5)
    shares = (tables / tables.sum(axis=1, keepdims=True)).reshape(-1, size, size)
    observed = np.trace(shares, axis1=1, axis2=2)
    expected = (shares.sum(axis=2) * shares.sum(axis=1)).sum(axis=1)
    # Exactly one only where both gave one category alone; rounding must not make a number of it.
    single = (tables.reshape(-1, size, size).sum(axis=2) > 0).sum(axis=1) == 1
    same = single & (observed == 1.0)
    apart = np.where(same, 1.0, 1.0 - expected)
    return np.asarray(np.where(same, np.nan, (observed - expected) / apart), dtype=np.float64)
