"""What a verdict is found from: the lines of the headline table, and what else bears on them."""

from __future__ import annotations

import attrs

from routesdk.metrics import Interval
from routesdk.pipeline.evaluation.basis import Cost, ShiftFigures
from routesdk.pipeline.evaluation.figures import Line
from routesdk.types import Tier


@attrs.frozen(kw_only=True)
class Case:
    """What a verdict is found from.

    Attributes:
        tiers: The tiers, cheapest first.
        rows: How many rows were measured on.
        router: The router's line.
        others: The baselines' lines by name.
        gap: Accuracy of the dearest tier minus the cheapest.
        cost: What the calls cost.
        constant: Whether the router expects the same gain for every row.
        shift: How many rows look unlike what the router learned from.
        meant_share: Share of calls that its operating point was meant to send up; None where not said.
    """

    tiers: tuple[Tier, ...]
    rows: int
    router: Line
    others: dict[str, Line]
    gap: Interval
    cost: Cost
    constant: bool
    shift: ShiftFigures
    meant_share: float | None = None

    def always(self, tier: Tier) -> Line:
        """Return the line of always calling a tier."""
        return self.others[f"always {tier.name}"]

    @property
    def cheap(self) -> Line:
        """The line of always calling the cheapest tier."""
        return self.always(self.tiers[0])

    @property
    def dear(self) -> Line:
        """The line of always calling the dearest tier."""
        return self.always(self.tiers[-1])

    def costs_no_more(self, tier: Tier) -> bool:
        """Tell whether always calling a tier is known to cost no more than the router."""
        ours, theirs = self.router.cost_usd, self.always(tier).cost_usd
        return ours is not None and theirs is not None and theirs.value <= ours.value
