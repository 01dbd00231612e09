"""Answers with verdicts on record: what judges are measured by."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

import attrs

from routesdk.errors import ConfigError
from routesdk.pipeline.grading import Item
from routesdk.types import Example, Grade


@attrs.frozen(kw_only=True)
class AuditRow:
    """One answer with the verdict that it is known by.

    Attributes:
        question_id: The question's id: answers to one question are drawn together.
        system: Who answered; never shown to a judge.
        item: What a judge sees.
        human: The verdict on record.
    """

    question_id: str
    system: str
    item: Item
    human: Grade


@attrs.frozen(kw_only=True)
class AuditData:
    """The answers of a file that a judge can be audited on, and how many cannot serve.

    Attributes:
        rows: The answers.
        questions: How many questions they are of.
        without_answer: Outcomes whose text was not kept.
        without_grade: Outcomes with a score in place of a grade.
        without_reference: Outcomes of questions that have no reference.
    """

    rows: tuple[AuditRow, ...]
    questions: int
    without_answer: int = 0
    without_grade: int = 0
    without_reference: int = 0

    @cached_property
    def three_way(self) -> bool:
        """Whether the verdicts on record tell abstentions from errors."""
        return any(row.human is Grade.ABSTAINED for row in self.rows)


def read_audit(examples: Iterable[Example], *, limit: int | None = None) -> AuditData:
    """Collect the answers with verdicts.

    Args:
        examples: Questions with recorded outcomes.
        limit: How many questions to take, chosen by the hash of their ids; None for all.

    Raises:
        ConfigError: No outcome has a reference, an answer and a grade.
    """
    taken = examples if limit is None else heapq.nsmallest(limit, examples, key=lambda each: _hash(each.id))
    rows: list[AuditRow] = []
    left: Counter[str] = Counter()
    for example in taken:
        for outcome in example.outcomes.values():
            if example.reference is None:
                left["reference"] += 1
            elif outcome.answer is None:
                left["answer"] += 1
            elif outcome.grade is None:
                left["grade"] += 1
            else:
                item = Item(question=example.query.text, reference=example.reference, answer=outcome.answer)
                row = AuditRow(question_id=example.id, system=outcome.model, item=item, human=outcome.grade)
                rows.append(row)
    if not rows:
        raise ConfigError(
            "data",
            f"{sum(left.values())} outcomes",
            "none has a reference, an answer's text and a grade",
            'Give rows like {"id", "query", "reference", "outcomes": {MODEL: {"grade", "answer"}}}.',
        )
    return AuditData(
        rows=tuple(rows),
        questions=len({row.question_id for row in rows}),
        without_answer=left["answer"],
        without_grade=left["grade"],
        without_reference=left["reference"],
    )


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
