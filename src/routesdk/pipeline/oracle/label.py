"""Labels from stored grades: a matrix applied to a journal's rows, and the table of its cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import attrs

from routesdk.errors import ConfigError
from routesdk.journal import TierOutcome, Work
from routesdk.journal.record import Row
from routesdk.protocols import Matrix
from routesdk.types import Answer, Example, FrozenMapping, Grade, Label, Usage, frozen

# Problems often name what they are about, and then no two are the same.
_MOST_PROBLEMS, _SHOWN_PROBLEMS = 1000, 3


def cell_name(grades: Sequence[Grade]) -> str:
    """Spell a cell by its grades' letters, cheapest tier first: `IC`."""
    return "".join(grade.value[0] for grade in grades)


def label(work: Work, matrix: Matrix) -> Label | None:
    """Label one row by a matrix.

    Args:
        work: The row, with a grade for every tier, or not.
        matrix: Turns the grades into a policy.

    Returns:
        The label; None for a row of which a tier has no grade: nothing is guessed.
    """
    if work.unscored or not work.outcomes:
        return None
    grades = work.grades
    policy = matrix.policy(grades)
    return Label(work.row.example.query.id, policy.name, grades, matrix.reason(grades))


def usable(work: Work) -> str:
    """Say why a row must be kept out of a labelled dataset; empty where it belongs there."""
    if not work.outcomes:
        return "it has no outcome"
    if work.unscored:
        return "; ".join(work.unscored)
    return f"its reason may not be used: {work.problem}" if work.problem else ""


@attrs.frozen(kw_only=True)
class Cell:
    """One cell of the table.

    Attributes:
        name: The grades' letters, cheapest tier first.
        policy: The matrix's policy for it.
        reason: Why the matrix gives it that policy.
        rows: How many rows fell into it.
        examples: A few of them.
    """

    name: str
    policy: str
    reason: str
    rows: int
    examples: tuple[Work, ...] = ()


@attrs.frozen(kw_only=True)
class CellTable:
    """How a pair of models, or more, did on the rows of an oracle.

    Attributes:
        tiers: The tiers' names, cheapest first.
        models: The models that stood for them.
        cells: The cells that have rows, most first.
        policies: Policy → rows.
        unscored: Rows that a tier has no grade for.
        problems: Why tiers have no grade → how often, the commonest first; a few of them.
        kept_out: Graded rows whose reason may not be used.
        rows: All finished rows.
    """

    tiers: tuple[str, ...]
    models: tuple[str, ...]
    cells: tuple[Cell, ...]
    policies: Mapping[str, int] = attrs.field(converter=frozen)
    unscored: int
    problems: Mapping[str, int] = attrs.field(converter=frozen)
    kept_out: int
    rows: int

    def count(self, name: str) -> int:
        """Return the rows of a cell, such as `IC`."""
        return next((cell.rows for cell in self.cells if cell.name == name), 0)


def cell_table(works: Iterable[Work], matrix: Matrix, *, examples: int = 0) -> CellTable:
    """Count the cells of finished rows.

    Args:
        works: The rows; streamed.
        matrix: Labels the cells.
        examples: How many rows to keep for each cell: those that come first.

    Raises:
        ConfigError: The matrix is for another number of tiers.
    """
    counts: Counter[tuple[Grade, ...]] = Counter()
    shown: dict[tuple[Grade, ...], list[Work]] = {}
    models: tuple[str, ...] = ()
    problems: Counter[str] = Counter()
    unscored = kept_out = rows = 0
    for work in works:
        rows += 1
        models = models or tuple(each.model for each in work.outcomes)
        if work.unscored:
            unscored += 1
            if len(problems) < _MOST_PROBLEMS or set(work.unscored) <= set(problems):
                problems.update(work.unscored)
            continue
        kept_out += bool(work.problem)
        counts[work.grades] += 1
        kept = shown.setdefault(work.grades, [])
        if len(kept) < examples:
            kept.append(work)
    cells = tuple(
        Cell(
            name=cell_name(grades),
            policy=matrix.policy(grades).name,
            reason=matrix.reason(grades),
            rows=count,
            examples=tuple(shown[grades]),
        )
        for grades, count in sorted(counts.items(), key=lambda item: (-item[1], cell_name(item[0])))
    )
    policies: Counter[str] = Counter()
    for cell in cells:
        policies[cell.policy] += cell.rows
    ordered = {policy.name: policies[policy.name] for policy in matrix.policies}
    return CellTable(
        tiers=tuple(matrix.tiers),
        models=models,
        cells=cells,
        policies=ordered,
        unscored=unscored,
        problems=dict(problems.most_common(_SHOWN_PROBLEMS)),
        kept_out=kept_out,
        rows=rows,
    )


def recorded_work(examples: Iterable[Example], models: Sequence[str]) -> Iterable[Work]:
    """Take recorded outcomes for finished rows, so that they can be counted and labelled like a run's.

    Args:
        examples: Rows with outcomes; streamed.
        models: Models that stand for the tiers, cheapest first.

    Yields:
        The rows that have an outcome of one of the models at least.

    Raises:
        ConfigError: No row has an outcome of one of them.
    """
    known: set[str] = set()
    for position, example in enumerate(examples):
        known |= set(example.outcomes)
        if not any(model in example.outcomes for model in models):
            continue
        yield _recorded(example, models, position)
    if missing := [model for model in models if model not in known]:
        fix = f"Models there: {', '.join(sorted(known)) or 'none'}."
        raise ConfigError("models", ", ".join(missing), "no row has an outcome of it", fix)


def _recorded(example: Example, models: Sequence[str], position: int) -> Work:
    outcomes, answers = [], []
    for model in models:
        outcome = example.outcomes.get(model)
        if outcome is None:
            grade, reason = None, "no outcome was recorded"
        elif outcome.grade is None:
            grade, reason = None, "a score was recorded, not a grade"
        else:
            grade, reason = outcome.grade, outcome.reason
        outcomes.append(TierOutcome(model=model, grade=grade, reason=reason))
        text = None if outcome is None else outcome.answer
        usage = Usage() if outcome is None or outcome.usage is None else outcome.usage
        answers.append(None if text is None else Answer(text=text, model=model, usage=usage))
    bare = attrs.evolve(example, outcomes=FrozenMapping())
    row = Row(example=bare, digest="", position=position)
    return Work(row=row, outcomes=tuple(outcomes), answers=tuple(answers), analysis="", problem="")
