"""How fast a provider is asked: slots, rates, pauses between tries, and a breaker for outages."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# The first pause between two tries, and the longest, in seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
# Failures in a row, without a success between them, that are taken for an outage: this many, or as
# many as a call has tries, where that is fewer.
_OUTAGE = 10
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 60.0


def backoff_s(tried: int, retry_after_s: float | None) -> float:
    """Return the pause before the next try, in seconds.

    Exponential with full jitter, so that calls that failed together do not
    come back together; never shorter than what the provider asked for.

    Args:
        tried: How often the call was tried, from 1.
        retry_after_s: What the provider asked for; None where it asked for nothing.

    Source: M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
    """
    most = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(tried - 1, 16))
    return max(random.uniform(0.0, most), retry_after_s or 0.0)


class Rate:
    """Lets so many units through a minute, evenly: no minute gets more than that and one call's units.

    One number, the time until which the allowance is used up, moves on with
    every unit.

    Args:
        per_minute: Units a minute.
    """

    def __init__(self, per_minute: float) -> None:
        self._seconds_per_unit = 60.0 / per_minute
        self._used_until = -math.inf

    def claim(self, units: float) -> float:
        """Take units, and return the seconds to wait before they may be used."""
        now = time.monotonic()
        begins = max(self._used_until, now)
        self._used_until = begins + units * self._seconds_per_unit
        return begins - now

    def give_back(self, units: float) -> None:
        """Return units that were taken and not needed; negative where more were needed."""
        self._used_until -= units * self._seconds_per_unit


class Breaker:
    """Holds calls back while a provider is down, and lets one through at a time to see whether it is back.

    Args:
        patience_s: Seconds without any success, after which the run gives up.
        attempts: How often a call is tried.
    """

    def __init__(self, patience_s: float, attempts: int) -> None:
        self._patience_s = patience_s
        self._outage = min(_OUTAGE, attempts)
        self._failures = 0
        self._rest_s = _FIRST_REST_S
        # When its last rest began, and ends: a call that begins later and fails says something new.
        self._rests_since = self._rests_until = -math.inf
        self._down_since: float | None = None
        self._probe = asyncio.Lock()

    @property
    def open(self) -> bool:
        """Whether the provider counts as down."""
        return self._failures >= self._outage

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait until a call may be made: at once, or as the only one that tries a provider that is down."""
        while self.open:
            async with self._probe:
                # Another probe may have found it well again.
                if self.open:
                    await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))
                    yield
                    return
        yield

    def succeeded(self) -> None:
        """Take note of an answer, or of an error that only this request brought about."""
        self._failures, self._rest_s, self._down_since = 0, _FIRST_REST_S, None

    def failed(self, begun: float, retry_after_s: float | None) -> float | None:
        """Take note of a failure that says something about the provider.

        Args:
            begun: When the call began, by `time.monotonic`.
            retry_after_s: Seconds after which the provider wants to be asked again.

        Returns:
            The seconds since the last success, where they are more than the run has patience; else None.
        """
        now = time.monotonic()
        self._failures += 1
        self._down_since = begun if self._down_since is None else self._down_since
        # Calls that were under way when it went down all fail, and are one piece of news.
        if self.open and begun >= self._rests_since:
            self._rests_since, self._rests_until = now, now + max(self._rest_s, retry_after_s or 0.0)
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)
        down_s = now - self._down_since
        return down_s if self.open and down_s > self._patience_s else None


class Pace:
    """Everything that holds calls to one provider back.

    Args:
        concurrency: Calls under way at once.
        requests_per_minute: Calls begun a minute; None for no bound.
        tokens_per_minute: Tokens a minute, in and out; None for no bound.
        patience_s: Seconds without any success, after which the run gives up.
        attempts: How often a call is tried.
    """

    def __init__(
        self,
        concurrency: int,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        patience_s: float,
        attempts: int,
    ) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._requests = None if requests_per_minute is None else Rate(requests_per_minute)
        self._tokens = None if tokens_per_minute is None else Rate(tokens_per_minute)
        self.patience_s = patience_s
        self.breaker = Breaker(patience_s, attempts)

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[None]:
        """Wait for a turn, and hold a slot while the call is under way.

        Args:
            tokens: Tokens that the call is expected to use, in and out.
        """
        async with self._slots, self.breaker.passage():
            waits = [0.0]
            if self._requests is not None:
                waits.append(self._requests.claim(1))
            if self._tokens is not None:
                waits.append(self._tokens.claim(tokens))
            if max(waits) > 0:
                await asyncio.sleep(max(waits))
            yield

    def correct(self, expected: int, used: int) -> None:
        """Replace the tokens that a call was expected to use by those that it used."""
        if self._tokens is not None:
            self._tokens.give_back(expected - used)
