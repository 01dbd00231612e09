"""Statistics made of sums and of one another: quotients, means of groups, paired differences."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from routesdk.metrics._input import column, same_rows
from routesdk.metrics._ranking import over

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic


def ratio_statistic(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, empty: float = float("nan")
) -> Statistic:
    """Prepare a quotient of two sums for many resamples.

    Args:
        numerator: What is added up above the line, (rows,).
        denominator: What is added up below it, 0 or more, (rows,).
        empty: The value where the sum below the line is 0.

    Returns:
        A function from counts, (resamples, rows), to quotients, (resamples,).

    Raises:
        MetricError: A column is empty, holds NaN, or lengths differ.
    """
    above = column("ratio", "numerator", numerator)
    below = column("ratio", "denominator", denominator)
    same_rows("ratio", numerator=above, denominator=below)

    def statistic(counts: Floats) -> Floats:
        summed = np.asarray(counts @ below)
        there = summed > 0
        return np.where(there, over(np.asarray(counts @ above), summed, there), empty)

    return statistic


def group_statistics(values: npt.ArrayLike, groups: Sequence[str]) -> Mapping[str, Statistic]:
    """Prepare the mean of every group of rows, such as a topic or a policy, for many resamples.

    Args:
        values: Any finite numbers, such as qualities, (rows,).
        groups: The group of each row, (rows,).

    Returns:
        Group names, sorted, and for each a function from counts, (resamples, rows), to
        means, (resamples,); NaN where a resample has no row of the group.

    Raises:
        MetricError: The column is empty or holds NaN, or there is not one group for each row.
    """
    numbers = column("group means", "values", values)
    names, codes = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    same_rows("group means", values=numbers, groups=codes)
    return MappingProxyType(
        {name: _mean_of(numbers, np.flatnonzero(codes == code)) for code, name in enumerate(names.tolist())}
    )


def difference_statistic(first: Statistic, second: Statistic) -> Statistic:
    """Prepare the difference of two statistics of the same rows, each pair on one resample.

    Args:
        first: The one in question.
        second: What to compare it with.

    Returns:
        A function from counts, (resamples, rows), to the first minus the second,
        (resamples,); NaN where one of them is.
    """

    def statistic(counts: Floats) -> Floats:
        return first(counts) - second(counts)

    return statistic


def _mean_of(values: Floats, rows: npt.NDArray[np.intp]) -> Statistic:
    own = values[rows]

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, rows]
        size = drawn.sum(axis=1)
        return over(np.asarray(drawn @ own), size, size > 0)

    return statistic
