"""How well a router does on the test rows of a pair: what its decisions say, beside what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

from shared_sets import Pair

from routesdk import Router
from routesdk.pipeline.payoff import Scored, score_rows, with_all_outcomes
from routesdk.types import Example

__all__ = ["Scored", "graded_by_both", "score"]


def graded_by_both(rows: Sequence[Example], pair: Pair) -> list[Example]:
    """Return the rows that both models of a pair answered."""
    return list(with_all_outcomes(rows, (pair.medium, pair.large))[0])


def score(router: Router, rows: Sequence[Example], pair: Pair) -> Scored:
    """Decide rows that both models answered, and set what was recorded beside the decisions."""
    return score_rows(router, rows, (pair.medium, pair.large))
