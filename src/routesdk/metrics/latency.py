"""How long decisions take: percentiles, with a form for resamples.

Source: Hyndman and Fan, Sample Quantiles in Statistical Packages, The American Statistician 50
(1996), 361-365, definition 7, which numpy takes, too.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

PERCENTILES = (50.0, 90.0, 95.0, 99.0)


def percentiles(values: npt.ArrayLike, wanted: Sequence[float] = PERCENTILES) -> Mapping[float, float]:
    """Read percentiles, such as those of latency in seconds.

    Args:
        values: Any finite numbers, (rows,).
        wanted: Which percentiles, 0 to 100.

    Returns:
        Each percentile that is wanted, and its value in the unit of the values.

    Raises:
        MetricError: The column is empty or holds NaN, or a percentile lies outside 0 to 100.
    """
    numbers = column("percentiles", "values", values)
    for each in wanted:
        _check(each)
    return MappingProxyType(dict(zip(wanted, np.percentile(numbers, list(wanted)).tolist(), strict=True)))


def percentile_statistic(values: npt.ArrayLike, wanted: float) -> Statistic:
    """Prepare one percentile for many resamples: rows are ordered once.

    Args:
        values: As for `percentiles`, (rows,).
        wanted: Which percentile, 0 to 100.

    Returns:
        A function from counts, (resamples, rows), to the percentile, (resamples,).

    Raises:
        MetricError: As for `percentiles`.
    """
    numbers = column("percentiles", "values", values)
    _check(wanted)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]

    def statistic(counts: Floats) -> Floats:
        through = np.cumsum(counts[:, order], axis=1)
        place = (through[:, -1] - 1) * wanted / 100
        below = np.floor(place)
        low = ordered[(through > below[:, None]).argmax(axis=1)]
        high = ordered[(through > np.ceil(place)[:, None]).argmax(axis=1)]
        return np.asarray(low + (place - below) * (high - low), dtype=np.float64)

    return statistic


def _check(wanted: float) -> None:
    if not 0 <= wanted <= 100:
        raise MetricError("percentiles", f"a percentile of {wanted:g} lies outside 0 to 100")
