"""Amounts as whole nano-dollars, which add up exactly."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from routesdk.errors import BudgetError, ConfigError
from routesdk.types import EXACT, usd

# SQLite's integers have 64 bits: nine billion dollars in nano-dollars.
_MOST_USD = Decimal(9_000_000_000)


def to_nano(amount: Decimal | float | int | str) -> int:
    """Turn US dollars into whole nano-dollars.

    What is finer than a nano-dollar is rounded up, so that a count never
    falls short of what was spent.

    Raises:
        ConfigError: The amount is negative, not finite, or above nine billion dollars.
    """
    exact = usd(amount)
    if exact > _MOST_USD:
        raise ConfigError(
            "usd", str(amount), "more than a spend source counts", f"Give at most {_MOST_USD:,} US dollars."
        )
    return int(EXACT.scaleb(exact, 9).to_integral_value(ROUND_CEILING, EXACT))


def from_nano(nano: int) -> Decimal:
    """Turn whole nano-dollars into US dollars, exactly."""
    return EXACT.scaleb(Decimal(nano), -9)


def within(counted_nano: int, cost_nano: int, limit: Decimal | None) -> None:
    """Check that a budget has room for one more call.

    Args:
        counted_nano: Nano-dollars that are settled or reserved already.
        cost_nano: Nano-dollars to add.
        limit: The budget in US dollars; None for none.

    Raises:
        BudgetError: The sum would be more than the limit.
        ConfigError: The limit is negative or not finite.
    """
    if limit is None:
        return
    limit_usd = usd(limit, key="limit")
    if from_nano(counted_nano + cost_nano) > limit_usd:
        raise BudgetError(
            f"{from_nano(cost_nano):f} USD more would exceed {limit_usd:f} USD, "
            f"of which {from_nano(counted_nano):f} are spent or reserved",
            "Raise the limit, or settle open reservations first.",
        )
