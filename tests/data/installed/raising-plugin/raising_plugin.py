"""A plugin that raises in one offering hook and in its observer; its other hook works."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Judge, Rule
from routesdk.testing import FakeJudge
from routesdk.types import Decision


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    yield Component(name="half-offered", factory=dict)
    raise LookupError("no rules today")


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    yield Component(name="still-there", factory=FakeJudge, summary="A fake.")


@hookimpl
def routesdk_routed(decision: Decision) -> None:
    raise ValueError(f"no note of {decision.query_id}")
