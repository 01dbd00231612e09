"""One event loop in the background, in which the sync forms of async methods run.

A loop of its own for each call would cut a client off from its open connections,
which belong to the loop that they were opened in.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from typing import TypeVar

from routesdk.errors import RunningLoopError

T = TypeVar("T")

_LEAVE_S = 5.0
"""Seconds that calls under way have to settle when the process ends."""

_lock = threading.Lock()
_running: dict[int, tuple[asyncio.AbstractEventLoop, threading.Thread]] = {}


def refuse_running_loop(called: str, instead: str) -> None:
    """Raise where an event loop runs in this thread.

    Args:
        called: The sync method.
        instead: What to write, with its backticks.

    Raises:
        RunningLoopError: One does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RunningLoopError(called, instead)


def run_in_background(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine in the background loop, and wait for it.

    Where the wait is interrupted, the coroutine is cancelled.
    """
    future = asyncio.run_coroutine_threadsafe(work, background_loop())
    try:
        return future.result()
    finally:
        future.cancel()


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process, and start it if there is none."""
    with _lock:
        # A forked child has the parent's loop, but not the thread that runs it.
        found = _running.get(os.getpid())
        if found is None:
            _running.clear()
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="routesdk", daemon=True)
            thread.start()
            found = _running[os.getpid()] = (loop, thread)
        return found[0]


@atexit.register
def _leave() -> None:
    """Let calls under way settle, and close the loop."""
    with _lock:
        found = _running.pop(os.getpid(), None)
    if found is None:
        return
    loop, thread = found
    if not thread.is_alive():
        return
    ending = asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
    try:
        ending.result(_LEAVE_S)
    except TimeoutError:
        # A backend that does not let itself be cancelled must not keep the process.
        return
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_LEAVE_S)
    if not thread.is_alive():
        loop.close()


async def _cancel_all() -> None:
    """End what is under way in the running loop, and what is kept for it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    # Streams that were left half-way are closed, and so are the clients that are kept for this loop.
    await asyncio.get_running_loop().shutdown_asyncgens()
