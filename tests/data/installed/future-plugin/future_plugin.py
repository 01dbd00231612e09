"""A plugin with one part of today and one that a later contract is needed for."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Judge
from routesdk.testing import FakeJudge


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    yield Component(name="of-today", factory=FakeJudge, summary="A fake.")
    yield Component(name="of-tomorrow", factory=FakeJudge, summary="A fake.", api=99)
