"""A plugin that offers a name which `good-plugin` offers too."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Rule
from routesdk.types import RouteContext


@attrs.frozen
class Silent:
    def propose(self, context: RouteContext) -> None:
        return None


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    yield Component(name="pin-tag", factory=Silent, summary="Says nothing.")
    yield Component(name="silent", factory=Silent, summary="Says nothing.")
