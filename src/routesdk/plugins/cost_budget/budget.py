"""The constraint that holds decisions against a budget."""

from __future__ import annotations

from decimal import Decimal

import attrs
from attrs.validators import gt, le

from routesdk.types import EXACT, Refusal, RouteContext, usd


def _budget(value: Decimal | float | int | str) -> Decimal:
    return usd(value, key="budget_usd")


def _shown(amount_usd: Decimal) -> str:
    text = format(amount_usd, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    # An amount may have a thousand digits; a trace is for people.
    return text if len(text) <= 40 else f"{text[:40]}…"


@attrs.frozen(kw_only=True)
class CostBudget:
    """Refuse all but the cheapest tier's model once a share of the budget is spent.

    As a constraint, a budget downgrades, and never stops: the cheapest tier's
    model stays allowed, also beyond the whole budget. It is when a router
    answers that a call which could exceed the budget is not made. With a budget of zero the share is
    reached from the start, so that every query goes to the cheapest tier.

    Attributes:
        budget_usd: US dollars, 0 or more.
        downgrade_at: Share of the budget, in (0, 1], from which on the rule refuses.

    Raises:
        ConfigError: The budget is negative, infinite or no number.
    """

    budget_usd: Decimal = attrs.field(converter=_budget)
    downgrade_at: float = attrs.field(default=0.9, validator=[gt(0.0), le(1.0)])

    @property
    def limit_usd(self) -> Decimal:
        """The spend in US dollars from which on the rule refuses."""
        return EXACT.multiply(self.budget_usd, usd(self.downgrade_at))

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        """Refuse the model where the limit is reached and it is not the cheapest tier's.

        Raises:
            UnknownPriceError: The model would be allowed, and its price is not
                known: a budget says nothing about money that nobody can count.
        """
        spent_usd, limit_usd = context.spend.total_usd, self.limit_usd
        if spent_usd >= limit_usd and model != context.models[0]:
            return Refusal(
                f"{_shown(spent_usd)} USD are spent or promised, which reaches {_shown(limit_usd)} USD "
                f"({self.downgrade_at:.4g} of the budget of {_shown(self.budget_usd)} USD): "
                f"only {context.models[0]!r} is allowed"
            )
        context.catalogue.price(model)
        return None
