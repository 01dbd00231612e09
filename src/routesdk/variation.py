"""Copies of a router that differ in one thing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import attrs

from routesdk.config import RuleConfig
from routesdk.errors import ConfigError
from routesdk.mapping import ActiveRule, load_policy_map
from routesdk.structure import structure
from routesdk.types import OperatingPoint

if TYPE_CHECKING:
    from routesdk.protocols import Constraint, Observer, Rule, SpendSource
    from routesdk.router import Router


class Variation:
    """The methods of a router that return a copy of it; the router itself stays as it is."""

    __slots__ = ()

    def with_rule(
        self, rule: str | Rule | Constraint, *, on_error: str = "raise", **options: object
    ) -> Router:
        """Return a copy with one more rule, behind the others.

        Args:
            rule: A rule's name, or a rule object; a router with an object among
                its rules cannot be saved.
            on_error: `raise`, or `skip`: pass the rule over and note it in the trace.
            options: What the named rule's config takes.

        Raises:
            UnknownComponentError: No plugin offers the name.
            ConfigError: An option or `on_error` is wrong, or options were given with an object.
            RuleError: The object is no rule.
        """
        router = cast("Router", self)
        if isinstance(rule, str):
            given = {"name": rule, "options": options, "on_error": on_error}
            config = structure(given, RuleConfig, where="rule")
            return attrs.evolve(
                router, mapping=router.mapping.with_rule(ActiveRule.build(config, router.host))
            )
        if options:
            raise ConfigError("options", str(options), "belong to a rule's name", "Set them on the object.")
        return attrs.evolve(router, mapping=router.mapping.with_rule(ActiveRule.of(rule, on_error)))

    def with_model(self, where: str, model: str) -> Router:
        """Return a copy in which a tier, or a policy, is served by another model.

        The policy model is left alone: it goes on predicting for the models
        that it is bound to, and decisions say so. To bind it anew, load with
        `medium=` or `large=`.

        Args:
            where: A tier's name, or a policy's.
            model: The model's name.
        """
        router = cast("Router", self)
        return attrs.evolve(router, mapping=router.mapping.with_model(where, model))

    def with_policy_map(self, policy_map: Mapping[str, str] | str | os.PathLike[str]) -> Router:
        """Return a copy with another static map of policy → model, or a JSON file of it."""
        router = cast("Router", self)
        given = policy_map if isinstance(policy_map, Mapping) else load_policy_map(policy_map)
        return attrs.evolve(router, mapping=attrs.evolve(router.mapping, policy_map=given))

    def with_budget(
        self,
        budget_usd: Decimal | float | int | str,
        *,
        downgrade_at: float = 0.9,
        spend: SpendSource | None = None,
    ) -> Router:
        """Return a copy that sends everything to the cheapest tier once a share of the budget is spent.

        Args:
            budget_usd: US dollars; replaces a budget that was set before.
            downgrade_at: The share of it, in (0, 1].
            spend: Where spent money is counted; None keeps the router's.

        Raises:
            ConfigError: The budget is negative or no number, or the share is out of range.
        """
        router = cast("Router", self)
        options = {"budget_usd": budget_usd, "downgrade_at": downgrade_at}
        rule = ActiveRule.build(RuleConfig(name="cost-budget", options=options), router.host)
        others = tuple(rule for rule in router.mapping.rules if rule.name != "cost-budget")
        return attrs.evolve(
            router,
            mapping=attrs.evolve(router.mapping, rules=(*others, rule)),
            spend=router.spend if spend is None else spend,
        )

    def with_large_share(self, large_share: float) -> Router:
        """Return a copy whose operating point sends this share of the training mix up."""
        router = cast("Router", self)
        return attrs.evolve(router, operating_point=router._point(large_share, None))

    def with_operating_point(self, operating_point: OperatingPoint) -> Router:
        """Return a copy with other thresholds.

        Raises:
            ConfigError: It is no operating point, or one for another number of tiers.
        """
        router = cast("Router", self)
        return attrs.evolve(router, operating_point=router._point(None, operating_point))

    def with_observer(self, observer: Observer) -> Router:
        """Return a copy that tells one more observer of every decision."""
        router = cast("Router", self)
        return attrs.evolve(router, observers=(*router.observers, observer))
