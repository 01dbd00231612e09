"""What a ranking of queries buys: deferral curve, recovered gap (PGR) and its average (APGR).

Source: Ong et al., RouteLLM: Learning to Route LLMs with Preference Data
(arXiv:2406.18665), section 2.2, for PGR and APGR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import SMALLEST_GAP, column, same_rows, unit_column
from routesdk.metrics.accuracy import routed_quality
from routesdk.metrics.intervals import DEFAULT_RESAMPLES, bootstrap_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Interval, Statistic


@attrs.frozen(kw_only=True)
class DeferralCurve:
    """Mean quality against the share of queries that go to the large model.

    Attributes:
        share_large: Share of large calls, (points,), from 0 to 1, rising.
        quality: Mean quality at that share, (points,), from 0 to 1.
    """

    share_large: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    quality: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))

    def at(self, share_large: float) -> float:
        """Read the expected quality at a share of large calls.

        Args:
            share_large: From 0 to 1; between two points a tie is broken at random.

        Returns:
            Mean quality, from 0 to 1.

        Raises:
            MetricError: The share lies outside 0 to 1.
        """
        if not 0 <= share_large <= 1:
            raise MetricError("deferral curve", f"a share of {share_large:g} lies outside 0 to 1")
        return float(np.interp(share_large, self.share_large, self.quality))

    def area(self) -> float:
        """Integrate the quality over all shares of large calls.

        Returns:
            The area under the curve, from 0 to 1: the mean quality of a router whose
            share of large calls is drawn at random.
        """
        # numpy.trapezoid came with numpy 2, and 1.26 is supported.
        heights = (self.quality[1:] + self.quality[:-1]) / 2
        return float(heights @ np.diff(self.share_large))


def deferral_curve(score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> DeferralCurve:
    """Trace the quality while queries move to the large model, highest score first.

    Args:
        score: Expected gain of calling the large model, or anything that ranks like
            it, (rows,). Queries with one score move together, along a straight line:
            the mean over all their orders.
        medium: Quality of the medium model's answers, 0 to 1, (rows,).
        large: Quality of the large model's answers, 0 to 1, (rows,).

    Returns:
        A point for no query, and one for each distinct score.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, or lengths differ.

    Source: Jitkrittum et al., When Does Confidence-Based Cascade Deferral Suffice?
        (arXiv:2307.02764).
    """
    ranks, cheap, dear = _columns("deferral curve", score, medium, large)
    order, starts = _ranked(ranks)
    sizes = np.diff([*starts, len(order)])
    gained = np.cumsum(np.add.reduceat((dear - cheap)[order], starts))
    return DeferralCurve(
        share_large=np.concatenate(([0.0], np.cumsum(sizes) / len(order))),
        quality=cheap.mean() + np.concatenate(([0.0], gained / len(order))),
    )


def pgr(large_called: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> float:
    """Measure the share of the gap between the models that a routing recovers.

    Args:
        large_called: Whether the large model was called, (rows,), booleans.
        medium: Quality of the medium model's answers, 0 to 1, (rows,).
        large: Quality of the large model's answers, 0 to 1, (rows,).

    Returns:
        0 for the quality of always medium, 1 for that of always large; above 1 where
        the routing beats both.

    Raises:
        MetricError: As for `routed_quality`; or the large model is no better on these rows.

    Source: RouteLLM (arXiv:2406.18665), performance gap recovered.
    """
    routed = routed_quality(large_called, medium, large)
    cheap, dear = np.asarray(medium, dtype=np.float64), np.asarray(large, dtype=np.float64)
    return float((routed - cheap).sum() / _gap("PGR", cheap, dear))


def apgr(score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> float:
    """Average the recovered gap over all shares of large calls.

    The area under quality against share of large calls, ranked by score, on a scale
    where always medium is 0 and always large is 1. Random ranking has 0.5 on average;
    equal scores count as the mean over all their orders, so that a constant score
    has exactly 0.5. RouteLLM averages over ten thresholds; this is the limit of many.

    Args:
        score: Expected gain of calling the large model, or anything that ranks like
            it, (rows,); only exactly equal scores are tied.
        medium: Quality of the medium model's answers, 0 to 1, (rows,).
        large: Quality of the large model's answers, 0 to 1, (rows,).

    Returns:
        The average; above 1 is possible where the ranking beats always large.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, lengths
            differ, or the large model is no better on these rows.

    Source: RouteLLM (arXiv:2406.18665), average performance gap recovered.
    """
    ranks, cheap, dear = _columns("APGR", score, medium, large)
    _gap("APGR", cheap, dear)
    return float(apgr_statistic(ranks, cheap, dear)(np.ones((1, len(ranks))))[0])


def apgr_statistic(score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> Statistic:
    """Prepare APGR for many resamples: rows are ranked once.

    Args:
        score: As for `apgr`, (rows,).
        medium: As for `apgr`, (rows,).
        large: As for `apgr`, (rows,).

    Returns:
        A function from how often each row was drawn, (resamples, rows), to APGR,
        (resamples,); NaN where the large model is no better on a resample.

    Raises:
        MetricError: As for `deferral_curve`.
    """
    ranks, cheap, dear = _columns("APGR", score, medium, large)
    order, starts = _ranked(ranks)
    gain = (dear - cheap)[order]
    tied = len(starts) < len(order)

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        gained = drawn * gain
        if tied:
            drawn = np.add.reduceat(drawn, starts, axis=1)
            gained = np.add.reduceat(gained, starts, axis=1)
        through = np.cumsum(drawn, axis=1)
        rows = through[:, -1]
        gap = gained.sum(axis=1)
        # A query moved at share s is answered by the large model over the remaining 1 - s.
        remaining = rows[:, None] - through + drawn / 2
        area = np.einsum("rb,rb->r", gained, remaining) / rows
        defined = gap > SMALLEST_GAP * rows
        return np.asarray(np.where(defined, area / np.where(defined, gap, 1.0), np.nan), dtype=np.float64)

    return statistic


def apgr_interval(
    score: npt.ArrayLike,
    medium: npt.ArrayLike,
    large: npt.ArrayLike,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound APGR.

    Args:
        score: As for `apgr`, (rows,).
        medium: Quality of the medium model's answers, 0 to 1, (rows,).
        large: Quality of the large model's answers, 0 to 1, (rows,).
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Returns:
        APGR and its interval; `undefined` counts the resamples without a gap.

    Raises:
        MetricError: As for `apgr`, or half of the resamples have no gap.
    """
    apgr(score, medium, large)  # says why, where there is no gap to recover
    statistic = apgr_statistic(score, medium, large)
    rows = len(np.asarray(medium))
    return bootstrap_interval("APGR", statistic, rows, resamples=resamples, seed=seed, level=level)


