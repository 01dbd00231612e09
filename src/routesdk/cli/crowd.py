"""Many questions at once: as many calls under way as allowed, answers in the order of the questions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING

from routesdk.errors import BackendError, BudgetError, RouteSDKError
from routesdk.types import Query

if TYPE_CHECKING:
    from routesdk.reply import RoutedAnswer
    from routesdk.router import Router
    from routesdk.terms import AnswerOptions

_AHEAD = 4
"""Questions that are begun for each call under way: one slow answer must not hold up the others."""


async def answers(
    router: Router, queries: Iterator[Query], terms: AnswerOptions, concurrency: int
) -> AsyncGenerator[tuple[Query, RoutedAnswer | RouteSDKError], None]:
    """Yield each question with its answer, or with what kept it from being answered.

    Once a budget is spent, no further question is begun; calls under way are
    waited for, since they are paid for. Whatever else is no fault of one
    question, such as a missing backend, is raised.
    """
    slots = asyncio.Semaphore(concurrency)
    waiting: deque[tuple[Query, asyncio.Task[RoutedAnswer | RouteSDKError]]] = deque()
    reading: asyncio.Task[Query | None] | None = None
    more = True
    try:
        while more or waiting:
            if more and reading is None and len(waiting) < concurrency * _AHEAD:
                # In a thread: standard input may make us wait, and calls under way must not.
                reading = asyncio.create_task(asyncio.to_thread(next, queries, None))
            first = {waiting[0][1]} if waiting else set()
            await asyncio.wait(
                first if reading is None else {*first, reading}, return_when=asyncio.FIRST_COMPLETED
            )
            if reading is not None and reading.done():
                query, reading = reading.result(), None
                more = query is not None
                if query is not None:
                    waiting.append((query, asyncio.create_task(_answer(router, query, terms, slots))))
            while waiting and waiting[0][1].done():
                asked, task = waiting.popleft()
                reply = task.result()
                if isinstance(reply, BudgetError):
                    more, reading = False, None
                yield asked, reply
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


async def _answer(
    router: Router, query: Query, terms: AnswerOptions, slots: asyncio.Semaphore
) -> RoutedAnswer | RouteSDKError:
    async with slots:
        try:
            return await router.aanswer(query, **terms)
        except (BackendError, BudgetError) as error:
            return error
