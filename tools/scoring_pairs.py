"""How well a router does on the test rows of a pair: what its decisions say, beside what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
from shared_sets import Pair

from routesdk import Router
from routesdk.types import Example, Grade, Outcome

Floats = npt.NDArray[np.float64]


@attrs.frozen(kw_only=True, eq=False)
class Scored:
    """The test rows of one pair, decided.

    Attributes:
        gain: Expected gain, (rows,).
        confidence: Confidence in the decided policy, (rows,).
        hit: Probability that the decided policy is the recorded one, (rows,); 0 or 1 for grades.
        large_called: Whether the decision is for the large model, (rows,).
        medium: Quality of the medium model, (rows,).
        large: Quality of the large model, (rows,).
        length: Characters of the query, (rows,).
    """

    gain: Floats
    confidence: Floats
    hit: Floats
    large_called: npt.NDArray[np.bool_]
    medium: Floats
    large: Floats
    length: Floats


def graded_by_both(rows: Sequence[Example], pair: Pair) -> list[Example]:
    """Return the rows that both models of a pair answered."""
    return [row for row in rows if pair.medium in row.outcomes and pair.large in row.outcomes]


def score(router: Router, rows: Sequence[Example], pair: Pair) -> Scored:
    """Decide rows that both models answered, and set what was recorded beside the decisions."""
    decisions = router.route_batch([row.query for row in rows])
    outcomes = [(row.outcomes[pair.medium], row.outcomes[pair.large]) for row in rows]
    large_tier = router.tiers[-1].name
    return Scored(
        gain=np.array([decision.expected_gain for decision in decisions]),
        confidence=np.array([decision.confidence for decision in decisions]),
        hit=np.array(
            [
                _chance(router, decision.policy, *both)
                for decision, both in zip(decisions, outcomes, strict=True)
            ]
        ),
        large_called=np.array([decision.tier == large_tier for decision in decisions]),
        medium=np.array([medium.quality for medium, _ in outcomes]),
        large=np.array([large.quality for _, large in outcomes]),
        length=np.array([float(len(row.query.text)) for row in rows]),
    )


def _chance(router: Router, policy: str, medium: Outcome, large: Outcome) -> float:
    """Return the probability that a policy is the recorded one; scores count as independent chances."""
    return sum(
        chance * other
        for grade, chance in _grades(medium)
        for large_grade, other in _grades(large)
        if router.matrix.policy((grade, large_grade)).name == policy
    )


def _grades(outcome: Outcome) -> tuple[tuple[Grade, float], ...]:
    if outcome.grade is not None:
        return ((outcome.grade, 1.0),)
    return ((Grade.CORRECT, outcome.quality), (Grade.INCORRECT, 1.0 - outcome.quality))
