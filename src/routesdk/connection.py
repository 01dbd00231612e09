"""Connections of backends: one client for each event loop, and a deadline over the pieces of a stream."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LoopClients(Generic[T]):
    """Keeps one client for each running event loop, and closes it when that loop shuts down.

    A client's connections belong to the loop that opened them. `asyncio.run`
    and the sync forms start a loop a call, so a client that is kept beyond
    would fail on the second call, and leave its sockets open.

    Args:
        make: Makes a client; called within the loop that it is for.
        close: Closes it.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._held: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[T, None]]]
        self._held = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    async def get(self) -> T:
        """Return the client of the running loop; it is made on the first call."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            keeper = _keep(self._make, self._close)
            # It has nothing to wait for until it yields: no other call can come in between.
            held = (await anext(keeper), keeper)
            with self._lock:
                # A client refers to its loop, which would keep the entry: closed loops go by hand.
                for other in [each for each in self._held if each.is_closed()]:
                    del self._held[other]
                self._held[loop] = held
        return held[0]


async def _keep(make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> AsyncGenerator[T, None]:
    # A loop closes its generators before it ends, and one that nobody refers to any longer: the one
    # hook into a loop's end that there is.
    client = make()
    try:
        yield client
    finally:
        await close(client)


async def until(deadline: float, pieces: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Yield pieces until a deadline.

    The time that the reader takes between two pieces counts, too.

    Args:
        deadline: When the last piece must have come, in the running loop's time, in seconds.
        pieces: What to read.

    Raises:
        TimeoutError: It has not come by then.
    """
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        yield piece
