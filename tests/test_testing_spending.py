"""The contract check of spend sources: good ones pass, broken ones do not."""

from __future__ import annotations

import itertools
import sys
import threading
from decimal import Decimal
from typing import cast

import attrs
import pytest

from routesdk.errors import BudgetError, ConfigError
from routesdk.testing import check_spend_source
from routesdk.types import Reservation, Spend, usd


def broken(fault: str) -> pytest.RaisesExc[AssertionError]:
    return pytest.raises(AssertionError, match=f"(?s){fault}.*The contract: ")


class Purse:
    """A spend source in memory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.open: dict[str, Decimal] = {}
        self.settled = Decimal(0)

    def snapshot(self) -> Spend:
        with self.lock:
            return Spend(settled_usd=self.settled, reserved_usd=sum(self.open.values(), Decimal(0)))

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        with self.lock:
            reservation = Reservation(self.new_id(), self.amount(cost))
            if limit is not None and self.settled + sum(self.open.values(), cost) > limit:
                raise BudgetError("The limit is reached", "Raise it.")
            self.open[reservation.id] = reservation.cost_usd
            return reservation

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        with self.lock:
            amount = self.amount(cost)
            self.close(reservation)
            self.settled += amount

    def new_id(self) -> str:
        return str(next(self.numbers))

    def amount(self, cost: Decimal) -> Decimal:
        return usd(cost)

    def close(self, reservation: Reservation) -> None:
        if self.open.pop(reservation.id, None) is None:
            raise BudgetError(f"Reservation {reservation.id} is not open", "Settle each one once.")


class Forgiving(Purse):
    def close(self, reservation: Reservation) -> None:
        self.open.pop(reservation.id, None)


class Floating(Purse):
    def amount(self, cost: Decimal) -> Decimal:
        usd(cost)
        # As a source that keeps floats would count.
        self.total = getattr(self, "total", 0.0) + float(cost)
        return Decimal(str(self.total)) - Decimal(str(self.total - float(cost)))


class Rounds(Purse):
    def amount(self, cost: Decimal) -> Decimal:
        return round(usd(cost), 6)


class OneId(Purse):
    def new_id(self) -> str:
        return "the one"


class SharesAnId(Purse):
    """Counts right, but cannot tell its reservations apart."""

    def __init__(self) -> None:
        super().__init__()
        self.amounts: list[Decimal] = []

    def snapshot(self) -> Spend:
        with self.lock:
            return Spend(settled_usd=self.settled, reserved_usd=sum(self.amounts, Decimal(0)))

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        with self.lock:
            self.amounts.append(self.amount(cost))
            return Reservation(self.new_id(), cost)

    def new_id(self) -> str:
        return "the one"

    def close(self, reservation: Reservation) -> None:
        if reservation.cost_usd not in self.amounts:
            raise BudgetError("Nothing of this amount is open", "Settle each one once.")
        self.amounts.remove(reservation.cost_usd)


class SharesAnIdBetweenThreads(SharesAnId):
    def new_id(self) -> str:
        here = threading.current_thread() is threading.main_thread()
        return str(next(self.numbers)) if here else "the one"


class TrustsStrangers(Purse):
    """Refuses to settle twice, but settles what it never gave."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: set[str] = set()

    def close(self, reservation: Reservation) -> None:
        if reservation.id in self.closed:
            raise BudgetError(f"Reservation {reservation.id} is settled", "Settle each one once.")
        self.closed.add(reservation.id)
        self.open.pop(reservation.id, None)


class TakesAnything(Purse):
    def amount(self, cost: Decimal) -> Decimal:
        return cost if cost.is_finite() and cost > 0 else Decimal(0)


class RaisesADecimalError(Purse):
    def amount(self, cost: Decimal) -> Decimal:
        if not cost.is_finite() or cost < 0:
            raise ArithmeticError("no amount")
        return cost


class LeaksOnErrors(Purse):
    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        try:
            super().settle(reservation, cost)
        except ConfigError:
            self.settled += 1
            raise


class Careless(Purse):
    """Loses money between threads: it reads, waits for the others, and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.meet = threading.Barrier(8)

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        if threading.current_thread() is threading.main_thread():
            return super().settle(reservation, cost)
        self.close(reservation)
        before = self.settled
        self.meet.wait(timeout=10)
        self.settled = before + cost
        return None


class _NoLock:
    """Locks nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


class Unlocked(Purse):
    """Adds up without a lock, as anybody writes it who thinks of one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = cast("threading.Lock", _NoLock())


class GivesTheId(Purse):
    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        return cast("Reservation", super().reserve(cost, limit=limit).id)


class HidesWhatIsReserved(Purse):
    def snapshot(self) -> Spend:
        return attrs.evolve(super().snapshot(), reserved_usd=Decimal(0))


class GivesANumber(Purse):
    def snapshot(self) -> Spend:
        return cast("Spend", self.settled)


def test_a_spend_source_that_keeps_its_contract_passes_full_or_empty() -> None:
    purse = Purse()
    tracer = sys.gettrace()
    check_spend_source(purse)
    check_spend_source(purse)
    assert sys.gettrace() is tracer


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (Forgiving(), "raises nothing on settling one reservation twice"),
        (Floating(), r"returns Reservation|counts"),
        (Rounds(), "from reserve.1E-9"),
        (OneId(), "counts 0 settled and 1E-9 reserved"),
        (SharesAnId(), "gives two reservations one id"),
        (SharesAnIdBetweenThreads(), "gives two threads one id"),
        (TrustsStrangers(), "raises nothing on settling an unknown reservation"),
        (TakesAnything(), "from reserve|raises nothing on"),
        (RaisesADecimalError(), "raises ArithmeticError .no amount. on reserve"),
        (LeaksOnErrors(), "counts .* after calls that raised"),
        (Careless(), "after 80 calls from 8 threads"),
        (Unlocked(), "after 80 calls from 8 threads|raises ConfigError"),
        (GivesTheId(), "returns '0' from reserve"),
        (HidesWhatIsReserved(), "counts 0 settled and 0 reserved"),
        (GivesANumber(), "returns Decimal"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_spend_source_that_breaks_a_promise_is_caught(source: Purse, fault: str) -> None:
    with broken(fault):
        check_spend_source(source)
