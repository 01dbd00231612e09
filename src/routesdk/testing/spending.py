"""The contract check of spend sources."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from types import FrameType
from typing import TYPE_CHECKING

from routesdk.errors import BudgetError, RouteSDKError
from routesdk.protocols import SpendSource
from routesdk.testing.verdict import call, must_raise, require, sentence
from routesdk.types import NANO_USD, Reservation, Spend

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_EXACT = "money is exact to the nano-dollar: settled and reserved are the sums of what was asked"

_THREADS, _CALLS = 8, 80
_NOT_THE_SOURCE = ("routesdk.host", "routesdk.testing", "routesdk.types")


def check_spend_source(source: SpendSource) -> None:
    """Check that a spend source keeps its contract.

    Reserving and settling must add up exactly, from several threads too; a
    reservation is settled once; and no amount below zero or without a number
    is let in.

    Args:
        source: The source. It need not be empty, but nobody else may use it meanwhile.

    Raises:
        AssertionError: A promise is broken; the text says which.
    """
    _check_sums(source)
    _check_misuse(source)
    _check_threads(source)


def _snapshot(source: SpendSource) -> Spend:
    spend = call(source, "from snapshot()", "snapshot returns a Spend", source.snapshot)
    require(isinstance(spend, Spend), source, f"returns {type(spend).__name__}", "snapshot returns a Spend")
    return spend


def _reserve(source: SpendSource, cost: Decimal) -> Reservation:
    promise = "reserve returns a Reservation with an id and the amount"
    reservation = call(source, f"from reserve({cost})", promise, source.reserve, cost)
    good = isinstance(reservation, Reservation) and sentence(reservation.id) and reservation.cost_usd == cost
    require(good, source, f"returns {reservation!r} from reserve({cost})", promise)
    return reservation


def _settle(source: SpendSource, reservation: Reservation, cost: Decimal) -> None:
    call(source, f"from settle(…, {cost})", "a reservation can be settled", source.settle, reservation, cost)


def _check_moved(source: SpendSource, before: Spend, settled: Decimal, reserved: Decimal, after: str) -> None:
    now = _snapshot(source)
    moved = (now.settled_usd - before.settled_usd, now.reserved_usd - before.reserved_usd)
    require(
        moved == (settled, reserved),
        source,
        f"counts {moved[0]} settled and {moved[1]} reserved, not {settled} and {reserved}, {after}",
        _EXACT,
    )


def _check_sums(source: SpendSource) -> None:
    before = _snapshot(source)
    # Ten times 0.1 is 1 in money, and 0.9999999999999999 in floats.
    dimes = [_reserve(source, Decimal("0.1")) for _ in range(10)]
    small = _reserve(source, NANO_USD)
    _check_moved(source, before, Decimal(0), 1 + NANO_USD, "after reserving 0.1 ten times and a nano-dollar")
    ids = {reservation.id for reservation in (*dimes, small)}
    require(len(ids) == 11, source, "gives two reservations one id", "ids are unique within a source")
    for reservation in dimes:
        _settle(source, reservation, Decimal("0.3"))
    _check_moved(source, before, Decimal(3), NANO_USD, "after settling ten for 0.3 each")
    _settle(source, small, Decimal(0))
    _check_moved(source, before, Decimal(3), Decimal(0), "after settling the last for nothing")


def _check_misuse(source: SpendSource) -> None:
    reservation = _reserve(source, Decimal("0.5"))
    _settle(source, reservation, Decimal("0.25"))
    before = _snapshot(source)
    cost = Decimal("0.25")
    must_raise(source, "on settling one reservation twice", BudgetError, source.settle, reservation, cost)
    unknown = Reservation("no-such-reservation", cost)
    must_raise(source, "on settling an unknown reservation", BudgetError, source.settle, unknown, cost)
    open_one = _reserve(source, Decimal(1))
    for bad in (Decimal("-0.01"), Decimal("NaN"), Decimal("Infinity")):
        must_raise(source, f"on reserve({bad})", RouteSDKError, source.reserve, bad)
        must_raise(source, f"on settle(…, {bad})", RouteSDKError, source.settle, open_one, bad)
    _settle(source, open_one, Decimal(0))
    _check_moved(source, before, Decimal(0), Decimal(0), "after calls that raised")


def _check_threads(source: SpendSource) -> None:
    before = _snapshot(source)

    def spend(_: int) -> str:
        with _switching_at_every_step():
            reservation = _reserve(source, Decimal("0.01"))
            _settle(source, reservation, 3 * NANO_USD)
        return reservation.id

    with ThreadPoolExecutor(_THREADS) as threads:
        ids = list(threads.map(spend, range(_CALLS)))
    require(len(set(ids)) == _CALLS, source, "gives two threads one id", "ids are unique within a source")
    after = f"after {_CALLS} calls from {_THREADS} threads"
    _check_moved(source, before, _CALLS * 3 * NANO_USD, Decimal(0), after)


@contextmanager
def _switching_at_every_step() -> Iterator[None]:
    """Let the other threads run between any two steps of this one.

    Left to itself, Python switches too seldom for a source without a lock to
    lose money in a test; in production it does so within days.
    """

    def step(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        # The source's own steps are what matters; those of the check take as long, and prove nothing.
        if frame.f_globals.get("__name__", "").startswith(_NOT_THE_SOURCE):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            time.sleep(0)
        return step

    # What measures coverage traces as well, and goes on when this is over.
    earlier = sys.gettrace()
    sys.settrace(step)
    try:
        yield
    finally:
        sys.settrace(earlier)
