"""What an evaluation draws from: rows, what was decided for them, and what every choice would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from routesdk.pipeline.evaluation.figures import BEST_SINGLE, ROUTER
from routesdk.pipeline.evaluation.pricing import Costs
from routesdk.pipeline.payoff import Scored
from routesdk.pipeline.payoff.figures import ORACLE
from routesdk.pipeline.payoff.sampling import Floats
from routesdk.pipeline.payoff.yardstick import Rows, baseline_rankings, baseline_shares
from routesdk.router import Router
from routesdk.types import Decision, Example, Grade, Outcome


@attrs.frozen(kw_only=True, eq=False)
class Material:
    """Rows that one router decided, beside what was recorded.

    Attributes:
        router: Who decided.
        rows: The rows.
        decisions: What was decided, a row each.
        scored: The same as arrays, beside what was recorded.
        costs: What every tier's call would have cost.
        shares: The router and every baseline → how surely each calls each tier, (rows, tiers).
        rankings: The router and the baselines that rank → what they do it by, (rows,).
        best_single: Place of the tier that is the most accurate on these rows.
    """

    router: Router
    rows: Sequence[Example]
    decisions: Sequence[Decision]
    scored: Scored
    costs: Costs
    shares: Mapping[str, Floats]
    rankings: Mapping[str, Floats]
    best_single: int

    @classmethod
    def of(
        cls,
        router: Router,
        rows: Sequence[Example],
        decisions: Sequence[Decision],
        scored: Scored,
        costs: Costs,
    ) -> Material:
        """Set baselines beside the decisions, at the router's own share of calls of each tier."""
        known = Rows(tiers=router.tiers, quality=scored.quality, length=scored.length)
        tiers = len(router.tiers)
        # The first of the best is the cheapest.
        best = int(scored.quality.mean(axis=0).argmax())
        found = baseline_shares(known, scored.tier_shares)
        # The oracle stands last in tables: nobody reaches it.
        shares = {
            ROUTER: np.eye(tiers)[scored.tier],
            **{name: share for name, share in found.items() if name != ORACLE},
            BEST_SINGLE: np.tile(np.eye(tiers)[best], (len(rows), 1)),
            ORACLE: found[ORACLE],
        }
        return cls(
            router=router,
            rows=rows,
            decisions=decisions,
            scored=scored,
            costs=costs,
            shares=shares,
            rankings={ROUTER: scored.gain, **baseline_rankings(known)},
            best_single=best,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def actual_gain(self) -> Floats:
        """Quality of the dearest tier minus the cheapest, (rows,)."""
        return self.scored.large - self.scored.medium

    @property
    def cost_table(self) -> Floats | None:
        """US dollars of every tier's call, (rows, tiers); None where prices are unknown."""
        return self.costs.table()

    def grades(self) -> list[tuple[Grade, ...] | None]:
        """Return each row's grades, cheapest tier first; None for rows that have scores between 0 and 1.

        A score of 1 counts as CORRECT and one of 0 as INCORRECT.
        """
        models = [tier.model for tier in self.router.tiers]
        return [_grades([row.outcomes[model] for model in models]) for row in self.rows]


def _grades(outcomes: Sequence[Outcome]) -> tuple[Grade, ...] | None:
    found = [_grade(outcome) for outcome in outcomes]
    graded = tuple(grade for grade in found if grade is not None)
    return graded if len(graded) == len(found) else None


def _grade(outcome: Outcome) -> Grade | None:
    if outcome.grade is not None:
        return outcome.grade
    return {1.0: Grade.CORRECT, 0.0: Grade.INCORRECT}.get(outcome.quality)
