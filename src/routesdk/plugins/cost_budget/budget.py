"""The constraint that holds decisions against a budget."""

from __future__ import annotations

import decimal
from decimal import Decimal

import attrs
from attrs.validators import gt, le

from routesdk.errors import ConfigError
from routesdk.types import Refusal, RouteContext, usd

# Multiplying within the ambient context would round, or follow whatever the application has set there.
_EXACT = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def _budget(value: Decimal | float | int | str) -> Decimal:
    try:
        return usd(value)
    except ConfigError as error:
        raise attrs.evolve(error, key="budget_usd") from error


def _shown(amount_usd: Decimal) -> str:
    # 1E+999999 is a valid amount; written out, it would fill the trace with zeros.
    text = format(amount_usd, "f") if amount_usd.adjusted() < 20 else str(amount_usd)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text


@attrs.frozen(kw_only=True)
class CostBudget:
    """Refuse all but the cheapest tier's model once a share of the budget is spent.

    A budget downgrades, and never stops: the cheapest tier's model stays
    allowed, also beyond the whole budget. With a budget of zero the share is
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
        return _EXACT.multiply(self.budget_usd, usd(self.downgrade_at))

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
