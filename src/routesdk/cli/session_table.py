"""What `/rules`, `/models`, `/budget` and `/history` say of a router and a session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from routesdk.cli.console import printable
from routesdk.errors import ConfigError
from routesdk.protocols import Budget
from routesdk.structure import plain as plain_data
from routesdk.types import EXACT

if TYPE_CHECKING:
    from routesdk.router import Router
    from routesdk.types import Decision, Query


def rule_lines(router: Router) -> list[str]:
    """List the rules in their order."""
    lines = []
    for number, rule in enumerate(router.mapping.rules, 1):
        options = {} if rule.config is None else plain_data(rule.config.options)
        shown = ", ".join(f"{key} = {json.dumps(value)}" for key, value in dict(options).items())  # type: ignore[call-overload]
        skip = "; passed over where it fails" if rule.on_error == "skip" else ""
        lines.append(printable(f"{number}. {rule.name:14} {shown or 'no options'}{skip}"))
    return lines or ["no rules: every policy goes to its own model (/models)"]


def model_lines(router: Router) -> list[str]:
    """List tiers, policies and further models, with prices and with who reaches them."""
    mapping = router.mapping
    lines = [f"{f'tier {printable(tier.name)}':24}{_model(router, tier.model)}" for tier in mapping.tiers]
    lines += [f"{printable(name):24}{printable(model)}" for name, model in mapping.defaults.items()]
    others = sorted(mapping.known - {tier.model for tier in mapping.tiers})
    lines += [f"{'also allowed':24}{_model(router, model)}" for model in others]
    return lines


def _model(router: Router, model: str) -> str:
    catalogue = router.mapping.catalogue
    price = "price unknown"
    if catalogue.is_priced(model):
        found = catalogue.price(model)
        price = (
            f"{_usd(found.input_usd_per_mtok)} in, {_usd(found.output_usd_per_mtok)} out per million tokens"
        )
    try:
        reached = f"reached by {router.backends.to(model).name}"
    except ConfigError:
        reached = "reached by no backend"
    return printable(f"{model}: {price}; {reached}")


def budget_lines(router: Router) -> list[str]:
    """Say what budget is set, and what is spent."""
    spent = router.spend.snapshot()
    lines = [f"{'spent':12}{_usd(spent.settled_usd)}"]
    if spent.reserved_usd:
        lines.append(f"{'promised':12}{_usd(spent.reserved_usd)}")
    for rule in router.mapping.rules:
        if not isinstance(rule.part, Budget):
            continue
        budget = rule.part.budget_usd
        left = max(EXACT.subtract(budget, spent.total_usd), Decimal(0))
        lines.append(f"{'budget':12}{_usd(budget)} by the rule {printable(rule.name)}: {_usd(left)} left")
        limit = getattr(rule.part, "limit_usd", None)
        if limit is not None:
            lines.append(f"{'':12}from {_usd(limit)} on, everything goes to {_cheapest(router)}")
    if len(lines) == 1:
        lines.append(f"{'budget':12}none is set; /budget 5 sets 5 US dollars")
    return lines


def _usd(amount: Decimal) -> str:
    # Amounts are kept in nano-dollars; people need no zeros at the end.
    return f"${EXACT.normalize(amount):f}"


def _cheapest(router: Router) -> str:
    return printable(router.mapping.tiers[0].model)


def history_lines(past: Sequence[tuple[Query, Decision]]) -> list[str]:
    """List the questions so far, with what was decided."""
    lines = [
        f"{number}. {printable(query.text, 80)} -> {printable(f'{decision.policy}, {decision.model}')}"
        for number, (query, decision) in enumerate(past, 1)
    ]
    return lines or ["nothing was asked yet"]
