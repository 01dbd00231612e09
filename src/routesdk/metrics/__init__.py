"""What a router is worth, in numbers: pure functions of arrays, with intervals.

A metric on the rows as they are has a plain name. Its `..._statistic` form takes how often each
row was drawn, so that `bootstrap_many` evaluates many metrics on the same resamples at once.
"""

from __future__ import annotations

from routesdk.metrics.accuracy import accuracy, accuracy_by, routed_quality
from routesdk.metrics.agreement import (
    Confusion,
    agreement,
    agreement_interval,
    cohens_kappa,
    confusion,
    kappa_interval,
)
from routesdk.metrics.arena import arena_score, arena_statistic
from routesdk.metrics.band import (
    Band,
    CurveStatistic,
    bootstrap_band,
    bootstrap_curves,
    deferral_curve_statistic,
)
from routesdk.metrics.calibration import (
    PerfectCalibration,
    brier_score,
    brier_statistic,
    calibration_interval,
    calibration_statistic,
    expected_calibration_error,
    perfect_calibration_error,
)
from routesdk.metrics.cost import (
    cost_per_query,
    routed_cost,
    saved_share,
    saved_share_statistic,
    token_cost,
    total_cost,
)
from routesdk.metrics.curves import (
    apgr,
    apgr_difference,
    apgr_interval,
    apgr_statistic,
    cpt,
    cpt_statistic,
    pgr,
    pgr_statistic,
)
from routesdk.metrics.deferral import (
    DeferralCurve,
    deferral_area,
    deferral_area_statistic,
    deferral_curve,
    quantile_curve,
)
from routesdk.metrics.discrimination import auroc, auroc_statistic
from routesdk.metrics.distribution import Recognition, recognition, share_statistics, shares
from routesdk.metrics.factuality import (
    Factuality,
    correct_given_attempted_statistic,
    f1_statistic,
    factuality,
)
from routesdk.metrics.frontier import CostCurve, aiq, aiq_statistic, cost_curve
from routesdk.metrics.intervals import (
    Interval,
    Statistic,
    bootstrap_interval,
    bootstrap_many,
    bootstrap_values,
    mean_interval,
    mean_statistic,
    summarise,
)
from routesdk.metrics.latency import percentile_statistic, percentiles
from routesdk.metrics.oracle import oracle_gap_closed, oracle_gap_statistic
from routesdk.metrics.ratio import difference_statistic, group_statistics, ratio_statistic
from routesdk.metrics.reliability import (
    Reliability,
    reliability_band,
    reliability_curve,
    reliability_statistic,
)
from routesdk.metrics.selective import RiskCoverage, aurc, aurc_statistic, risk_coverage_curve
from routesdk.metrics.stability import robustness, robustness_statistic, unchanged
from routesdk.metrics.target import TARGETS, Standing, Target

__all__ = [
    "TARGETS",
    "Band",
    "Confusion",
    "CostCurve",
    "CurveStatistic",
    "DeferralCurve",
    "Factuality",
    "Interval",
    "PerfectCalibration",
    "Recognition",
    "Reliability",
    "RiskCoverage",
    "Standing",
    "Statistic",
    "Target",
    "accuracy",
    "accuracy_by",
    "agreement",
    "agreement_interval",
    "aiq",
    "aiq_statistic",
    "apgr",
    "apgr_difference",
    "apgr_interval",
    "apgr_statistic",
    "arena_score",
    "arena_statistic",
    "aurc",
    "aurc_statistic",
    "auroc",
    "auroc_statistic",
    "bootstrap_band",
    "bootstrap_curves",
    "bootstrap_interval",
    "bootstrap_many",
    "bootstrap_values",
    "brier_score",
    "brier_statistic",
    "calibration_interval",
    "calibration_statistic",
    "cohens_kappa",
    "confusion",
    "correct_given_attempted_statistic",
    "cost_curve",
    "cost_per_query",
    "cpt",
    "cpt_statistic",
    "deferral_area",
    "deferral_area_statistic",
    "deferral_curve",
    "deferral_curve_statistic",
    "difference_statistic",
    "expected_calibration_error",
    "f1_statistic",
    "factuality",
    "group_statistics",
    "kappa_interval",
    "mean_interval",
    "mean_statistic",
    "oracle_gap_closed",
    "oracle_gap_statistic",
    "percentile_statistic",
    "percentiles",
    "perfect_calibration_error",
    "pgr",
    "pgr_statistic",
    "quantile_curve",
    "ratio_statistic",
    "recognition",
    "reliability_band",
    "reliability_curve",
    "reliability_statistic",
    "risk_coverage_curve",
    "robustness",
    "robustness_statistic",
    "routed_cost",
    "routed_quality",
    "saved_share",
    "saved_share_statistic",
    "share_statistics",
    "shares",
    "summarise",
    "token_cost",
    "total_cost",
    "unchanged",
]
