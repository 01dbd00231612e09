"""What a router is worth, in numbers: pure functions of arrays, with intervals."""

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
from routesdk.metrics.calibration import (
    PerfectCalibration,
    brier_score,
    calibration_interval,
    expected_calibration_error,
    perfect_calibration_error,
)
from routesdk.metrics.curves import DeferralCurve, apgr, apgr_difference, apgr_interval, deferral_curve, pgr
from routesdk.metrics.intervals import (
    Interval,
    bootstrap_interval,
    bootstrap_many,
    bootstrap_values,
    mean_interval,
    summarise,
)

__all__ = [
    "Confusion",
    "DeferralCurve",
    "Interval",
    "PerfectCalibration",
    "accuracy",
    "accuracy_by",
    "agreement",
    "agreement_interval",
    "apgr",
    "apgr_difference",
    "apgr_interval",
    "bootstrap_interval",
    "bootstrap_many",
    "bootstrap_values",
    "brier_score",
    "calibration_interval",
    "cohens_kappa",
    "confusion",
    "deferral_curve",
    "expected_calibration_error",
    "kappa_interval",
    "mean_interval",
    "perfect_calibration_error",
    "pgr",
    "routed_quality",
    "summarise",
]
