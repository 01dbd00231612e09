"""Amounts as whole nano-dollars, which add up exactly."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from routesdk.errors import ConfigError
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
