"""Whether probabilities mean what they say: calibration error, Brier score, and a yardstick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import same_rows, unit_column, whole_number
from routesdk.metrics.intervals import DEFAULT_RESAMPLES, bootstrap_values, centre, mean_statistic, summarise

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Interval, Statistic

DEFAULT_BINS = 15
# Simulated outcomes held at a time: 8 MB.
_BLOCK_VALUES = 1_000_000


@attrs.frozen(kw_only=True)
class PerfectCalibration:
    """What a perfectly calibrated predictor shows on as many rows.

    Attributes:
        value: The percentile of its calibration error, from 0 to 1.
        mean: The mean of its calibration error, from 0 to 1.
        percentile: Which percentile, from 0 to 100.
        bins: Number of equal-mass bins.
        rows: Number of probabilities.
        simulations: How often outcomes were drawn.
        seed: Seed of the random generator.
    """

    value: float
    mean: float
    percentile: float
    bins: int
    rows: int
    simulations: int
    seed: int


def brier_score(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Average the squared distance of probabilities from outcomes.

    Args:
        probability: Predicted probability, 0 to 1, (rows,).
        outcome: 1 where it happened, else 0, or an expected quality, (rows,).

    Returns:
        The score, from 0 (certain and right) to 1 (certain and wrong).

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, or lengths differ.

    Source: Brier, Verification of forecasts expressed in terms of probability (1950).
    """
    predicted, happened = _columns("Brier score", probability, outcome)
    return float(np.mean((predicted - happened) ** 2))


