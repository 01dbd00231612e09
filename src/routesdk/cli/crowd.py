"""Many questions at once: as many calls under way as allowed, answers in the order of the questions."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, TypeAlias

import attrs

from routesdk.errors import BackendError, BudgetError, RouteSDKError
from routesdk.host import attempt
from routesdk.reply import RoutedAnswer, whole_answer
from routesdk.terms import Terms
from routesdk.types import Query

if TYPE_CHECKING:
    from routesdk.router import Router
    from routesdk.terms import AnswerOptions

_AHEAD = 4
"""Questions that are begun for each call under way: one slow answer must not hold up the others."""


@attrs.frozen
class NeverBegun:
    """What became of a question that nobody was asked, since the batch was over before its turn.

    Attributes:
        error: Why: a call found no room in the budget with none under way, or access was refused.
    """

    error: RouteSDKError


Outcome: TypeAlias = "RoutedAnswer | RouteSDKError | NeverBegun"


async def answers(
    router: Router, queries: Iterator[Query], terms: AnswerOptions, concurrency: int
) -> AsyncGenerator[tuple[Query, Outcome], None]:
    """Yield each question with its answer, or with what kept it from being answered.

    Once a call finds no room in the budget with no other under way, or access
    is refused, no further question is begun; calls under way are waited for,
    since they are paid for.

    Raises:
        ConfigError: No backend reaches any model, or an option is wrong; before anything is asked.
        RouteSDKError: The questions could not be read on; after those read were answered.
    """
    router.backends.check_any()
    Terms(**terms)
    crowd, reader = _Crowd(router, terms, concurrency), _Reader(queries)
    waiting: deque[tuple[Query, asyncio.Task[Outcome]]] = deque()
    reading: asyncio.Task[Query | None] | None = None
    more, trouble = True, None
    try:
        while more or waiting:
            if more and reading is None and len(waiting) < concurrency * _AHEAD:
                reading = asyncio.create_task(reader.next())
            first = {each for each in (reading, waiting[0][1] if waiting else None) if each is not None}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if reading is not None and reading.done():
                trouble, query = reading.exception(), None if reading.exception() else reading.result()
                more, reading = query is not None, None
                if query is not None:
                    waiting.append((query, asyncio.create_task(crowd.ask(query))))
            while waiting and waiting[0][1].done():
                asked, task = waiting.popleft()
                yield asked, task.result()
        if trouble is not None:
            raise trouble
    finally:
        tasks = [task for _, task in waiting] + ([] if reading is None else [reading])
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Crowd:
    """Asks questions, so many at once, until the budget has no room for one, or access is refused."""

    def __init__(self, router: Router, terms: AnswerOptions, concurrency: int) -> None:
        self._router = router
        self._terms = terms
        self._slots = asyncio.Semaphore(concurrency)
        self._under_way = 0
        self._changed = asyncio.Event()
        self._over: RouteSDKError | None = None

    async def ask(self, query: Query) -> Outcome:
        """Answer one question."""
        async with self._slots:
            if self._over is not None:
                return NeverBegun(self._over)
            try:
                attempts = await self._router._attempts(query, self._terms)
            except RouteSDKError as error:
                return error
            while self._over is None:
                self._under_way += 1
                refusal: BudgetError | None = None
                try:
                    return await whole_answer(attempts)
                except BudgetError as error:
                    refusal = error
                except RouteSDKError as error:
                    if isinstance(error, BackendError) and error.denied:
                        self._over = error
                    return error
                finally:
                    self._under_way -= 1
                    if refusal is None:
                        # Money was set aside for this one alone: a refusal frees none, and wakes nobody.
                        self._wake()
                if self._under_way == 0:
                    self._over = refusal
                    self._wake()
                    return refusal
                # Calls under way have their worst case set aside: most of it comes back when one ends.
                await self._changed.wait()
            return NeverBegun(self._over)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class _Reader:
    """Reads questions in a thread that nobody has to wait for: standard input may stay open for ever."""

    def __init__(self, queries: Iterator[Query]) -> None:
        self._queries = queries
        self._loop = asyncio.get_running_loop()
        self._found: asyncio.Queue[tuple[Query | None, Exception | None]] = asyncio.Queue()
        self._wanted = threading.Semaphore(0)
        threading.Thread(target=self._read, name="routesdk-questions", daemon=True).start()

    async def next(self) -> Query | None:
        """Return the next question; None at the end.

        Raises:
            Exception: It cannot be read.
        """
        self._wanted.release()
        query, error = await self._found.get()
        if error is not None:
            raise error
        return query

    def _read(self) -> None:
        last = False
        while not last:
            self._wanted.acquire()
            found = attempt(next, self._queries, None)
            last = found[0] is None
            try:
                self._loop.call_soon_threadsafe(self._found.put_nowait, found)
            except RuntimeError:
                # The loop is closed: the command has ended.
                return