def apgr_difference(
    score: npt.ArrayLike,
    baseline: npt.ArrayLike,
    medium: npt.ArrayLike,
    large: npt.ArrayLike,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bound the difference in APGR between two rankings of the same rows.

    Args:
        score: The ranking in question, (rows,).
        baseline: The ranking to compare it with, (rows,).
        medium: Quality of the medium model's answers, 0 to 1, (rows,).
        large: Quality of the large model's answers, 0 to 1, (rows,).
        resamples: How often to draw.
        seed: Seed of the random generator.
        level: Probability to cover.

    Returns:
        APGR of `score` minus APGR of `baseline`, each pair on one resample.

    Raises:
        MetricError: As for `apgr_interval`.
    """
    apgr(score, medium, large)
    ours, theirs = apgr_statistic(score, medium, large), apgr_statistic(baseline, medium, large)

    def statistic(counts: Floats) -> Floats:
        return ours(counts) - theirs(counts)

    rows = len(np.asarray(medium))
    return bootstrap_interval(
        "difference in APGR", statistic, rows, resamples=resamples, seed=seed, level=level
    )


def _columns(
    metric: str, score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    ranks = column(metric, "score", score)
    cheap = unit_column(metric, "medium", medium)
    dear = unit_column(metric, "large", large)
    same_rows(metric, score=ranks, medium=cheap, large=dear)
    return ranks, cheap, dear


def _ranked(score: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Order rows by falling score, and say where each distinct score begins."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    return order.astype(np.int64), starts.astype(np.int64)


def _gap(metric: str, medium: Floats, large: Floats) -> float:
    gap = float((large - medium).sum())
    if gap <= SMALLEST_GAP * len(medium):
        raise MetricError(
            metric,
            f"the large model (mean quality {large.mean():.4f}) is no better than the medium one "
            f"({medium.mean():.4f}) on these {len(medium)} rows, so there is no gap to recover",
        )
    return gap
