"""Everything that an evaluation found: what is written, and what a report renders."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal

import attrs

from routesdk.errors import ConfigError
from routesdk.metrics import Interval
from routesdk.pipeline.evaluation.basis import Cost, Provenance, ShiftFigures
from routesdk.pipeline.evaluation.curve import Curve, OperatingFigures, Reliability, RiskCoverage
from routesdk.pipeline.evaluation.detail import (
    Breakdown,
    Cell,
    ConfusionTable,
    Latency,
    Mistake,
    Perturbation,
    Reasonings,
    Share,
)
from routesdk.types import FrozenMapping, Tier, frozen

ROUTER = "router"
BEST_SINGLE = "best single model"
"""Names of lines, beside those of `routesdk.pipeline.payoff.figures`."""


class Advice(enum.Enum):
    """What to do with the router for such questions and these models."""

    ROUTE = "route"
    DO_NOT_ROUTE = "do not route"
    NOT_ENOUGH_DATA = "not enough data to say"


@attrs.frozen(kw_only=True)
class Verdict:
    """What to do, and why.

    Attributes:
        advice: What to do.
        sentences: The advice in words, the decisive sentence first.
    """

    advice: Advice
    sentences: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Metric:
    """One figure of the router.

    Attributes:
        key: Its key in files, such as `apgr`.
        name: What tables call it.
        group: The heading that it stands under, such as `quality`, `cost`, `ranking` or `calibration`.
        interval: The figure with its interval; None where it has no value on these rows.
        unit: `share`, `usd`, `points` (a difference of shares: 0.01 is one percentage point) or empty.
        better: `higher`, `lower`, or empty where neither is.
        note: Why it has no value, or what a reader should know of it.
    """

    key: str
    name: str
    group: str
    interval: Interval | None
    unit: str = ""
    better: str = ""
    note: str = ""


@attrs.frozen(kw_only=True)
class Line:
    """A line of the headline table: the router, or a baseline on the same rows.

    Attributes:
        name: `router`, `always medium`, `random`, `prompt length`, `best single model`, `oracle`.
        accuracy: Mean quality of the answers obtained.
        large_share: Share of the calls that go to the dearest tier, 0 to 1.
        tier_shares: Share of the calls that go to each tier, cheapest first.
        apgr: Of its ranking; None where it has none, or it is not defined.
        cost_usd: Mean cost of a query in US dollars; None where no cost is known.
        saved: Share of the cost of always calling the dearest tier that is saved, 0 to 1; None where no
            cost is known.
        ahead: Accuracy of the router minus that of this line, on the same resamples; None for itself.
        apgr_ahead: APGR of the router minus that of this line; None for itself and where one is not there.
        note: What a reader should know of it.
    """

    name: str
    accuracy: Interval
    large_share: float
    tier_shares: tuple[float, ...]
    apgr: Interval | None = None
    cost_usd: Interval | None = None
    saved: Interval | None = None
    ahead: Interval | None = None
    apgr_ahead: Interval | None = None
    note: str = ""


@attrs.frozen(kw_only=True)
class Target:
    """What the project set out to reach, beside what was measured.

    Attributes:
        name: What it is about.
        low: Lower end of the target, in `unit`.
        high: Upper end of the target, in `unit`.
        unit: `points` (percentage points) or `percent`.
        measured: In the same unit; None where it was not measured.
        outcome: `reached`, `missed`, `cannot tell` (the interval holds both) or `not measured`.
        note: Why it was not measured, or what a reader should know.
    """

    name: str
    low: float
    high: float
    unit: str
    measured: Interval | None
    outcome: str
    note: str = ""


@attrs.frozen(kw_only=True)
class RowResult:
    """What the router decided for one row, beside what was recorded.

    Attributes:
        id: The row's.
        query: The question.
        topic: Its topic; empty for none.
        policy: The decided policy.
        recorded_policy: The recorded one; the likeliest where scores were recorded.
        tier: The tier that the operating point picked.
        model: The model of that tier, whose outcome counts.
        confidence: That the decided policy is the recorded one, 0 to 1.
        expected_gain: What the router expected escalation to buy.
        actual_gain: Quality of the dearest tier minus the cheapest.
        quality: Quality of each tier's model, cheapest first.
        obtained: Quality of the tier that was decided for.
        grades: Grade of each tier's answer, cheapest first; its score as text where it has none.
        cost_usd: Cost of each tier's call, cheapest first, in US dollars; empty where it is unknown.
        unlike: Shift score; None where the checkpoint cannot tell.
        record: The decision with its trace, as `routesdk.record` writes it.
    """

    id: str
    query: str
    topic: str
    policy: str
    recorded_policy: str
    tier: str
    model: str
    confidence: float
    expected_gain: float
    actual_gain: float
    quality: tuple[float, ...]
    obtained: float
    grades: tuple[str, ...] = ()
    cost_usd: tuple[Decimal, ...] = ()
    unlike: float | None = None
    record: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=frozen, repr=False)


@attrs.frozen(kw_only=True)
class Evaluation:
    """What a router is worth on rows that it did not learn from.

    Attributes:
        tiers: The tiers with their models, cheapest first.
        rows: How many rows were measured on.
        left_out: Ids of rows that lack an outcome of a tier.
        verdict: Whether to route, in plain words.
        lines: The headline table: the router first, then every baseline.
        metrics: Every figure of the router, with its interval.
        curves: The router's cost-quality curve, and those of the baselines that rank.
        operating_point: Where the router stands on its curve.
        reliability: Whether its confidence means what it says.
        risk_coverage: Whether less confident decisions are wrong more often.
        breakdowns: By decided policy, by recorded policy, and by topic where rows have topics.
        confusion: The recorded policies against the decided ones.
        policy_shares: How often each policy was decided, beside how often it was recorded.
        model_shares: How often each tier's model was decided for.
        cells: The cells of grades, in the matrix's order; empty where scores were recorded.
        mistakes: The worst decisions, worst first.
        perturbations: Whether decisions stay where the wording changes; empty where not measured.
        reasonings: What its reasons are worth; None where not measured.
        latency: How long decisions take; None where not measured.
        cost: What the calls cost.
        shift: How many rows look unlike what it learned from.
        targets: What the project set out to reach, beside what was measured.
        provenance: What was evaluated with what.
        notes: What the figures leave out.
        resamples: How often rows were drawn behind every interval.
        seed: Seed of the draws.
        results: What was decided for each row; written to a file of its own.
    """

    tiers: tuple[Tier, ...]
    rows: int
    left_out: tuple[str, ...]
    verdict: Verdict
    lines: tuple[Line, ...]
    metrics: tuple[Metric, ...]
    curves: tuple[Curve, ...]
    operating_point: OperatingFigures
    reliability: Reliability
    risk_coverage: RiskCoverage
    breakdowns: tuple[Breakdown, ...]
    confusion: ConfusionTable
    policy_shares: tuple[Share, ...]
    model_shares: tuple[Share, ...]
    cells: tuple[Cell, ...]
    mistakes: tuple[Mistake, ...]
    perturbations: tuple[Perturbation, ...]
    reasonings: Reasonings | None
    latency: Latency | None
    cost: Cost
    shift: ShiftFigures
    targets: tuple[Target, ...]
    provenance: Provenance
    notes: tuple[str, ...]
    resamples: int
    seed: int
    results: tuple[RowResult, ...] = attrs.field(default=(), repr=False)

    @property
    def router(self) -> Line:
        """The router's own line of the headline table."""
        return self.lines[0]

    def line(self, name: str) -> Line:
        """Return a line of the headline table by its name.

        Raises:
            ConfigError: There is none of that name.
        """
        for each in self.lines:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.lines)
        raise ConfigError("name", repr(name), "no line has this name", f"Known: {known}.")

    def metric(self, key: str) -> Metric:
        """Return a figure of the router by its key.

        Raises:
            ConfigError: There is none of that key.
        """
        for each in self.metrics:
            if each.key == key:
                return each
        known = ", ".join(each.key for each in self.metrics)
        raise ConfigError("key", repr(key), "no metric has this key", f"Known: {known}.")
