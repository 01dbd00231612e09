"""Probes of a judge: what must not move a verdict, and whether it does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import compress
from typing import TypeVar

import attrs

from routesdk.metrics import Interval, agreement_interval
from routesdk.pipeline.grading import Item, is_unasked
from routesdk.pipeline.yardstick import AuditRow
from routesdk.types import Unscored, Verdict

Kept = TypeVar("Kept")

_FRAMES = (
    "As {name}, I can say this: {answer}",
    "{answer}\n\n— answered by {name}",
    "{name}: {answer}",
)
"""How a model's name gets into an answer: it introduces itself, signs, or heads its turn."""

_NAMES = ("GPT-4", "Claude", "Gemini 2.5 Pro", "Llama 3", "Mistral Large", "a small open model")
_SHOWN = 5


@attrs.frozen(kw_only=True)
class Moved:
    """One verdict that a probe moved.

    Attributes:
        row: Number of the row among the audit's, from 0.
        question_id: The question's id.
        system: Who answered.
        before: The grade without the change, or `UNSCORED`.
        after: The grade with it.
        change: What was changed.
    """

    row: int
    question_id: str
    system: str
    before: str
    after: str
    change: str


@attrs.frozen(kw_only=True)
class Probe:
    """How often something that must not matter moved a verdict.

    Attributes:
        name: `order` or `name`.
        rows: Verdicts that were compared.
        unasked: Rows left out, since the judge's model could not be asked with or without the change.
        moved: How many differed.
        share: The share that differed, from 0 to 1, with its interval; None where none was compared.
        examples: The first of them.
    """

    name: str
    rows: int
    moved: int
    share: Interval | None
    examples: tuple[Moved, ...]
    unasked: int = 0


def label_of(said: Verdict | Unscored) -> str:
    """Return a verdict's grade as text, `UNSCORED` where there is none."""
    return said.grade.value if isinstance(said, Verdict) else "UNSCORED"


def shuffled(rows: int, seed: int) -> list[int]:
    """Return the rows' numbers in another order, the same for the same seed."""
    order = list(range(rows))
    random.Random(seed).shuffle(order)
    return order


def named(item: Item, number: int) -> tuple[Item, str]:
    """Return an answer with a model's name in it, and how it got there; another by each number."""
    name = _NAMES[number % len(_NAMES)]
    frame = _FRAMES[number // len(_NAMES) % len(_FRAMES)]
    answer = frame.replace("{name}", name).replace("{answer}", item.answer)
    return attrs.evolve(item, answer=answer), frame.replace("{name}", name).replace("{answer}", "…")


def compare_probe(
    name: str,
    before: Sequence[Verdict | Unscored],
    after: Sequence[Verdict | Unscored],
    changes: Sequence[str],
    *,
    numbers: Sequence[int],
    rows: Sequence[AuditRow],
    resamples: int,
    seed: int,
) -> Probe:
    """Compare verdicts before and after a change, row by row.

    An outage moves no verdict: a row that the judge could not be asked about is left out.

    Args:
        name: The probe's name.
        before: Verdicts without the change, (rows,).
        after: Verdicts with it, (rows,).
        changes: What was changed, (rows,).
        numbers: The rows' numbers in the audit, (rows,).
        rows: The rows; those of one question are drawn together, (rows,).
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    asked = [not (is_unasked(one) or is_unasked(two)) for one, two in zip(before, after, strict=True)]
    unasked = len(asked) - sum(asked)
    numbers, changes, rows = _kept(numbers, asked), _kept(changes, asked), _kept(rows, asked)
    before, after = _kept(before, asked), _kept(after, asked)
    if not rows:
        return Probe(name=name, rows=0, moved=0, share=None, examples=(), unasked=unasked)
    pairs = [(label_of(one), label_of(two)) for one, two in zip(before, after, strict=True)]
    moved = [
        Moved(
            row=number,
            question_id=row.question_id,
            system=row.system,
            before=one,
            after=two,
            change=change,
        )
        for number, row, change, (one, two) in zip(numbers, rows, changes, pairs, strict=True)
        if one != two
    ]
    # The share that moved is the share on which the verdict and "it stayed" disagree.
    questions = [row.question_id for row in rows]
    stayed = ["stayed"] * len(pairs)
    went = ["stayed" if one == two else "moved" for one, two in pairs]
    same = agreement_interval(went, stayed, questions, resamples=resamples, seed=seed)
    share = attrs.evolve(
        same, metric="share moved", value=1 - same.value, low=1 - same.high, high=1 - same.low
    )
    return Probe(
        name=name,
        rows=len(pairs),
        moved=len(moved),
        share=share,
        examples=tuple(moved[:_SHOWN]),
        unasked=unasked,
    )


def _kept(column: Sequence[Kept], asked: Sequence[bool]) -> Sequence[Kept]:
    return list(compress(column, asked))
