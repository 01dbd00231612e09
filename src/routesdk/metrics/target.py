"""What was asked of the router at the outset, to stand beside what was measured."""

from __future__ import annotations

import enum
import math

import attrs

from routesdk.errors import MetricError


class Standing(enum.StrEnum):
    """Where a measured value lies, seen from a target."""

    BELOW = "below"
    WITHIN = "within"
    ABOVE = "above"


@attrs.frozen(kw_only=True)
class Target:
    """A range that was hoped for; not a measurement, and not a promise.

    Attributes:
        name: What it is about.
        metric: A short key for records.
        low: Lower end; a share, so that 0.4 is 40 %, or a difference of shares.
        high: Upper end.
    """

    name: str
    metric: str
    low: float
    high: float

    def standing(self, value: float) -> Standing:
        """Say where a measured value lies, both ends included.

        Raises:
            MetricError: The value is not finite.
        """
        if not math.isfinite(value):
            raise MetricError(self.name, f"{value} cannot be compared with a target")
        # Differences of shares are off by a rounding.
        if value < self.low - 1e-12:
            return Standing.BELOW
        return Standing.ABOVE if value > self.high + 1e-12 else Standing.WITHIN


TARGETS = (
    Target(name="accuracy over medium only", metric="accuracy_over_medium", low=0.02, high=0.05),
    Target(name="accuracy against large only", metric="accuracy_against_large", low=-0.05, high=-0.02),
    Target(name="cost saved against large only", metric="cost_saved", low=0.40, high=0.60),
    Target(name="decisions Standard_Query (medium)", metric="share_standard", low=0.60, high=0.70),
    Target(name="decisions Complex_Query (large)", metric="share_complex", low=0.25, high=0.35),
    Target(name="decisions Ambiguous_Query", metric="share_ambiguous", low=0.05, high=0.10),
)
"""The targets with which the project began. They come from its brief, not from data."""
