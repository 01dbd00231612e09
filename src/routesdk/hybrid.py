"""The mapping by itself: policy and query in, model out, without a policy model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal

import attrs

from routesdk.catalogue import Catalogue
from routesdk.config import RuleConfig
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.mapping import ActiveRule, Choice, ModelMapping, load_policy_map
from routesdk.protocols import SpendSource
from routesdk.types import Prediction, Query, QueryLike, RouteContext, Tier, usd

DEFAULT_MEDIUM = "gemini-2.5-flash"
DEFAULT_LARGE = "gemini-2.5-pro"

LONG_QUERY_WORDS = 150
"""Queries of at least so many words go to the large model in `get_hybrid_mapper`."""


@attrs.frozen(kw_only=True)
class HybridMapper:
    """A static policy map, rules, and live spend: chooses a model for a policy that is already known.

    Attributes:
        mapping: Defaults, rules and constraints.
        spend: Where the money that was spent is counted.
    """

    mapping: ModelMapping
    spend: SpendSource

    def get_model(self, query: QueryLike, policy: str) -> str:
        """Return the model for a query of this policy.

        Raises:
            InvalidQueryError: The query is blank or no text.
            PolicyParseError: No such policy is mapped.
            RuleError: A rule failed.
        """
        return self.choose(query, policy).model

    def choose(self, query: QueryLike, policy: str) -> Choice:
        """Return the model together with the trace of how it was chosen."""
        names = tuple(each.name for each in self.mapping.policies)
        default = self.mapping.default(policy)
        steps = len(self.mapping.tiers) - 1
        # The policy is given, so it is certain; of gains nothing is known.
        values = tuple(float(name == policy) for name in names)
        certain = Prediction(names, values, (), (0.0,) * steps, derived=True)
        context = RouteContext(
            query=Query.of(query),
            prediction=certain,
            policy=policy,
            default_model=default.model,
            models=tuple(tier.model for tier in self.mapping.tiers),
            catalogue=self.mapping.catalogue,
            spend=self.spend.snapshot(),
        )
        return self.mapping.choose(context)


def get_hybrid_mapper(
    *,
    cost_budget: Decimal | float | int | str | None = None,
    current_spend: Decimal | float | int | str = 0,
    policy_map: Mapping[str, str] | str | os.PathLike[str] | None = None,
    medium: str = DEFAULT_MEDIUM,
    large: str = DEFAULT_LARGE,
    spend: SpendSource | None = None,
    host: PluginHost | None = None,
    catalogue: Catalogue | None = None,
) -> HybridMapper:
    """Build the mapper most people start with: keywords, maths and length go up, the budget brings down.

    Args:
        cost_budget: US dollars; at 90 % of them every query goes to the
            medium model. None sets no budget.
        current_spend: US dollars spent already, where `spend` is not given.
        policy_map: Policy → model, or a JSON file of that; policies that it
            does not list go to their tier's model.
        medium: Model of the medium tier.
        large: Model of the large tier.
        spend: A live spend source, such as `sqlite`.
        host: Where rules are found; None loads the built-in and installed ones.
        catalogue: Models and prices; None takes the bundled one.

    Raises:
        ConfigError: An amount is negative or no number, or the policy map cannot be read.
        PolicyParseError: The policy map names a policy that the nine cells do not define.
    """
    host = PluginHost() if host is None else host
    rules = [
        RuleConfig(name="keyword", options={"model": large}),
        RuleConfig(name="math", options={"model": large}),
        RuleConfig(name="length", options={"min_words": LONG_QUERY_WORDS, "model": large}),
    ]
    if cost_budget is not None:
        rules.append(
            RuleConfig(name="cost-budget", options={"budget_usd": _amount("cost_budget", cost_budget)})
        )
    if policy_map is None or isinstance(policy_map, Mapping):
        policies = dict(policy_map or {})
    else:
        policies = load_policy_map(policy_map)
    matrix = host.matrix("nine-cell")
    mapping = ModelMapping(
        tiers=(Tier(matrix.tiers[0], medium), Tier(matrix.tiers[1], large)),
        policies=matrix.policies,
        policy_map=policies,
        rules=tuple(ActiveRule.build(rule, host) for rule in rules),
        catalogue=Catalogue.default() if catalogue is None else catalogue,
    )
    if spend is None:
        spent_usd = _amount("current_spend", current_spend)
        spend = host.spend_source("memory", settled_usd=spent_usd)
    return HybridMapper(mapping=mapping, spend=spend)


def _amount(name: str, value: Decimal | float | int | str) -> Decimal:
    try:
        return usd(value)
    except ConfigError as error:
        raise attrs.evolve(error, key=name) from error
