"""What a journal holds, as types."""

from __future__ import annotations

import attrs

from routesdk.types import Answer, Example, Grade, Query


@attrs.frozen(kw_only=True)
class Call:
    """One call that is about to be made.

    Attributes:
        key: See `call_key`.
        role: What it is for: `answer`, `verdict` or `reason`.
        question: Hash of the question that it is about: rows that ask the same share their calls.
        provider: Who is asked.
        model: The model.
        prompt: Hash of the system instruction and prompt version; the journal has the texts.
        sample: Which answer to the same request this is.
    """

    key: bytes
    role: str
    question: str
    provider: str
    model: str
    prompt: str = ""
    sample: int = 0


@attrs.frozen(kw_only=True)
class Row:
    """One question of a run.

    Attributes:
        example: The question, with its reference.
        digest: Changes with the question, the reference and everything that is asked about them.
        position: Its place in the benchmark, from 0.
    """

    example: Example
    digest: str
    position: int

    @property
    def question(self) -> str:
        """Hash of what is asked, whatever the row's id."""
        query = self.example.query
        return Query(query.text, query.messages).id


@attrs.frozen(kw_only=True)
class TierOutcome:
    """How one tier's model did on one row.

    Attributes:
        model: The model.
        grade: The judge's grade; None where there is none.
        reason: The judge's reason, or why there is no grade.
        answer_key: Key of the answering call; None where no answer came.
        verdict_key: Key of the judging call; None for a judge that makes none.
    """

    model: str
    grade: Grade | None
    reason: str
    answer_key: bytes | None = None
    verdict_key: bytes | None = None


@attrs.frozen(kw_only=True)
class Work:
    """A finished row, as it is read back.

    Attributes:
        row: The question.
        outcomes: One a tier, cheapest first.
        answers: The answers, in the same order; None where no answer came.
        analysis: The analyst's reason; empty where there is none.
        problem: Why the reason may not be used; empty where it may.
    """

    row: Row
    outcomes: tuple[TierOutcome, ...]
    answers: tuple[Answer | None, ...]
    analysis: str
    problem: str

    @property
    def unscored(self) -> tuple[str, ...]:
        """Why tiers have no grade: `model: reason`, one each; empty where all are graded."""
        return tuple(f"{each.model}: {each.reason}" for each in self.outcomes if each.grade is None)

    @property
    def grades(self) -> tuple[Grade, ...]:
        """The grades, cheapest tier first; of the graded tiers alone."""
        return tuple(each.grade for each in self.outcomes if each.grade is not None)


@attrs.frozen(kw_only=True)
class Ledger:
    """What a run has cost, in nano-dollars.

    Attributes:
        settled_nano: Paid for certain.
        unknown_nano: The worst case of calls whose end nobody knows; it counts against budgets.
        open_nano: The worst case of calls under way.
    """

    settled_nano: int = 0
    unknown_nano: int = 0
    open_nano: int = 0

    @property
    def total_nano(self) -> int:
        """What a budget is held against."""
        return self.settled_nano + self.unknown_nano + self.open_nano
