"""What a comparison of routers found: figures, baselines, paired differences."""

from __future__ import annotations

import attrs

from routesdk.errors import ConfigError
from routesdk.metrics import Interval
from routesdk.pipeline.payoff.timing import Timing
from routesdk.types import Tier

APGR = "APGR"
ACCURACY = "accuracy"
CALIBRATION = "calibration error"
METRICS = (APGR, ACCURACY, CALIBRATION)
"""The metrics that have paired differences."""

PROMPT_LENGTH = "prompt length"
RANDOM = "random"
ORACLE = "oracle"
LINEAR = "linear"
"""The candidate that needs numpy alone, and that others are measured against where it is there."""


@attrs.frozen(kw_only=True)
class Spread:
    """How a router's confidence is spread over the rows: one that never varies says nothing.

    Attributes:
        mean: Its mean, 0 to 1.
        low: Its 5th percentile, 0 to 1.
        high: Its 95th percentile, 0 to 1.
        deviation: Its standard deviation.
    """

    mean: float
    low: float
    high: float
    deviation: float


@attrs.frozen(kw_only=True)
class Figures:
    """What one candidate is worth on the rows.

    Attributes:
        name: The candidate.
        apgr: APGR of its expected-gain ranking, cheapest tier against dearest; None
            where it is not defined.
        accuracy: Mean quality of the answers that its decisions obtain at its own operating point.
        large_share: Share of its decisions for the dearest tier.
        tier_shares: Share of its decisions for each tier, cheapest first.
        calibration_error: ECE of its confidence against whether the decided policy is the recorded one;
            the interval is centred on the value.
        perfect_error: 95th percentile of the ECE of a perfectly calibrated predictor on as many rows.
        confidence: How its confidence is spread.
        decided_accuracy: How often the decided policy is the recorded one.
        policy_accuracy: How often the likeliest policy is the recorded one.
        majority: Share of the commonest recorded policy: the policy accuracy of always saying it.
        balanced_accuracy: Recall of each recorded policy by the likeliest one, averaged over policies.
        brier: Brier score of its confidence, 0 to 1; lower is better.
        timing: How long it takes; None where that was not measured.
        bytes: Its weights in memory, base model included, where the policy model says so
            (`held_bytes`); else its checkpoint's files. None where neither was given.
        note: What its maker said of it.
    """

    name: str
    apgr: Interval | None
    accuracy: Interval
    large_share: float
    tier_shares: tuple[float, ...]
    calibration_error: Interval
    perfect_error: float
    confidence: Spread
    decided_accuracy: Interval
    policy_accuracy: Interval
    majority: float
    balanced_accuracy: Interval
    brier: Interval
    timing: Timing | None = None
    bytes: int | None = None
    note: str = ""


@attrs.frozen(kw_only=True)
class Baseline:
    """What needs no training is worth on the same rows.

    Attributes:
        name: Such as `prompt length` or `always medium`.
        apgr: APGR of its ranking; None where it has none, or APGR is not defined.
        accuracy: Mean quality of the answers that it obtains.
        large_share: Share of its calls of the dearest tier; `prompt length` and
            `random` have those of the best candidate.
    """

    name: str
    apgr: Interval | None
    accuracy: Interval
    large_share: float


@attrs.frozen(kw_only=True)
class Difference:
    """A candidate minus another, or minus a baseline, on the same resamples of the rows.

    Attributes:
        candidate: The candidate.
        other: What it is compared with.
        metric: `APGR`, `accuracy` or `calibration error`.
        interval: The difference; its interval contains 0 where the rows do not tell the two apart.
            That of calibration errors is centred on the value.
    """

    candidate: str
    other: str
    metric: str
    interval: Interval


@attrs.frozen(kw_only=True)
class Failure:
    """A candidate that could not be measured, and why."""

    name: str
    problem: str


@attrs.frozen(kw_only=True)
class Payoff:
    """A comparison of routers on one set of rows.

    Attributes:
        tiers: The tiers with their models, cheapest first; APGR is between the first and the last.
        rows: How many rows were measured on.
        left_out: Ids of rows that lack an outcome of a tier, and were not measured on.
        candidates: What was measured, in the order given.
        baselines: What needs no training.
        differences: Each candidate against each other one and each baseline.
        failures: Candidates that could not be measured.
        gap: Accuracy of always calling the dearest tier minus that of always calling the cheapest.
        undefined: Why APGR has no value on these rows; empty where it has one.
        resamples: How often rows were drawn.
        seed: Seed of the draws.
    """

    tiers: tuple[Tier, ...]
    rows: int
    left_out: tuple[str, ...]
    candidates: tuple[Figures, ...]
    baselines: tuple[Baseline, ...]
    differences: tuple[Difference, ...]
    failures: tuple[Failure, ...]
    gap: Interval
    undefined: str
    resamples: int
    seed: int

    def figures(self, name: str) -> Figures | Baseline:
        """Return what was measured of a candidate or a baseline.

        Raises:
            ConfigError: Nothing of that name was measured.
        """
        for each in self.lines():
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.lines())
        raise ConfigError("name", repr(name), "nothing of this name was measured", f"Known: {known}.")

    def difference(self, candidate: str, other: str, metric: str = APGR) -> Interval | None:
        """Return a paired difference; None where one of the two does not have the metric."""
        for each in self.differences:
            if (each.candidate, each.other, each.metric) == (candidate, other, metric):
                return each.interval
        return None

    def ranked(self) -> tuple[Figures, ...]:
        """Return the candidates, best first: by APGR, and by accuracy where that has no value."""
        return tuple(sorted(self.candidates, key=_worth, reverse=True))

    def lines(self) -> tuple[Figures | Baseline, ...]:
        """Return all that was measured, as tables list it: candidates, best first, then baselines."""
        return (*self.ranked(), *self.baselines)

    def best_other(self, name: str) -> str | None:
        """Return the best candidate but this one; None where it is alone."""
        return next((each.name for each in self.ranked() if each.name != name), None)

    def yardsticks(self, name: str) -> tuple[str, ...]:
        """Return what a candidate is to be held against: the best other one, `linear`, prompt length."""
        others = (self.best_other(name), LINEAR, PROMPT_LENGTH)
        known = {each.name for each in self.lines()} - {name}
        return tuple(dict.fromkeys(other for other in others if other in known and other is not None))


def _worth(figures: Figures) -> tuple[float, float]:
    return (figures.apgr.value if figures.apgr else 0.0, figures.accuracy.value)
