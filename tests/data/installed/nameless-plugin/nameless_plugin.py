"""A plugin of a distribution whose metadata has neither a name nor a version."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Judge
from routesdk.testing import FakeJudge


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    yield Component(name="of-nobody", factory=FakeJudge)
