"""Calibration: sets a router to a cost, a quality or a share of large calls, on rows with outcomes."""

from __future__ import annotations

from routesdk.pipeline.calibration.result import BaseRate, Calibrated, Target
from routesdk.pipeline.calibration.setting import LEAST_ROWS, calibrate

__all__ = ["LEAST_ROWS", "BaseRate", "Calibrated", "Target", "calibrate"]
