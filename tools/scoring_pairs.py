"""How well a router does on the test rows of a pair: what its decisions say, beside what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from shared_sets import Pair

from routesdk import Router
from routesdk.pipeline.payoff import Scored, score_rows, with_all_outcomes
from routesdk.types import Example, Grade, Outcome

__all__ = ["Scored", "as_grades", "grade_of", "graded_by_both", "score"]


def graded_by_both(rows: Sequence[Example], pair: Pair) -> list[Example]:
    """Return the rows that both models of a pair answered."""
    return list(with_all_outcomes(rows, (pair.medium, pair.large))[0])


def as_grades(row: Example, pair: Pair) -> Example:
    """Return a row with grades alone, for trainers that need them: a score is CORRECT from 0.5 on."""
    outcomes = {
        name: attrs.evolve(row.outcomes[name], grade=grade_of(row.outcomes[name]), score=None)
        for name in (pair.medium, pair.large)
    }
    return attrs.evolve(row, outcomes=outcomes)


def grade_of(outcome: Outcome) -> Grade:
    """Return an outcome's grade; of a score, CORRECT from 0.5 on."""
    if outcome.grade is not None:
        return outcome.grade
    return Grade.CORRECT if outcome.quality >= 0.5 else Grade.INCORRECT


def score(router: Router, rows: Sequence[Example], pair: Pair) -> Scored:
    """Decide rows that both models answered, and set what was recorded beside the decisions."""
    return score_rows(router, rows, (pair.medium, pair.large))
