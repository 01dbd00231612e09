"""Plugin `length`: choose a model by how long the query is."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.length.rule import Length
from routesdk.protocols import Component, Rule


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `length`."""
    yield Component(name="length", factory=Length, summary="Choose a model by the query's number of words.")
