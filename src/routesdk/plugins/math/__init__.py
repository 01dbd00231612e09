"""Plugin `math`: choose a model for queries with arithmetic or mathematical terms."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.math.rule import Math
from routesdk.protocols import Component, Rule


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `math`."""
    yield Component(
        name="math", factory=Math, summary="Choose a model for queries with arithmetic or mathematical terms."
    )
