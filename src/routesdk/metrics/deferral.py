"""Quality against the share of queries that go to the large model, and the area under it.

Source: Jitkrittum et al., When Does Confidence-Based Cascade Deferral Suffice?
(arXiv:2307.02764), for the deferral curve and the area under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import SMALLEST_GAP, whole_number
from routesdk.metrics._ranking import moved_area, ranked, ranking_columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

ROUTELLM_PARTS = 10


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

    def recovered(self) -> float:
        """Average the recovered gap over all shares: the area, on a scale from always medium to always large.

        Returns:
            APGR on these points. On those of `deferral_curve` it is `apgr`; on those of
            `quantile_curve` it is what RouteLLM's evaluation prints.

        Raises:
            MetricError: The large model is no better.
        """
        return (self.area() - float(self.quality[0])) / self._gap("APGR")

    def share_for(self, recovered: float) -> float:
        """Find the smallest share of large calls that recovers so much of the gap: CPT.

        Args:
            recovered: The share of the gap to recover, from 0 to 1.

        Returns:
            The share of large calls where the curve first gets there, from 0 to 1,
            on straight lines between the points.

        Raises:
            MetricError: As for `recovered`, or the argument lies outside 0 to 1.
        """
        check_recovered("CPT", recovered)
        gap = self._gap("CPT")
        wanted = self.quality[0] + recovered * gap
        # A point that is there but for a rounding counts, and the last one does in any case.
        at = int(np.argmax(np.append(self.quality[:-1] >= wanted - SMALLEST_GAP, True)))
        if at == 0:
            return float(self.share_large[0])
        below, above = self.quality[at - 1], self.quality[at]
        part = min((wanted - below) / (above - below), 1.0)
        return float(self.share_large[at - 1] + part * (self.share_large[at] - self.share_large[at - 1]))

    def _gap(self, metric: str) -> float:
        gap = float(self.quality[-1] - self.quality[0])
        if gap <= SMALLEST_GAP:
            raise MetricError(metric, "the large model is no better than the medium one on this curve")
        return gap


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
    ranks, cheap, dear = ranking_columns("deferral curve", score, medium, large)
    order, starts = ranked(ranks)
    sizes = np.diff([*starts, len(order)])
    gained = np.cumsum(np.add.reduceat((dear - cheap)[order], starts))
    return DeferralCurve(
        share_large=np.concatenate(([0.0], np.cumsum(sizes) / len(order))),
        quality=cheap.mean() + np.concatenate(([0.0], gained / len(order))),
    )


def quantile_curve(
    score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike, *, parts: int = ROUTELLM_PARTS
) -> DeferralCurve:
    """Trace the curve at a few thresholds on the score only, as RouteLLM's evaluation does.

    The thresholds are the quantiles of the score that cut the rows into equal parts. A row
    goes to the large model where its score reaches the threshold; at the last threshold,
    the highest score, none does. Rows with one score are never parted, so that a score
    with many ties has fewer points, where RouteLLM's own code stops with an error.

    Args:
        score: As for `deferral_curve`, (rows,).
        medium: As for `deferral_curve`, (rows,).
        large: As for `deferral_curve`, (rows,).
        parts: Into how many parts to cut the rows; RouteLLM has ten.

    Returns:
        Up to one point more than parts: first no large call, last all.

    Raises:
        MetricError: As for `deferral_curve`, or parts is no whole number of 1 or more.

    Source: RouteLLM's `routellm/evals/benchmarks.py` and `evaluate.py`, version 0.2.0
        (github.com/lm-sys/RouteLLM), read on 2026-11-26.
    """
    ranks, cheap, dear = ranking_columns("quantile curve", score, medium, large)
    whole_number("quantile curve", "parts", parts)
    thresholds = np.quantile(ranks, np.linspace(0.0, 1.0, parts + 1))
    ordered = np.sort(ranks)
    called = len(ranks) - np.searchsorted(ordered, thresholds[:-1], side="left")
    counts = np.unique(np.append(called, 0))
    gained = np.concatenate(([0.0], np.cumsum((dear - cheap)[np.argsort(-ranks, kind="stable")])))
    return DeferralCurve(share_large=counts / len(ranks), quality=cheap.mean() + gained[counts] / len(ranks))


def deferral_area(score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> float:
    """Integrate quality over all shares of large calls, highest score first.

    Args:
        score: As for `deferral_curve`, (rows,).
        medium: As for `deferral_curve`, (rows,).
        large: As for `deferral_curve`, (rows,).

    Returns:
        The area under the deferral curve, from 0 to 1. Other than APGR it is defined
        where the large model is no better, too.

    Raises:
        MetricError: As for `deferral_curve`.

    Source: Jitkrittum et al. (arXiv:2307.02764).
    """
    return deferral_curve(score, medium, large).area()


def deferral_area_statistic(score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike) -> Statistic:
    """Prepare the area under the deferral curve for many resamples: rows are ranked once.

    Args:
        score: As for `deferral_curve`, (rows,).
        medium: As for `deferral_curve`, (rows,).
        large: As for `deferral_curve`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to areas, (resamples,).

    Raises:
        MetricError: As for `deferral_curve`.
    """
    ranks, cheap, dear = ranking_columns("deferral curve", score, medium, large)
    order, starts = ranked(ranks)
    gain = (dear - cheap)[order]

    def statistic(counts: Floats) -> Floats:
        area, _, rows = moved_area(counts[:, order], gain, starts)
        return np.asarray((counts @ cheap + area) / rows, dtype=np.float64)

    return statistic


def check_recovered(metric: str, recovered: float) -> None:
    """Refuse a share of the gap that is none.

    Raises:
        MetricError: It lies outside 0 to 1.
    """
    if not 0 <= recovered <= 1:
        raise MetricError(metric, f"a recovered share of {recovered:g} lies outside 0 to 1")
