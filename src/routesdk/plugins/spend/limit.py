"""Whether a budget has room for one more call."""

from __future__ import annotations

from decimal import Decimal

from routesdk.errors import BudgetError
from routesdk.types import from_nano, usd


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
