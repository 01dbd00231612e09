"""A spend source that counts in a list."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from decimal import Decimal

from routesdk import Component, PluginHost, hookimpl
from routesdk.errors import BudgetError
from routesdk.protocols import SpendSource
from routesdk.testing import check_spend_source
from routesdk.types import Reservation, Spend, usd


class Ledger:
    """Keep every amount that was settled, and what is still open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settled: list[Decimal] = []
        self._open: dict[str, Decimal] = {}

    def snapshot(self) -> Spend:
        """Add up."""
        with self._lock:
            return Spend(
                settled_usd=sum(self._settled, Decimal()), reserved_usd=sum(self._open.values(), Decimal())
            )

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        """Set money aside; `usd` refuses what is no amount."""
        reservation = Reservation(uuid.uuid4().hex, usd(cost))
        with self._lock:
            counted = sum([*self._settled, *self._open.values()], reservation.cost_usd)
            if limit is not None and counted > limit:
                raise BudgetError(f"{counted} USD would exceed {limit} USD", "Raise the limit.")
            self._open[reservation.id] = reservation.cost_usd
        return reservation

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        """Replace a reservation by what the call cost."""
        amount = usd(cost)
        with self._lock:
            if self._open.pop(reservation.id, None) is None:
                raise BudgetError("This reservation is unknown, or settled", "Settle each one once.")
            self._settled.append(amount)


class LedgerPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_spend(self) -> Iterable[Component[SpendSource]]:
        """Offer `ledger`."""
        yield Component(name="ledger", factory=Ledger, summary="Counts in a list.")


source = PluginHost([LedgerPlugin()]).spend_source("ledger")
check_spend_source(source)
print(source.snapshot())
