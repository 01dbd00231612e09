"""Requests, answers, verdicts, and the rows that evidence is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from routesdk.errors import ConfigError
from routesdk.types.frozen import FrozenMapping, frozen, frozen_throughout
from routesdk.types.money import Usage
from routesdk.types.policy import Grade
from routesdk.types.query import Query


def _schema(schema: Mapping[str, object] | None) -> Mapping[str, object] | None:
    return None if schema is None else cast("Mapping[str, object]", frozen_throughout(schema))


@attrs.frozen(kw_only=True)
class Request:
    """One call to a model.

    Attributes:
        query: What to ask.
        model: The model's name, as the provider spells it.
        system: System instruction; empty for none.
        max_output_tokens: Cap on the answer, thinking included; None leaves it to the provider.
        temperature: Sampling temperature; None leaves it to the provider.
        thinking_tokens: Cap on the tokens spent on thinking; 0 asks for none, None leaves
            it to the provider. A backend whose provider knows no such cap passes it over.
        response_schema: JSON schema that the answer's text must fit; None for free text.
        timeout_s: Deadline of the call, in seconds.
    """

    query: Query
    model: str
    system: str = ""
    max_output_tokens: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    temperature: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    thinking_tokens: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    response_schema: Mapping[str, object] | None = attrs.field(default=None, converter=_schema)
    timeout_s: float = attrs.field(default=120.0, validator=attrs.validators.gt(0))


BROKEN_OFF = ("cancelled", "failed")
"""Finish reasons of calls that gave no whole answer and may have cost money all the same."""


@attrs.frozen(kw_only=True)
class Answer:
    """A model's text, with what it used.

    Attributes:
        text: The answer.
        model: The model that wrote it.
        usage: Tokens, cost and latency.
        finish_reason: Why the model stopped, in the provider's word; `cancelled` or `failed`
            where the call broke off: then the text is what had arrived, and the cost, unless
            tokens were counted, what the call may have cost at the most.
    """

    text: str
    model: str
    usage: Usage = attrs.field(factory=Usage)
    finish_reason: str = "stop"


@attrs.frozen(kw_only=True)
class Chunk:
    """A piece of a streamed answer; the last one carries the usage and no more text is to come.

    Attributes:
        text: The piece, possibly empty.
        usage: None but on the last chunk.
        finish_reason: None but on the last chunk.
    """

    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None


@attrs.frozen
class Verdict:
    """A judge's grade of one answer, with its reason."""

    grade: Grade
    reason: str = ""


@attrs.frozen
class Unscored:
    """An answer that no judge could grade; it is not an abstention, and it makes no label."""

    reason: str


@attrs.frozen(kw_only=True)
class Outcome:
    """How one model did on one question: a grade, or a score where grades were not recorded.

    Attributes:
        model: The model that answered.
        grade: The judge's grade, if there is one.
        score: Quality in [0, 1], if that is what was recorded.
        answer: The answer's text, if it was kept.
        usage: What the call used, if that was recorded.
        reason: Why the judge gave this grade; empty where it gave no reason.
    """

    model: str
    grade: Grade | None = None
    score: float | None = None
    answer: str | None = None
    usage: Usage | None = None
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError("outcome.model", repr(self.model), "not a model's name", "Name the model.")
        if (self.grade is None) == (self.score is None):
            raise ConfigError(
                "outcome", self.model, "has neither or both of grade and score", "Give one of the two."
            )
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ConfigError(
                "outcome.score", str(self.score), "lies outside [0, 1]", "Scale scores to [0, 1]."
            )

    @property
    def quality(self) -> float:
        """Expected quality in [0, 1]: the score, or 1 for CORRECT and 0 for the other grades."""
        return float(self.grade is Grade.CORRECT) if self.score is None else self.score


def _outcomes(outcomes: Mapping[str, Outcome]) -> FrozenMapping[str, Outcome]:
    # A converter of its own: type checkers lose the type variables of a generic one.
    return frozen(outcomes)


@attrs.frozen(kw_only=True)
class Example:
    """A benchmark's question, with its reference and whatever outcomes are known.

    Attributes:
        id: Unique within its benchmark.
        query: The question.
        reference: The right answer, if the benchmark has one.
        topic: The benchmark's own topic, if it has one.
        outcomes: Model → how it did; empty before an oracle has run.
    """

    id: str
    query: Query
    reference: str | None = None
    topic: str | None = None
    outcomes: Mapping[str, Outcome] = attrs.field(factory=FrozenMapping, converter=_outcomes)
