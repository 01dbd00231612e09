"""Connections of backends: one client for each event loop, and a deadline over the pieces of a stream."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
_Held: TypeAlias = tuple[T, AsyncGenerator[T, None]]


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
        self._held: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Held[T]]]
        self._held = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    async def get(self, mark: str = "") -> T:
        """Return the client of the running loop; it is made on the first call.

        Args:
            mark: What the client was made with, such as a key: another one asks for another
                client. Calls that are under way with the earlier one go on.
        """
        loop = asyncio.get_running_loop()
        held = self._held.get(loop, {}).get(mark)
        if held is None:
            keeper = _keep(self._make, self._close)
            # It has nothing to wait for until it yields: no other call can come in between.
            held = (await anext(keeper), keeper)
            with self._lock:
                # A client refers to its loop, which would keep the entry: closed loops go by hand.
                for other in [each for each in self._held if each.is_closed()]:
                    del self._held[other]
                self._held.setdefault(loop, {})[mark] = held
        return held[0]


async def _keep(make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> AsyncGenerator[T, None]:
    # A loop closes its generators before it ends, and one that nobody refers to any longer: the one
    # hook into a loop's end that there is.
    client = make()
    try:
        yield client
    finally:
        await close(client)


async def within(left_s: float, pieces: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Yield pieces, and wait for them no longer than a time in all.

    The time that the reader takes between two pieces does not count.

    Args:
        left_s: Seconds in which the last piece must have come.
        pieces: What to read.

    Raises:
        TimeoutError: It has not come by then.
    """
    while True:
        asked_s = time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        left_s -= time.monotonic() - asked_s
        yield piece
