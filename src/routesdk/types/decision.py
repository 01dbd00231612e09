"""One record that tells the whole story of a decision."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import ConfigError
from routesdk.types.money import Spend
from routesdk.types.prediction import Prediction
from routesdk.types.query import Query

if TYPE_CHECKING:
    from routesdk.catalogue import Catalogue


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        problem, fix = "not a list of numbers", "Give one gain in [-1, 1] a step."
        raise ConfigError("operating_point.thresholds", repr(values), problem, fix)
    return tuple(values)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


@attrs.frozen
class OperatingPoint:
    """Thresholds on expected gain between neighbouring tiers.

    A query climbs from a tier to the next while the gain expected of that
    step is at least the step's threshold.

    Attributes:
        thresholds: One a step, cheapest first: `tiers - 1` numbers; infinity never climbs.
        large_share: The share of calls it was meant to send up the first step,
            or None where the caller set thresholds.
        source: Who chose it: `checkpoint`, `caller` or `calibration`.

    Raises:
        ConfigError: A threshold is no number, or the share no share.
    """

    thresholds: tuple[float, ...] = attrs.field(converter=_numbers)
    large_share: float | None = None
    source: str = "caller"

    def __attrs_post_init__(self) -> None:
        for threshold in self.thresholds:
            if not _is_number(threshold):
                problem, fix = "not a number", "Give one gain in [-1, 1] a step."
                raise ConfigError("operating_point.thresholds", repr(threshold), problem, fix)
        share = self.large_share
        if share is not None and not (_is_number(share) and 0.0 <= share <= 1.0):
            problem, fix = "not a share from 0 to 1", "Give 0.2 for a fifth of the calls, or None."
            raise ConfigError("operating_point.large_share", repr(share), problem, fix)


class Stage(enum.Enum):
    """The part of the mapping that a step of a trace belongs to."""

    DEFAULT = "default"
    OVERRIDE = "override"
    CONSTRAINT = "constraint"
    SKIPPED = "skipped"
    FALLBACK = "fallback"


@attrs.frozen
class TraceStep:
    """One step of the way from policy to model.

    Attributes:
        stage: Which part of the mapping spoke.
        source: `policy map`, the rule's name, or `fallback`.
        model: The model that it proposed, or refused.
        chosen: The model that stood after this step; a proposal that was
            overruled leaves it as it was.
        reason: Why, in a sentence.
    """

    stage: Stage
    source: str
    model: str
    chosen: str
    reason: str

    @property
    def overruled(self) -> bool:
        """Whether this step's wish did not come true."""
        return self.stage is Stage.OVERRIDE and self.model != self.chosen


@attrs.frozen
class Proposal:
    """A rule's wish for a model, with its reason."""

    model: str
    reason: str


@attrs.frozen
class Refusal:
    """A constraint's refusal of a model, with its reason."""

    reason: str


@attrs.frozen(kw_only=True)
class RouteContext:
    """What a rule may look at. Rules do no I/O: the spend is a snapshot.

    Attributes:
        query: What was asked.
        prediction: What the policy model expects.
        policy: The policy that was decided.
        default_model: The model that the policy map gives.
        models: The tiers' models, cheapest first.
        catalogue: Prices and context lengths.
        spend: What had been spent when the decision began.
    """

    query: Query
    prediction: Prediction
    policy: str
    default_model: str
    models: tuple[str, ...]
    catalogue: Catalogue
    spend: Spend


@attrs.frozen(kw_only=True)
class Decision:
    """Which policy holds for a query, which model serves it, and why.

    Attributes:
        query_id: The query's id.
        policy: The policy's name.
        tier: The tier that the operating point picked.
        model: The model that the mapping chose; once a fallback has answered, that one.
        confidence: Calibrated probability that `policy` is the oracle's.
        prediction: Probabilities over policies, and the gain of escalating.
        operating_point: The thresholds that were in force.
        trace: Every rule that fired, was overruled, or was skipped.
        notices: What the reader should know: text that was cut, a model that
            the router never learned from.
        estimated_cost_usd: US dollars expected for the call; None where unknown.
        cost_note: How the estimate was made, or why there is none.
        checkpoint_id: The checkpoint that decided.
        explanation: The policy model's reason; only when it was asked for.
        call_id: Unique to the call that the decision led to, and what joins answers to
            it in a log: equal questions have equal query ids. Empty where nothing was called.
        shift_score: How unlike what the router learned from the query looks, 0 to 1; a notice
            stands beside it from the router's threshold on. None where the checkpoint cannot tell.
    """

    query_id: str
    policy: str
    tier: str
    model: str
    confidence: float
    prediction: Prediction
    operating_point: OperatingPoint
    trace: tuple[TraceStep, ...]
    notices: tuple[str, ...] = ()
    estimated_cost_usd: Decimal | None = None
    cost_note: str = ""
    checkpoint_id: str = ""
    explanation: str | None = None
    call_id: str = ""
    shift_score: float | None = None

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Policy → probability; they sum to one."""
        return self.prediction.probabilities

    @property
    def expected_gain(self) -> float:
        """P(dearest tier correct) - P(cheapest tier correct): what escalating buys, in [-1, 1]."""
        return self.prediction.expected_gain
