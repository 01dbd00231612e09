"""A count of money that ends with the process."""

from __future__ import annotations

import threading
import uuid
from decimal import Decimal

from routesdk.errors import BudgetError
from routesdk.plugins.spend.limit import within
from routesdk.types import Reservation, Spend, from_nano, to_nano


class MemorySpend:
    """Count money in memory, safely from several threads.

    Amounts finer than a nano-dollar are rounded up, as in the `sqlite` source.

    Args:
        settled_usd: US dollars that were spent before.

    Raises:
        ConfigError: `settled_usd` is negative or not finite.
    """

    def __init__(self, settled_usd: Decimal = Decimal(0)) -> None:
        self._lock = threading.Lock()
        self._settled_nano = to_nano(settled_usd)
        self._open_nano: dict[str, int] = {}
        self._reserved_nano = 0

    def snapshot(self) -> Spend:
        """Return what has been settled and reserved until now."""
        with self._lock:
            settled, reserved = self._settled_nano, self._reserved_nano
        return Spend(settled_usd=from_nano(settled), reserved_usd=from_nano(reserved))

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        """Set money aside for a call that is about to be made.

        Args:
            cost: US dollars; what is finer than a nano-dollar is rounded up.
            limit: US dollars that settled, reserved and this may come to; None for no
                limit. Looking and reserving are one step: threads together never exceed it.

        Raises:
            BudgetError: The limit would be exceeded.
            ConfigError: An amount is negative or not finite.
        """
        nano = to_nano(cost)
        # Random, so that another source's reservation is never taken for one of ours.
        reservation = Reservation(uuid.uuid4().hex, from_nano(nano))
        with self._lock:
            within(self._settled_nano + self._reserved_nano, nano, limit)
            self._open_nano[reservation.id] = nano
            self._reserved_nano += nano
        return reservation

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        """Replace a reservation by what the call cost.

        Args:
            reservation: What `reserve` returned.
            cost: US dollars; what is finer than a nano-dollar is rounded up.

        Raises:
            BudgetError: The reservation is unknown, or settled already.
            ConfigError: The amount is negative or not finite; the reservation stays open.
        """
        nano = to_nano(cost)
        with self._lock:
            reserved = self._open_nano.pop(reservation.id, None)
            if reserved is None:
                raise BudgetError(
                    f"Reservation {reservation.id} is unknown here, or settled already",
                    "Settle each reservation once, with the source that gave it.",
                )
            self._reserved_nano -= reserved
            self._settled_nano += nano
