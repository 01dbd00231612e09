"""How fast a provider is asked: rates, pauses, slots, and the breaker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles import Oracle, run
from routesdk.errors import BackendError
from routesdk.pipeline.oracle import pace
from routesdk.pipeline.oracle.pace import Breaker, Pace, Rate, backoff_s
from routesdk.types import Request


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(pace.time, "monotonic", found.monotonic)
    return found


# Rates.


@given(
    st.floats(1, 1e5),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 5000)), min_size=1, max_size=60),
)
def test_no_minute_gets_more_than_its_rate_and_one_call(
    per_minute: float, calls: list[tuple[float, float]]
) -> None:
    clock, began = Clock(), []
    real, pace.time.monotonic = pace.time.monotonic, clock.monotonic
    try:
        rate = Rate(per_minute)
        for pause, units in calls:
            clock.now += pause
            began.append((clock.now + rate.claim(units), units))
    finally:
        pace.time.monotonic = real
    largest = max(units for _, units in began)
    for start, _ in began:
        used = sum(units for moment, units in began if start <= moment < start + 60)
        assert used <= (per_minute + largest) * (1 + 1e-9)


def test_a_rate_that_is_not_used_up_holds_nothing_back(clock: Clock) -> None:
    rate = Rate(60)
    assert rate.claim(1) == 0
    clock.now += 1
    assert rate.claim(1) == 0
    assert rate.claim(1) == pytest.approx(1)


def test_units_that_are_given_back_can_be_used_again(clock: Clock) -> None:
    rate = Rate(60)
    rate.claim(100)
    rate.give_back(90)
    assert rate.claim(1) == pytest.approx(10)


def test_a_run_keeps_to_its_rate_of_requests(tmp_path: Path) -> None:
    begun: list[float] = []

    class Timed(Oracle):
        async def generate(self, request: Request) -> object:  # type: ignore[override]
            begun.append(time.monotonic())
            return await super().generate(request)

    run(tmp_path, Timed(), limit=10, requests_per_minute=3000)
    # One every 20 ms: 20 calls cannot be begun in less than 19 of these.
    assert len(begun) == 20
    assert begun[-1] - begun[0] >= 0.95 * 19 * 0.02


def test_a_run_keeps_to_its_rate_of_tokens(tmp_path: Path) -> None:
    start = time.monotonic()
    run(tmp_path, Oracle(), limit=4, tokens_per_minute=60_000, max_output_tokens=100, concurrency=1)
    # Each call is expected to use 100 tokens out and some 45 in, and gives back what it did not use.
    assert time.monotonic() - start >= 0.02


# Pauses.


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e6))
def test_a_pause_is_bounded_and_never_shorter_than_what_was_asked_for(
    tried: int, asked: float | None
) -> None:
    pause = backoff_s(tried, asked)

    assert pause >= (asked or 0.0)
    assert pause <= max(60.0, asked or 0.0)
    if tried == 1:
        assert pause <= max(0.5, asked or 0.0)


# The breaker.


def failures(breaker: Breaker, count: int, clock: Clock) -> None:
    for _ in range(count):
        breaker.failed(clock.now, None)


def test_failures_in_a_row_open_it_and_one_success_closes_it(clock: Clock) -> None:
    breaker = Breaker(patience_s=900, attempts=20)
    failures(breaker, 9, clock)
    assert not breaker.open
    breaker.succeeded()
    failures(breaker, 9, clock)
    assert not breaker.open
    failures(breaker, 1, clock)
    assert breaker.open
    breaker.succeeded()
    assert not breaker.open


def test_calls_that_were_under_way_when_it_opened_are_one_piece_of_news(clock: Clock) -> None:
    breaker = Breaker(patience_s=900, attempts=20)
    begun = clock.now
    clock.now += 1
    for _ in range(100):
        breaker.failed(begun, None)

    assert breaker._rest_s == 2 * pace._FIRST_REST_S


def test_it_gives_up_after_its_patience(clock: Clock) -> None:
    breaker = Breaker(patience_s=900, attempts=5)
    failures(breaker, 5, clock)
    clock.now += 899
    assert breaker.failed(clock.now, None) is None
    clock.now += 2
    assert breaker.failed(clock.now, None) == pytest.approx(901)


def test_while_it_is_open_one_call_at_a_time_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_FIRST_REST_S", 0.001)
    monkeypatch.setattr(pace, "_LONGEST_REST_S", 0.001)

    async def work() -> tuple[int, int]:
        breaker = Breaker(patience_s=900, attempts=3)
        for _ in range(3):
            breaker.failed(time.monotonic(), None)
        under_way = most = through = 0

        async def call(number: int) -> None:
            nonlocal under_way, most, through
            async with breaker.passage():
                down = breaker.open
                under_way += 1
                if down:
                    most = max(most, under_way)
                await asyncio.sleep(0.001)
                under_way -= 1
                through += 1
                if number == 4:
                    breaker.succeeded()
                elif down:
                    breaker.failed(time.monotonic(), None)

        await asyncio.gather(*(call(number) for number in range(20)))
        return most, through

    most, through = asyncio.run(work())
    assert (most, through) == (1, 20)


# Slots.


def test_slots_are_given_back_whatever_happens() -> None:
    async def work() -> None:
        found = Pace(2, patience_s=900, attempts=3)
        for _ in range(5):
            with pytest.raises(ValueError, match="no"):
                async with found.turn(1):
                    raise ValueError("no")
        async with found.turn(1), found.turn(1):
            waiting = asyncio.ensure_future(_enter(found))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            waiting.cancel()
        async with found.turn(1), found.turn(1):
            pass

    asyncio.run(work())


async def _enter(found: Pace) -> None:
    async with found.turn(1):
        await asyncio.sleep(10)


def test_retry_after_is_waited_for(tmp_path: Path) -> None:
    moments: dict[str, list[float]] = {}

    def reply(request: Request) -> str | BackendError:
        tries = moments.setdefault(f"{request.model} {request.query.text}", [])
        tries.append(time.monotonic())
        return (
            "thing 1"
            if len(tries) > 1
            else BackendError("scripted", "429", retryable=True, retry_after_s=0.3)
        )

    run(tmp_path, Oracle(reply=reply), limit=2)
    assert all(second - first >= 0.3 for first, second in moments.values())
