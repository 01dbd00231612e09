"""The parts of an evaluation that a reader looks into: groups, cells, mistakes, wording, reasons, times."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from routesdk.metrics import Interval
from routesdk.record import decision_from_dict
from routesdk.types import Decision, FrozenMapping, frozen


@attrs.frozen(kw_only=True)
class Share:
    """How often one policy, or one model, was chosen.

    Attributes:
        name: The policy's or the model's.
        decided: Share of the decisions, 0 to 1.
        recorded: Share of the rows whose recorded policy it is, 0 to 1; None for models.
    """

    name: str
    decided: Interval
    recorded: float | None = None


@attrs.frozen(kw_only=True)
class Group:
    """The rows of one topic, or of one policy.

    Attributes:
        name: The topic's or the policy's.
        rows: How many rows there are.
        accuracy: Of the answers that the router obtained.
        medium: Of the cheapest tier's answers.
        large: Of the dearest tier's answers.
        gained: `accuracy` minus `medium`, paired.
        large_share: Share of the calls that went to the dearest tier, 0 to 1.
        policy_accuracy: How often the decided policy is the recorded one, 0 to 1.
    """

    name: str
    rows: int
    accuracy: Interval
    medium: Interval
    large: Interval
    gained: Interval
    large_share: float
    policy_accuracy: float


@attrs.frozen(kw_only=True)
class Breakdown:
    """The rows parted in groups.

    Attributes:
        by: What parts them: `decided policy`, `recorded policy` or `topic`.
        groups: The largest first.
        note: What a reader should know of it, such as topics that were put together.
    """

    by: str
    groups: tuple[Group, ...]
    note: str = ""


@attrs.frozen(kw_only=True)
class ConfusionTable:
    """The recorded policies against the decided ones.

    Attributes:
        policies: In the order of rows and columns.
        table: A row for each recorded policy, a column for each decided one: how many rows of data
            there are; fractions where scores were recorded instead of grades.
    """

    policies: tuple[str, ...]
    table: tuple[tuple[float, ...], ...]


@attrs.frozen(kw_only=True)
class CellExample:
    """A question of a cell.

    Attributes:
        id: The row's.
        query: The question, shortened where it is long.
        policy: What the router decided.
        tier: The tier that it decided for.
        expected_gain: What it expected escalation to buy.
    """

    id: str
    query: str
    policy: str
    tier: str
    expected_gain: float


@attrs.frozen(kw_only=True)
class Cell:
    """The rows on which the tiers were graded alike.

    Attributes:
        grades: One grade a tier, cheapest first: CORRECT, INCORRECT or ABSTAINED.
        policy: What the matrix makes of them.
        reason: Why.
        rows: How many rows there are.
        large_share: Share of them whose call went to the dearest tier, 0 to 1.
        policy_accuracy: Share of them whose decided policy is the matrix's, 0 to 1.
        examples: A few of the questions.
    """

    grades: tuple[str, ...]
    policy: str
    reason: str
    rows: int
    large_share: float
    policy_accuracy: float
    examples: tuple[CellExample, ...]

    @property
    def letters(self) -> str:
        """The grades' first letters, such as `IC`."""
        return "".join(grade[0] for grade in self.grades)


@attrs.frozen(kw_only=True)
class Mistake:
    """A decision that cost quality, or money for nothing.

    Attributes:
        id: The row's.
        query: The question, shortened where it is long.
        topic: Its topic; empty for none.
        kind: `missed` (a dearer tier was right), `harmed` (a cheaper tier was right, and the one called
            was not) or `wasted` (a cheaper tier was as good).
        lost: Quality of the best tier minus the one obtained, 0 to 1; 0 where money alone was lost.
        actual_gain: Quality of the dearest tier minus the cheapest, -1 to 1.
        record: The decision with its trace, as `routesdk.record` writes it.
        answers: Model → its answer, shortened; where answers were recorded.
        grades: Model → its grade, or its score as text.
        reference: The right answer; empty where it was not recorded.
    """

    id: str
    query: str
    topic: str
    kind: str
    lost: float
    actual_gain: float
    record: Mapping[str, object] = attrs.field(converter=frozen)
    answers: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=frozen)
    grades: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=frozen)
    reference: str = ""

    @property
    def decision(self) -> Decision:
        """The decision, with its trace.

        Raises:
            ConfigError: The record was changed since it was written.
        """
        return decision_from_dict(self.record)


@attrs.frozen(kw_only=True)
class Perturbation:
    """Whether decisions stay where a question is written otherwise and means the same.

    Attributes:
        name: `case`, `typos`, `whitespace`, `politeness`, or another that was given.
        example: A question as it was changed.
        rows: How many questions it changed; the others are left out.
        same_tier: Share of them whose tier stayed, 0 to 1.
        same_policy: Share of them whose policy stayed, 0 to 1.
        gain_shift: Mean absolute change of the expected gain.
    """

    name: str
    example: str
    rows: int
    same_tier: Interval
    same_policy: Interval
    gain_shift: Interval


@attrs.frozen(kw_only=True)
class Reasonings:
    """What the reasons that the router writes are worth.

    Attributes:
        rows: How many were looked at.
        parses: Share that is one line of text.
        agrees: Share that agrees with the decided policy.
        names_query: Share that names something of its query.
        gives_away: Share that gives a reference or an answer away; lower is better.
        note: How the rows were chosen.
    """

    rows: int
    parses: Interval
    agrees: Interval
    names_query: Interval
    gives_away: Interval
    note: str = ""


@attrs.frozen(kw_only=True)
class Latency:
    """How long decisions take on the machine that evaluated; not the same twice.

    Attributes:
        p50_ms: Median of a decision made alone, in milliseconds.
        p95_ms: 95th percentile, in milliseconds.
        p99_ms: 99th percentile, in milliseconds.
        decisions: How many were timed.
        batch_per_s: Decisions a second where all rows are given at once.
        batch: How many rows that were.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    decisions: int
    batch_per_s: float
    batch: int
