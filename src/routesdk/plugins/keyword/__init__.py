"""Plugin `keyword`: choose a model for queries that have a word."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.keyword.rule import Keyword
from routesdk.protocols import Component, Rule


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `keyword`."""
    yield Component(
        name="keyword", factory=Keyword, summary="Choose a model for queries that have one of some words."
    )
