"""What a router gets wrong when only its surest decisions count: risk against coverage.

Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11
(2010), 1605-1641, for the curve; Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty
Estimation for Deep Neural Classifiers (arXiv:1805.08206), for the area under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import column, same_rows, unit_column
from routesdk.metrics._ranking import ranked

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

_METRIC = "risk-coverage curve"


@attrs.frozen(kw_only=True)
class RiskCoverage:
    """The share of wrong decisions among the surest ones.

    Attributes:
        coverage: Share of rows that count, surest first, (points,), above 0 to 1, rising.
        risk: Share of them that is wrong, (points,), from 0 to 1.
    """

    coverage: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))
    risk: Floats = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))

    def at(self, coverage: float) -> float:
        """Read the risk at a coverage: that of the least number of rows that reach it.

        Raises:
            MetricError: The coverage does not lie above 0 and up to 1.
        """
        if not 0 < coverage <= 1:
            raise MetricError(_METRIC, f"a coverage of {coverage:g} does not lie between 0 and 1")
        # A share such as 0.3 may lie a rounding below three rows of ten.
        place = int(np.searchsorted(self.coverage, coverage - 1e-12))
        return float(self.risk[min(place, len(self.risk) - 1)])


def risk_coverage_curve(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> RiskCoverage:
    """Trace the risk while rows are taken in, surest first.

    Args:
        confidence: How sure each decision is, (rows,); rows with one confidence come in together.
        correct: 1 where the decision was right, else 0, or the chance of it, (rows,).

    Returns:
        A point for each distinct confidence.

    Raises:
        MetricError: A column is empty, holds NaN, `correct` lies outside 0 to 1, or lengths differ.
    """
    sure, wrong = _columns(confidence, correct)
    order, starts = ranked(sure)
    sizes = np.diff([*starts, len(order)])
    taken = np.cumsum(sizes)
    return RiskCoverage(
        coverage=taken / len(order), risk=np.cumsum(np.add.reduceat(wrong[order], starts)) / taken
    )


def aurc(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Average the risk over all coverages: the area under the risk-coverage curve.

    Args:
        confidence: As for `risk_coverage_curve`, (rows,).
        correct: As for `risk_coverage_curve`, (rows,).

    Returns:
        The mean over rows of the risk among those at least as sure, from 0 to 1; lower is
        better. Each row has the risk of all rows that are at least as sure, its equals
        included, so that one confidence for all has the share of wrong decisions.

    Raises:
        MetricError: As for `risk_coverage_curve`.
    """
    return float(aurc_statistic(confidence, correct)(np.ones((1, len(np.asarray(confidence)))))[0])


def aurc_statistic(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> Statistic:
    """Prepare the area under the risk-coverage curve for many resamples: rows are ranked once.

    Args:
        confidence: As for `risk_coverage_curve`, (rows,).
        correct: As for `risk_coverage_curve`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to areas, (resamples,).

    Raises:
        MetricError: As for `risk_coverage_curve`.
    """
    sure, wrong = _columns(confidence, correct)
    order, starts = ranked(sure)
    ordered = wrong[order]
    ends = np.append(starts[1:], len(order)) - 1
    sizes = np.diff(np.append(starts, len(order)))

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        taken = np.cumsum(drawn, axis=1)[:, ends]
        failed = np.cumsum(drawn * ordered, axis=1)[:, ends]
        risk = np.divide(failed, taken, out=np.zeros_like(failed), where=taken > 0)
        if len(ends) < len(order):
            risk = np.repeat(risk, sizes, axis=1)
        return np.asarray(np.einsum("rb,rb->r", drawn, risk) / drawn.sum(axis=1), dtype=np.float64)

    return statistic


def _columns(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[Floats, Floats]:
    sure = column(_METRIC, "confidence", confidence)
    right = unit_column(_METRIC, "correct", correct)
    same_rows(_METRIC, confidence=sure, correct=right)
    return sure, 1.0 - right
