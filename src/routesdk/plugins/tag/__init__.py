"""Plugin `tag`: choose a model for queries that the caller has tagged."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.tag.rule import Tag
from routesdk.protocols import Component, Rule


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `tag`."""
    yield Component(name="tag", factory=Tag, summary="Choose a model for queries that have a tag.")
