"""A rule that proposes a model, and a constraint that forbids some."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from routesdk import Component, PluginHost, Proposal, Refusal, RouteContext, hookimpl
from routesdk.protocols import Constraint, Rule
from routesdk.testing import check_rule, make_context


@attrs.frozen(kw_only=True)
class PinTag:
    """Send every query tagged `tag` to `model`."""

    tag: str
    model: str

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model, or leave the decision alone."""
        if self.tag not in context.query.tags:
            return None
        return Proposal(self.model, f"tag {self.tag!r} is pinned")


@attrs.frozen(kw_only=True)
class OnlyIn:
    """Keep queries tagged `private` to `allowed` models."""

    allowed: tuple[str, ...]

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        """Refuse the model, or allow it."""
        if "private" not in context.query.tags or model in self.allowed:
            return None
        return Refusal(f"a private query may not leave for {model}")


class HouseRules:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_rules(self) -> Iterable[Component[Rule | Constraint]]:
        """Offer `pin-tag` and `only-in`."""
        yield Component(name="pin-tag", factory=PinTag, summary="Pin a tag to a model.")
        yield Component(name="only-in", factory=OnlyIn, summary="Keep private queries in the house.")


host = PluginHost([HouseRules()])
rule = host.rule("pin-tag", tag="law", model="large-model")
check_rule(rule, contexts=[make_context("May I sue?", tags={"law"})])
constraint = host.rule("only-in", allowed=["medium-model"])
check_rule(constraint, contexts=[make_context("Who am I?", tags={"private"})])
print(rule.propose(make_context("May I sue?", tags={"law"})))
