"""What a calibration found: the point, what to expect of it, and whether the target is within reach."""

from __future__ import annotations

import attrs

from routesdk.errors import ConfigError
from routesdk.metrics import Interval
from routesdk.router import Router
from routesdk.shift import ShiftTest
from routesdk.structure import unstructure
from routesdk.types import OperatingPoint

COST, QUALITY, LARGE_SHARE = "cost", "quality", "large share"
"""What a router can be set to."""


@attrs.frozen(kw_only=True)
class Target:
    """What a router is to be set to.

    Attributes:
        kind: `cost` (US dollars a query), `quality` or `large share` (0 to 1).
        value: The figure.
    """

    kind: str
    value: float

    @property
    def text(self) -> str:
        """The target in words."""
        if self.kind == COST:
            return f"${self.value:.6g} a query on average"
        return f"a {self.kind} of {self.value:.1%}"


@attrs.frozen(kw_only=True)
class BaseRate:
    """How often something happens on the rows, beside how often the router expects it there.

    Attributes:
        name: What, such as `medium correct` or a policy's name.
        expected: Mean probability that the router gave it.
        observed: Share of the rows on which it was so.
        difference: Observed less expected, with its interval.
    """

    name: str
    expected: float
    observed: float
    difference: Interval

    @property
    def shifted(self) -> bool:
        """Whether the rows differ surely from what was expected."""
        return self.difference.low > 0.0 or self.difference.high < 0.0


@attrs.frozen(kw_only=True, eq=False)
class Calibrated:
    """What a calibration found.

    Figures with intervals are of rows that were left out in turn, while everything was
    fitted to the others: what to expect of new rows like these.

    Attributes:
        target: What was asked for.
        reached: Whether the rows can reach it.
        sure: Whether new rows like these reach it in 95 of 100 cases, or more.
        sentence: What came of it, in words.
        point: The operating point; where the target is out of reach, the one that comes nearest.
        quality: Mean quality of the answers at that point.
        large_share: Share of the queries that leave the cheapest tier there.
        cost: US dollars a query there; None where a price is unknown.
        cost_note: How costs came about, or why there are none.
        medium_quality: Mean quality of the cheapest tier alone.
        large_quality: Mean quality of the dearest tier alone.
        calibration_error: Calibration error of the confidence before and after.
        brier: Brier score of the confidence before and after.
        base_rates: What the rows differ in from what the router expected.
        shift: Whether the rows look unlike what was learned from; None where the checkpoint cannot tell.
        warnings: What to know before trusting it.
        method: `platt` or `isotonic`.
        rows: How many rows.
        resamples: Bootstrap resamples behind the intervals.
        seed: Their seed.
    """

    target: Target
    reached: bool
    sure: bool
    sentence: str
    point: OperatingPoint
    quality: Interval
    large_share: Interval
    cost: Interval | None
    cost_note: str
    medium_quality: Interval
    large_quality: Interval
    calibration_error: tuple[float, float]
    brier: tuple[float, float]
    base_rates: tuple[BaseRate, ...]
    shift: ShiftTest | None
    warnings: tuple[str, ...]
    method: str
    rows: int
    resamples: int
    seed: int
    _router: Router | None = attrs.field(default=None, repr=False)

    @property
    def router(self) -> Router:
        """The router at the point, recalibrated.

        Raises:
            ConfigError: The target is out of reach: there is no router that meets it.
        """
        if self._router is None:
            fix = "Ask for what these rows can reach, or give rows or models that reach more."
            raise ConfigError(f"target {self.target.kind}", f"{self.target.value:g}", self.sentence, fix)
        return self._router

    def to_record(self) -> dict[str, object]:
        """Return all figures as plain data that JSON can carry."""
        kept = [field.name for field in attrs.fields(type(self)) if not field.name.startswith("_")]
        record: dict[str, object] = {}
        for name in kept:
            value = getattr(self, name)
            record[name] = unstructure(value) if attrs.has(type(value)) else value
        record["calibration_error"], record["brier"] = list(self.calibration_error), list(self.brier)
        record["base_rates"] = [{**unstructure(each), "shifted": each.shifted} for each in self.base_rates]
        record["warnings"] = list(self.warnings)
        if self.shift is not None:
            record["shift"] = {**unstructure(self.shift), "shifted": self.shift.shifted}
        return record
