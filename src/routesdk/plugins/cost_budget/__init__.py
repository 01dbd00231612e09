"""Plugin `cost-budget`: keep to the cheapest tier once a share of a budget is spent."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.cost_budget.budget import CostBudget
from routesdk.protocols import Component, Constraint


@hookimpl
def routesdk_rules() -> Iterable[Component[Constraint]]:
    """Offer `cost-budget`."""
    yield Component(
        name="cost-budget",
        factory=CostBudget,
        summary="Keep to the cheapest tier once a share of a budget is spent.",
    )
