"""A plugin whose entry point has the name of `good-plugin`'s."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Judge
from routesdk.testing import FakeJudge


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    yield Component(name="of-the-twin", factory=FakeJudge, summary="A fake.")
