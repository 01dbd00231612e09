"""Curves of an evaluation, on the same resamples as its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from routesdk.metrics import (
    CurveStatistic,
    bootstrap_curves,
    deferral_curve_statistic,
    perfect_calibration_error,
    reliability_curve,
    reliability_statistic,
)
from routesdk.metrics.reliability import DEFAULT_RELIABILITY_BINS
from routesdk.pipeline.evaluation.curve import (
    Curve,
    CurvePoint,
    OperatingFigures,
    Reliability,
    ReliabilityBin,
    RiskCoverage,
    RiskPoint,
)
from routesdk.pipeline.evaluation.drawing import COST, GRID, SHARE, band, share_interval
from routesdk.pipeline.evaluation.figures import ROUTER
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.payoff.figures import ACCURACY, CALIBRATION
from routesdk.pipeline.payoff.sampling import Floats, Samples, top_share

_COVERAGES = tuple(at / 20 for at in range(1, 21))

_RELIABILITY, _RISK = "reliability", "risk"


def draw_curves(
    material: Material, *, resamples: int, seed: int
) -> tuple[tuple[Curve, ...], tuple[ReliabilityBin, ...], tuple[RiskPoint, ...]]:
    """Draw the cost-quality curves, the bins of the reliability diagram, and risk against coverage."""
    scored = material.scored
    statistics: dict[str, CurveStatistic] = {
        name: deferral_curve_statistic(ranking, scored.medium, scored.large, GRID)
        for name, ranking in material.rankings.items()
    }
    statistics[_RELIABILITY] = reliability_statistic(scored.confidence, scored.hit, bins=_bins(material))
    statistics[_RISK] = _risk_statistic(scored.confidence, scored.hit)
    drawn = bootstrap_curves(list(statistics.values()), len(material), resamples=resamples, seed=seed)
    values = dict(zip(statistics, drawn, strict=True))
    once = np.ones((1, len(material)))
    points = {name: statistic(once)[0] for name, statistic in statistics.items()}
    curves = tuple(_curve(material, name, points[name], values[name]) for name in material.rankings)
    return curves, _reliability_bins(material, values[_RELIABILITY]), _risk_points(points, values)


def reliability(
    bins: tuple[ReliabilityBin, ...], material: Material, samples: Samples, *, resamples: int, seed: int
) -> Reliability:
    """Set the bins beside the calibration error, and beside that of a perfect predictor."""
    perfect = perfect_calibration_error(material.scored.confidence, simulations=resamples, seed=seed)
    return Reliability(
        bins=bins,
        calibration_error=samples.interval(ROUTER, CALIBRATION),
        perfect_error=perfect.value,
        brier=samples.interval(ROUTER, "brier"),
    )


def risk_coverage(points: tuple[RiskPoint, ...], samples: Samples) -> RiskCoverage:
    """Set the curve beside its area."""
    return RiskCoverage(points=points, area=samples.interval(ROUTER, "aurc"))


def operating_figures(material: Material, samples: Samples) -> OperatingFigures:
    """Say where the router stands on its curve."""
    point = material.router.operating_point
    return OperatingFigures(
        thresholds=tuple(f"{each:.4f}" if math.isfinite(each) else str(each) for each in point.thresholds),
        meant_share=point.large_share,
        share=share_interval(samples, ROUTER, SHARE),
        accuracy=share_interval(samples, ROUTER, ACCURACY),
        cost_usd=samples.defined(ROUTER, COST),
        source=point.source,
    )


def _curve(material: Material, name: str, points: Floats, values: Floats) -> Curve:
    low, high = band(values)
    usd = material.cost_table
    found = []
    for at, share in enumerate(GRID):
        called = top_share(material.rankings[name], share)
        cost = None if usd is None else float((called * usd[:, -1] + (1 - called) * usd[:, 0]).mean())
        found.append(
            CurvePoint(
                share=share,
                accuracy=float(points[at]),
                low=float(low[at]),
                high=float(high[at]),
                cost_usd=cost,
            )
        )
    return Curve(name=name, points=tuple(found))


def _bins(material: Material) -> int:
    """Return so many bins that each has twenty rows, up to ten: fewer rows say nothing of a frequency."""
    return max(1, min(DEFAULT_RELIABILITY_BINS, len(material) // 20))


def _reliability_bins(material: Material, values: Floats) -> tuple[ReliabilityBin, ...]:
    scored = material.scored
    found = reliability_curve(scored.confidence, scored.hit, bins=_bins(material))
    low, high = band(values)
    return tuple(
        ReliabilityBin(
            confidence=float(found.predicted[at]),
            hit=float(found.observed[at]),
            low=_or(low[at], found.observed[at]),
            high=_or(high[at], found.observed[at]),
            rows=round(float(found.mass[at])),
        )
        for at in range(len(found.mass))
    )


def _or(value: float, other: float) -> float:
    """Return a value, or another where it is NaN, which JSON has no word for."""
    return float(other if np.isnan(value) else value)


def _risk_statistic(confidence: Floats, hit: Floats) -> CurveStatistic:
    """Prepare the risk of the surest rows at given coverages; rows with one confidence count in part."""
    kept = np.stack([top_share(confidence, share) for share in _COVERAGES], axis=1)
    wrong = kept * (1.0 - hit)[:, None]

    def statistic(counts: Floats) -> Floats:
        mass = counts @ kept
        return np.asarray(
            np.divide(counts @ wrong, mass, out=np.full(mass.shape, np.nan), where=mass > 0), dtype=np.float64
        )

    return statistic


def _risk_points(points: Mapping[str, Floats], values: Mapping[str, Floats]) -> tuple[RiskPoint, ...]:
    low, high = band(values[_RISK])
    risk = points[_RISK]
    return tuple(
        RiskPoint(
            coverage=coverage,
            risk=float(risk[at]),
            low=_or(low[at], risk[at]),
            high=_or(high[at], risk[at]),
        )
        for at, coverage in enumerate(_COVERAGES)
    )
