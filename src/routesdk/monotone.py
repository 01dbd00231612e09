"""Monotone maps of gains and probabilities: what recalibration fits, and checkpoints keep."""

from __future__ import annotations

import math
from bisect import bisect_right

import attrs

from routesdk.errors import ConfigError

PLATT, ISOTONIC = "platt", "isotonic"
"""Ways to fit a map: a logistic curve of two numbers, or steps that only climb, joined by lines."""

METHODS = (PLATT, ISOTONIC)

# So near to its ends a number counts as certain, and its logit has a value.
_EDGE = 1e-6


@attrs.frozen(kw_only=True)
class MonotoneMap:
    """A map of numbers from `least` to 1 that never falls: what ranks higher does not rank lower after.

    Attributes:
        method: `platt` or `isotonic`.
        least: -1 for gains, 0 for probabilities; both end at 1.
        slope: Of `platt`, on the logit of the number; above 0.
        offset: Of `platt`, added to that logit.
        knots: Of `isotonic`, ascending; before the first and behind the last the map is level.
        values: Of `isotonic`, at the knots, never falling.

    Raises:
        ConfigError: It falls somewhere, or leaves its range.

    Source: Platt, Probabilistic Outputs for Support Vector Machines (1999); Zadrozny and
        Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates (2002).
    """

    method: str
    least: float = 0.0
    slope: float = 1.0
    offset: float = 0.0
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __attrs_post_init__(self) -> None:
        fix = "Calibrate the router again."
        if self.method not in METHODS or self.least not in (-1.0, 0.0):
            problem = f"is none of {', '.join(METHODS)} from -1 or 0"
            raise ConfigError("calibration.map", f"{self.method} from {self.least}", problem, fix)
        if not (0.0 < self.slope < math.inf and math.isfinite(self.offset)):
            raise ConfigError("calibration.map.slope", str(self.slope), "would not keep the order", fix)
        if (self.method == ISOTONIC) != bool(self.knots) or len(self.knots) != len(self.values):
            raise ConfigError("calibration.map.knots", str(len(self.knots)), "do not fit the values", fix)
        climbing = all(a < b for a, b in zip(self.knots, self.knots[1:], strict=False))
        rising = all(a <= b for a, b in zip(self.values, self.values[1:], strict=False))
        inside = all(self.least <= each <= 1.0 for each in self.values)
        if not (climbing and rising and inside):
            raise ConfigError("calibration.map.values", "given", "fall, or leave their range", fix)

    def __call__(self, number: float) -> float:
        """Map one number."""
        if self.method == PLATT:
            share = min(max((number - self.least) / (1.0 - self.least), _EDGE), 1.0 - _EDGE)
            logit = self.slope * math.log(share / (1.0 - share)) + self.offset
            # One of the two forms cannot overflow.
            moved = (
                1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))
            )
            return self.least + (1.0 - self.least) * moved
        at = bisect_right(self.knots, number)
        if at == 0:
            return self.values[0]
        if at == len(self.knots):
            return self.values[-1]
        low, high = self.knots[at - 1], self.knots[at]
        part = (number - low) / (high - low)
        return self.values[at - 1] + part * (self.values[at] - self.values[at - 1])
