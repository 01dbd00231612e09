"""One client for each event loop, closed when that loop ends; and a deadline over pieces."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator

import pytest

from routesdk.connection import LoopClients, within


class Line:
    """A client that knows the loop that it is for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed = False

    async def close(self) -> None:
        assert asyncio.get_running_loop() is self.loop
        await asyncio.sleep(0)
        self.closed = True


def test_one_loop_has_one_client_also_for_calls_made_at_once() -> None:
    clients = LoopClients(Line, Line.close)

    async def several() -> set[int]:
        return {id(each) for each in await asyncio.gather(*(clients.get() for _ in range(20)))}

    assert len(asyncio.run(several())) == 1


def test_each_loop_has_a_client_of_its_own_that_is_closed_with_it() -> None:
    clients = LoopClients(Line, Line.close)

    first, second = asyncio.run(clients.get()), asyncio.run(clients.get())

    assert first is not second
    assert first.closed and second.closed


def test_loops_of_several_threads_do_not_share_a_client() -> None:
    clients = LoopClients(Line, Line.close)
    found: list[Line] = []
    meet = threading.Barrier(8)

    async def get() -> None:
        meet.wait()
        found.append(await clients.get())
        meet.wait()

    threads = [threading.Thread(target=lambda: asyncio.run(get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, found))) == 8
    assert all(line.closed for line in found)


def test_loops_that_were_closed_without_ceremony_are_forgotten() -> None:
    clients = LoopClients(Line, Line.close)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(clients.get())
        loop.close()

    asyncio.run(clients.get())

    gc.collect()
    assert len(clients._held) <= 1


def test_a_client_that_cannot_be_made_is_tried_again_with_the_next_call() -> None:
    made = iter([ValueError("no key"), None])

    def make() -> Line:
        error = next(made)
        if error is not None:
            raise error
        return Line()

    async def twice() -> Line:
        clients = LoopClients(make, Line.close)
        with pytest.raises(ValueError, match="no key"):
            await clients.get()
        return await clients.get()

    assert asyncio.run(twice()).closed


async def _pieces(count: int, pause_s: float) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(pause_s)
        yield number


def test_another_mark_gets_another_client_and_the_earlier_one_goes_on() -> None:
    clients = LoopClients(Line, Line.close)

    async def several() -> list[Line]:
        found = [await clients.get(mark) for mark in ("a", "b", "a")]
        gc.collect()
        await asyncio.sleep(0)
        assert not any(each.closed for each in found)
        return found

    first, second, again = asyncio.run(several())

    assert first is again is not second
    assert first.closed and second.closed


def test_a_time_for_pieces_counts_waiting_alone() -> None:
    async def read(pause_s: float, reading_s: float) -> list[int]:
        seen = []
        async for piece in within(0.3, _pieces(5, pause_s)):
            seen.append(piece)
            await asyncio.sleep(reading_s)
        return seen

    assert asyncio.run(read(0.0, 0.0)) == [0, 1, 2, 3, 4]
    with pytest.raises(TimeoutError):
        asyncio.run(read(0.1, 0.0))
    assert asyncio.run(read(0.0, 0.1)) == [0, 1, 2, 3, 4]
