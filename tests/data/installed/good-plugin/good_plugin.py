"""A plugin without faults: a rule, a constraint, an observer, and a part that needs a package."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Backend, Component, Constraint, Rule
from routesdk.types import Decision, Proposal, Refusal, RouteContext


@attrs.frozen(kw_only=True)
class PinTag:
    tag: str
    model: str

    def propose(self, context: RouteContext) -> Proposal | None:
        if self.tag not in context.query.tags:
            return None
        return Proposal(model=self.model, reason=f"tag {self.tag!r} is pinned")


@attrs.frozen
class Forbid:
    model: str

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        return Refusal("forbidden") if model == self.model else None


def _heavy() -> Backend:
    import a_package_that_nobody_has

    backend: Backend = a_package_that_nobody_has.Backend()
    return backend


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule | Constraint]]:
    yield Component(name="pin-tag", factory=PinTag, summary="Pin a tag.")
    yield Component(name="forbid", factory=Forbid, summary="Forbid a model.")


@hookimpl
def routesdk_backends() -> Iterable[Component[Backend]]:
    yield Component(name="heavy", factory=_heavy, install="pip install heavy-package")
    yield Component(name="heavy-without-hint", factory=_heavy)


told: list[Decision] = []


@hookimpl
def routesdk_routed(decision: Decision) -> None:
    told.append(decision)