def brier_statistic(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> Statistic:
    """Prepare the Brier score for many resamples.

    Args:
        probability: As for `brier_score`, (rows,).
        outcome: As for `brier_score`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to scores, (resamples,).

    Raises:
        MetricError: As for `brier_score`.
    """
    predicted, happened = _columns("Brier score", probability, outcome)
    return mean_statistic((predicted - happened) ** 2)


def expected_calibration_error(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, *, bins: int = DEFAULT_BINS
) -> float:
    """Average the distance between predicted and observed frequency over equal-mass bins.

    Rows are ordered by probability and cut into bins of exactly equal mass; a row on
    a border counts for both bins in proportion, and rows with one probability are
    alike, so neither the order of the rows nor a number of rows that bins do not
    divide changes the result.

    Args:
        probability: Predicted probability, 0 to 1, (rows,).
        outcome: 1 where it happened, else 0, or an expected quality, (rows,).
        bins: Number of bins; more than the rows are reduced to the rows.

    Returns:
        The error, from 0 to 1. On few rows it is above 0 for a perfect predictor too:
        compare with `perfect_calibration_error`.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, lengths
            differ, or there are no bins.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017,
        arXiv:1706.04599) for the error; Nixon et al., Measuring Calibration in Deep
        Learning (2019, arXiv:1904.01685) for bins of equal mass.
    """
    statistic = calibration_statistic(probability, outcome, bins=bins)
    return float(statistic(np.ones((1, len(np.asarray(probability)))))[0])


def calibration_statistic(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, *, bins: int = DEFAULT_BINS
) -> Statistic:
    """Prepare the expected calibration error for many resamples: rows are ordered once.

    Args:
        probability: As for `expected_calibration_error`, (rows,).
        outcome: As for `expected_calibration_error`, (rows,).
        bins: As for `expected_calibration_error`.

    Returns:
        A function from how often each row was drawn, (resamples, rows), to the
        error, (resamples,).

    Raises:
        MetricError: As for `expected_calibration_error`.
    """
    predicted, happened = _columns("expected calibration error", probability, outcome)
    used = _usable_bins(bins, len(predicted))
    order, starts = _ordered(predicted)
    excess = (predicted - happened)[order]

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        return _binned_error(
            np.add.reduceat(drawn, starts, axis=1), np.add.reduceat(drawn * excess, starts, axis=1), used
        )

    return statistic


def perfect_calibration_error(
    probability: npt.ArrayLike,
    *,
    percentile: float = 95.0,
    bins: int = DEFAULT_BINS,
    simulations: int = 2000,
    seed: int = 0,
) -> PerfectCalibration:
    """Simulate the calibration error of a predictor that is right about its probabilities.

    Outcomes are drawn with the given probabilities, so what remains is the error that
    the number of rows alone brings about.

    Args:
        probability: Predicted probability, 0 to 1, (rows,).
        percentile: Which percentile to return, 0 to 100.
        bins: As for `expected_calibration_error`.
        simulations: How often to draw outcomes.
        seed: Seed of the random generator.

    Returns:
        The percentile, and how it came about.

    Raises:
        MetricError: The column is empty, holds NaN, lies outside 0 to 1; or the
            percentile, bins or simulations are out of range.

    Source: Vaicenavicius et al., Evaluating model calibration in classification (2019,
        arXiv:1902.06977), consistency resampling.
    """
    metric = "perfect calibration"
    predicted = unit_column(metric, "probability", probability)
    if not 0 <= percentile <= 100:
        raise MetricError(metric, f"a percentile of {percentile:g} lies outside 0 to 100")
    whole_number(metric, "simulations", simulations)
    used = _usable_bins(bins, len(predicted))
    order, starts = _ordered(predicted)
    ordered = predicted[order]
    mass = np.add.reduceat(np.ones((1, len(ordered))), starts, axis=1)
    generator = np.random.default_rng(seed)
    errors = np.empty(simulations)
    step = max(1, _BLOCK_VALUES // len(ordered))
    for low in range(0, simulations, step):
        draws = generator.random((min(step, simulations - low), len(ordered)))
        excess = np.add.reduceat(ordered - (draws < ordered), starts, axis=1)
        errors[low : low + step] = _binned_error(np.broadcast_to(mass, excess.shape), excess, used)
    return PerfectCalibration(
        value=float(np.percentile(errors, percentile)),
        mean=float(errors.mean()),
        percentile=float(percentile),
        bins=used,
        rows=len(ordered),
        simulations=simulations,
        seed=seed,
    )


def calibration_interval(
    probability: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    bins: int = DEFAULT_BINS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound the expected calibration error.

    The bootstrap adds its own noise to the error, which cannot fall below 0, so that
    resamples lie too high. The interval is therefore centred on the value: what they are
    off by on average is taken from both ends. The value itself is above 0 for a perfect
    predictor too; `perfect_calibration_error` is the yardstick for that.

    Args:
        probability: Predicted probability, 0 to 1, (rows,).
        outcome: 1 where it happened, else 0, or an expected quality, (rows,).
        bins: Number of equal-mass bins.
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Returns:
        The error and its interval, centred on the value, within 0 to 1.

    Raises:
        MetricError: As for `expected_calibration_error`.
    """
    statistic = calibration_statistic(probability, outcome, bins=bins)
    rows = len(np.asarray(probability))
    metric = "expected calibration error"
    if rows < 1:
        raise MetricError(metric, "there are no rows")
    value = float(statistic(np.ones((1, rows)))[0])
    values = bootstrap_values(statistic, rows, resamples=resamples, seed=seed)
    found = summarise(metric, value, values, rows=rows, seed=seed, level=level)
    return centre(found, values, least=0.0, most=1.0)


def _columns(metric: str, probability: npt.ArrayLike, outcome: npt.ArrayLike) -> tuple[Floats, Floats]:
    predicted = unit_column(metric, "probability", probability)
    happened = unit_column(metric, "outcome", outcome)
    same_rows(metric, probability=predicted, outcome=happened)
    return predicted, happened


def _usable_bins(bins: int, rows: int) -> int:
    return min(whole_number("expected calibration error", "bins", bins), rows)


def _ordered(probability: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    order = np.argsort(probability, kind="stable")
    ranked = probability[order]
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    return order.astype(np.int64), starts.astype(np.int64)


def _binned_error(mass: Floats, excess: Floats, bins: int) -> Floats:
    """Sum, over bins of equal mass, the absolute excess of prediction over outcome.

    Args:
        mass: Rows at each distinct probability, (resamples, distinct).
        excess: Sum of probability minus outcome there, (resamples, distinct).
        bins: Number of bins.

    Returns:
        The error of each resample, (resamples,).
    """
    through = np.cumsum(mass, axis=1)
    summed = np.cumsum(excess, axis=1)
    errors = np.empty(len(mass))
    for row, (masses, sums) in enumerate(zip(through, summed, strict=True)):
        # The running excess is linear within one probability, so bin borders may cut through it.
        borders = np.linspace(0.0, masses[-1], bins + 1)
        running = np.interp(borders, np.concatenate(([0.0], masses)), np.concatenate(([0.0], sums)))
        errors[row] = np.abs(np.diff(running)).sum() / masses[-1]
    return errors
