"""Offers the analyst `heuristic`: reasons from the look of a query, without any model."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Analyst, Component


def _heuristic() -> Analyst:
    from routesdk.plugins.heuristic.analyst import Heuristic

    return Heuristic()


@hookimpl
def routesdk_analysts() -> Iterable[Component[Analyst]]:
    """Offer reasons that cost nothing and are the same each time."""
    yield Component(
        name="heuristic",
        factory=_heuristic,
        summary="Reasons from the look of a query: what it asks for, how exactly, how long.",
    )
