"""Predicted against observed frequency, bin by bin: the reliability diagram.

Source: DeGroot and Fienberg, The Comparison and Evaluation of Forecasters, The Statistician 32
(1983), 12-22; Niculescu-Mizil and Caruana, Predicting Good Probabilities with Supervised
Learning (ICML 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.metrics._input import same_rows, unit_column, whole_number
from routesdk.metrics._ranking import over
from routesdk.metrics.band import bootstrap_band
from routesdk.metrics.intervals import DEFAULT_RESAMPLES

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.band import Band, CurveStatistic

DEFAULT_RELIABILITY_BINS = 10
_METRIC = "reliability curve"


@attrs.frozen(kw_only=True)
class Reliability:
    """What was predicted and what happened, in bins of equal mass.

    Attributes:
        predicted: Mean probability in each bin, (bins,), rising.
        observed: Mean outcome in each bin, (bins,).
        mass: Rows in each bin, (bins,); a row on a border counts for both in proportion.
    """

    predicted: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    observed: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    mass: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))

    def error(self) -> float:
        """Average the distance of both over the mass: the expected calibration error of these bins."""
        return float(np.abs(self.predicted - self.observed) @ self.mass / self.mass.sum())


def reliability_curve(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, *, bins: int = DEFAULT_RELIABILITY_BINS
) -> Reliability:
    """Compare predicted with observed frequency in bins of equal mass.

    The bins are those of `expected_calibration_error`, whatever the order of rows.

    Args:
        probability: Predicted probability, 0 to 1, (rows,).
        outcome: 1 where it happened, else 0, or an expected quality, (rows,).
        bins: Number of bins; more than the rows are reduced to the rows.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, lengths differ, or
            there are no bins.
    """
    predicted, happened, weight = _weights(probability, outcome, bins)
    mass = weight.sum(axis=0)
    return Reliability(predicted=predicted @ weight / mass, observed=happened @ weight / mass, mass=mass)


def reliability_statistic(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, *, bins: int = DEFAULT_RELIABILITY_BINS
) -> CurveStatistic:
    """Prepare the observed frequency of each bin for many resamples; bins stay those of the rows.

    Args:
        probability: As for `reliability_curve`, (rows,).
        outcome: As for `reliability_curve`, (rows,).
        bins: As for `reliability_curve`.

    Returns:
        A function from counts, (resamples, rows), to observed frequencies, (resamples, bins);
        NaN where a resample has no row in a bin.

    Raises:
        MetricError: As for `reliability_curve`.
    """
    _, happened, weight = _weights(probability, outcome, bins)
    hits = weight * happened[:, None]

    def statistic(counts: Floats) -> Floats:
        mass = np.asarray(counts @ weight)
        return over(np.asarray(counts @ hits), mass, mass > 0)

    return statistic


def reliability_band(
    probability: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    bins: int = DEFAULT_RELIABILITY_BINS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Band:
    """Bound the observed frequency of each bin.

    Args:
        probability: As for `reliability_curve`, (rows,).
        outcome: As for `reliability_curve`, (rows,).
        bins: As for `reliability_curve`.
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Raises:
        MetricError: As for `reliability_curve` and `bootstrap_band`.
    """
    statistic = reliability_statistic(probability, outcome, bins=bins)
    rows = len(np.asarray(probability))
    return bootstrap_band(_METRIC, statistic, rows, resamples=resamples, seed=seed, level=level)


def _weights(probability: npt.ArrayLike, outcome: npt.ArrayLike, bins: int) -> tuple[Floats, Floats, Floats]:
    """Say how far each row belongs to each bin, (rows, bins); rows with one probability are alike."""
    predicted = unit_column(_METRIC, "probability", probability)
    happened = unit_column(_METRIC, "outcome", outcome)
    same_rows(_METRIC, probability=predicted, outcome=happened)
    used = min(whole_number(_METRIC, "bins", bins), len(predicted))
    _, codes, sizes = np.unique(predicted, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    borders = np.linspace(0.0, len(predicted), used + 1)
    low = np.maximum((ends - sizes)[:, None], borders[:-1])
    high = np.minimum(ends[:, None], borders[1:])
    share = np.maximum(high - low, 0.0) / sizes[:, None]
    return predicted, happened, share[codes]
