"""What a ranking of queries buys: recovered gap (PGR), its average (APGR), and what it costs (CPT).

Source: Ong et al., RouteLLM: Learning to Route LLMs with Preference Data
(arXiv:2406.18665), section 2.2, for PGR, APGR and CPT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.metrics._input import SMALLEST_GAP, same_rows, unit_column
from routesdk.metrics._ranking import grouped, moved_area, over, quality_gap, ranked, ranking_columns
from routesdk.metrics.accuracy import routed_quality
from routesdk.metrics.deferral import check_recovered, deferral_curve
from routesdk.metrics.intervals import DEFAULT_RESAMPLES, bootstrap_interval
from routesdk.metrics.ratio import difference_statistic

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Interval, Statistic


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
    return float((routed - cheap).sum() / quality_gap("PGR", cheap, dear))


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
    ranks, cheap, dear = ranking_columns("APGR", score, medium, large)
    quality_gap("APGR", cheap, dear)
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
    ranks, cheap, dear = ranking_columns("APGR", score, medium, large)
    order, starts = ranked(ranks)
    gain = (dear - cheap)[order]

    def statistic(counts: Floats) -> Floats:
        area, gap, rows = moved_area(counts[:, order], gain, starts)
        return over(area, gap, gap > SMALLEST_GAP * rows)

    return statistic


def cpt(score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike, recovered: float = 0.5) -> float:
    """Find the smallest share of large calls that recovers so much of the gap between the models.

    Args:
        score: As for `apgr`, (rows,).
        medium: As for `apgr`, (rows,).
        large: As for `apgr`, (rows,).
        recovered: The share of the gap to recover, from 0 to 1: CPT(50 %) has 0.5.

    Returns:
        The share of large calls, from 0 to 1, where the deferral curve first gets there;
        lower is better. Random ranking has `recovered` on average. RouteLLM's own
        evaluation reads it off ten thresholds, and is undefined where the curve falls
        in between: `quantile_curve(...).share_for(...)` is that form.

    Raises:
        MetricError: As for `apgr`, or `recovered` lies outside 0 to 1.

    Source: RouteLLM (arXiv:2406.18665), call-performance threshold.
    """
    ranks, cheap, dear = ranking_columns("CPT", score, medium, large)
    check_recovered("CPT", recovered)
    quality_gap("CPT", cheap, dear)
    return deferral_curve(ranks, cheap, dear).share_for(recovered)


def cpt_statistic(
    score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike, recovered: float = 0.5
) -> Statistic:
    """Prepare CPT for many resamples: rows are ranked once.

    Args:
        score: As for `apgr`, (rows,).
        medium: As for `apgr`, (rows,).
        large: As for `apgr`, (rows,).
        recovered: As for `cpt`.

    Returns:
        A function from counts, (resamples, rows), to shares of large calls, (resamples,);
        NaN where the large model is no better on a resample.

    Raises:
        MetricError: As for `deferral_curve`, or `recovered` lies outside 0 to 1.
    """
    ranks, cheap, dear = ranking_columns("CPT", score, medium, large)
    check_recovered("CPT", recovered)
    order, starts = ranked(ranks)
    gain = (dear - cheap)[order]

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        gained = np.cumsum(grouped(drawn * gain, starts), axis=1)
        through = np.cumsum(grouped(drawn, starts), axis=1)
        each = np.arange(len(counts))
        rows, gap = through[:, -1], gained[:, -1]
        wanted = recovered * gap
        # A point that is there but for a rounding counts, and the last one does in any case.
        reached = gained >= (wanted - SMALLEST_GAP * rows)[:, None]
        reached[:, -1] = True
        at = reached.argmax(axis=1)
        before = np.maximum(at - 1, 0)
        low = np.where(at > 0, gained[each, before], 0.0)
        left = np.where(at > 0, through[each, before], 0.0)
        rise = gained[each, at] - low
        part = np.minimum(np.divide(wanted - low, rise, out=np.zeros_like(rise), where=rise > 0), 1.0)
        share = (left + part * (through[each, at] - left)) / rows
        return np.where(gap > SMALLEST_GAP * rows, np.where(wanted <= 0, 0.0, share), np.nan)

    return statistic


def pgr_statistic(large_called: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> Statistic:
    """Prepare the recovered gap of one routing for many resamples.

    Args:
        large_called: As for `pgr`, (rows,), booleans.
        medium: As for `pgr`, (rows,).
        large: As for `pgr`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to PGR, (resamples,); NaN where the
        large model is no better on a resample.

    Raises:
        MetricError: As for `routed_quality`.
    """
    return recovered_statistic(routed_quality(large_called, medium, large), medium, large)


def recovered_statistic(obtained: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> Statistic:
    """Prepare the recovered gap of any choice of answers for many resamples, such as among three tiers.

    Args:
        obtained: Quality of the answers that were chosen, 0 to 1, (rows,).
        medium: As for `pgr`, (rows,).
        large: As for `pgr`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to PGR, (resamples,); NaN where the
        large model is no better on a resample.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, or lengths differ.
    """
    cheap, dear = unit_column("PGR", "medium", medium), unit_column("PGR", "large", large)
    routed = unit_column("PGR", "obtained", obtained)
    same_rows("PGR", obtained=routed, medium=cheap, large=dear)

    def statistic(counts: Floats) -> Floats:
        gap = np.asarray(counts @ (dear - cheap))
        return over(np.asarray(counts @ (routed - cheap)), gap, gap > SMALLEST_GAP * counts.sum(axis=1))

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
    statistic = difference_statistic(ours, theirs)
    rows = len(np.asarray(medium))
    return bootstrap_interval(
        "difference in APGR", statistic, rows, resamples=resamples, seed=seed, level=level
    )
