"""Domain shift: whether queries look like those learned from, at a stated rate of false alarms."""

from __future__ import annotations

from routesdk.shift.batch import ALARM_LEVEL, ShiftTest, assess_scores
from routesdk.shift.fit import fit_shift
from routesdk.shift.score import DEFAULT_FALSE_ALARM, SHIFT_NOTICE, ShiftScore, ShiftSource

__all__ = [
    "ALARM_LEVEL",
    "DEFAULT_FALSE_ALARM",
    "SHIFT_NOTICE",
    "ShiftScore",
    "ShiftSource",
    "ShiftTest",
    "assess_scores",
    "fit_shift",
]
