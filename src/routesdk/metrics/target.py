"""What was asked of the router at the outset, to stand beside what was measured."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import MetricError

if TYPE_CHECKING:
    from routesdk.metrics.intervals import Interval

_ROUNDING = 1e-12
"""Differences of shares are off by a rounding."""


class Standing(enum.Enum):
    """What a measured interval says of a target."""

    REACHED = "reached"
    MISSED = "missed"
    UNSURE = "cannot tell"
    UNMEASURED = "not measured"


@attrs.frozen(kw_only=True)
class Target:
    """A range that was hoped for; not a measurement, and not a promise.

    Attributes:
        name: What it is about.
        metric: A short key for records.
        low: Lower end; a share, so that 0.4 is 40 %, or a difference of shares.
        high: Upper end.
        unit: `share`, or `points` for a difference of shares: 0.01 is one percentage point.
        more_is_better: Whether what lies above the range reaches it as well.
    """

    name: str
    metric: str
    low: float
    high: float
    unit: str = "share"
    more_is_better: bool = False

    def standing(self, measured: Interval | None, fewest_rows: int = 1) -> Standing:
        """Say whether it was reached: surely, surely not, or neither; both ends of the range count.

        Args:
            measured: What was measured, with its interval; None where it was not.
            fewest_rows: Of fewer rows than that, nothing can be told.

        Raises:
            MetricError: An end of the interval is not finite.
        """
        if measured is None:
            return Standing.UNMEASURED
        if not (math.isfinite(measured.low) and math.isfinite(measured.high)):
            problem = f"[{measured.low}, {measured.high}] cannot be compared with a target"
            raise MetricError(self.name, problem)
        low, high = self.low - _ROUNDING, self.high + _ROUNDING
        if self.more_is_better:
            high = math.inf
        if measured.rows < fewest_rows:
            return Standing.UNSURE
        if low <= measured.low and measured.high <= high:
            return Standing.REACHED
        return Standing.MISSED if measured.high < low or measured.low > high else Standing.UNSURE


TARGETS = (
    Target(
        name="accuracy over medium only",
        metric="accuracy_over_medium",
        low=0.02,
        high=0.05,
        unit="points",
        more_is_better=True,
    ),
    Target(
        name="accuracy against large only",
        metric="accuracy_against_large",
        low=-0.05,
        high=-0.02,
        unit="points",
        more_is_better=True,
    ),
    Target(
        name="cost saved against large only", metric="cost_saved", low=0.40, high=0.60, more_is_better=True
    ),
    Target(name="decisions Standard_Query (medium)", metric="share_standard", low=0.60, high=0.70),
    Target(name="decisions Complex_Query (large)", metric="share_complex", low=0.25, high=0.35),
    Target(name="decisions Ambiguous_Query", metric="share_ambiguous", low=0.05, high=0.10),
)
"""The targets with which the project began. They come from its brief, not from data."""
