"""A plugin with a hook that routesdk does not have, and one that it has."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Judge
from routesdk.testing import FakeJudge


@hookimpl
def routesdk_juges() -> Iterable[Component[Judge]]:
    yield Component(name="never-offered", factory=FakeJudge)


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    yield Component(name="well-spelt", factory=FakeJudge, summary="A fake.")
