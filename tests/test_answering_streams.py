"""Answering piece by piece, and cancelled at each point."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from decimal import Decimal

import pytest

from routesdk import Router
from routesdk.errors import (
    BackendError,
    BudgetError,
)
from routesdk.reply import AsyncAnswerStream
from routesdk.testing import FakeObserver
from scripted import (
    MEDIUM,
    QUESTION,
    USED,
    Script,
    answering,
    forever,
    settled,
    used_usd,
    worst_usd,
)


def switch() -> Coroutine[object, object, object]:
    return asyncio.sleep(0)


@pytest.mark.parametrize("way", ["answer", "stream"])
@pytest.mark.parametrize("turns", range(25))
def test_cancelling_at_any_await_leaves_no_reservation_open(turns: int, way: str) -> None:
    observer = FakeObserver()
    router = answering(Script(switch, "a", switch, "b", switch, USED), observers=[observer])

    async def whole() -> None:
        if way == "answer":
            await router.aanswer(QUESTION)
            return
        stream = await router.astream(QUESTION)
        async for _ in stream:
            await asyncio.sleep(0)

    async def cancelled() -> None:
        task = asyncio.create_task(whole())
        # The decision is made in a thread: from there on, turns of the loop count.
        while turns and not (observer.decisions or task.done()):
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    gc.collect()

    amount = settled(router)
    assert amount in (0, used_usd(), worst_usd())
    assert [answer.usage.cost_usd for _, answer in observer.answers] == ([amount] if amount else [])


def test_cancellation_is_met_before_during_and_after_the_call() -> None:
    # That the test above reaches all three, and not one alone, is seen here.
    amounts = set()
    for turns in range(25):
        router = answering(Script(switch, "a", switch, USED), observers=[observer := FakeObserver()])

        async def cancelled(router: Router, observer: FakeObserver, turns: int) -> None:
            task = asyncio.create_task(router.aanswer(QUESTION))
            while turns and not observer.decisions:
                await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(cancelled(router, observer, turns))
        amounts.add(settled(router))
    assert amounts >= {Decimal(0), used_usd()}


def test_a_cancelled_call_is_settled_at_the_worst_case_and_told_as_cancelled() -> None:
    observer = FakeObserver()
    under_way = threading.Event()

    async def wait() -> None:
        under_way.set()
        await forever()

    router = answering(Script("Goe", wait), observers=[observer])

    async def cancel() -> None:
        task = asyncio.create_task(router.aanswer(QUESTION))
        await asyncio.to_thread(under_way.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())

    assert settled(router) == worst_usd()
    ((decision, answer),) = observer.answers
    assert (answer.finish_reason, answer.usage.cost_usd, answer.model) == ("cancelled", worst_usd(), MEDIUM)
    assert decision == observer.decisions[0]


def test_a_stream_has_its_decision_at_once_and_its_answer_at_the_end() -> None:
    observer = FakeObserver()
    router = answering(Script("Goe", "the", USED), observers=[observer])

    with router.stream(QUESTION) as stream:
        assert stream.decision.model == MEDIUM
        assert stream.answer is None
        assert router.spend.snapshot().total_usd == 0
        pieces = list(stream)
        assert list(stream) == []

    assert [piece.text for piece in pieces] == ["Goe", "the", ""]
    assert stream.answer is not None
    assert pieces[-1].usage == stream.answer.usage
    assert (stream.answer.text, stream.answer.usage.cost_usd) == ("Goethe", used_usd())
    assert observer.answers == [(stream.decision, stream.answer)]
    assert settled(router) == used_usd()


def test_an_async_stream_gives_the_same() -> None:
    router = answering(Script("Goe", "the", USED))

    async def read() -> tuple[list[str], AsyncAnswerStream]:
        async with await router.astream(QUESTION) as stream:
            return [piece.text async for piece in stream], stream

    texts, stream = asyncio.run(read())

    assert texts == ["Goe", "the", ""]
    assert stream.answer is not None and stream.answer.text == "Goethe"
    assert settled(router) == used_usd()


def test_an_unstarted_stream_costs_nothing() -> None:
    backend = Script("x", USED)
    router = answering(backend)

    router.stream(QUESTION).close()
    del backend.requests[:]
    stream = router.stream(QUESTION)
    del stream

    assert settled(router) == 0
    assert not backend.requests


@pytest.mark.parametrize("how", ["close", "with", "drop", "break"])
def test_a_stream_left_early_is_settled_and_closed(how: str) -> None:
    observer = FakeObserver()
    backend = Script("Goe", "the", forever, USED)
    router = answering(backend, observers=[observer])
    stream = router.stream(QUESTION)
    assert next(stream).text == "Goe"

    if how == "close":
        stream.close()
        assert list(stream) == []
    elif how == "with":
        with stream:
            pass
    elif how == "break":
        for _ in stream:
            break
    del stream
    gc.collect()

    wait_until(lambda: bool(observer.answers) and backend.closed == 1)
    assert settled(router) == worst_usd()
    assert observer.answers[0][1].finish_reason == "cancelled"
    assert observer.answers[0][1].text.startswith("Goe")


@pytest.mark.parametrize("how", ["aclose", "async with", "drop"])
def test_an_async_stream_left_early_is_settled(how: str) -> None:
    observer = FakeObserver()
    backend = Script("Goe", "the", forever, USED)
    router = answering(backend, observers=[observer])

    async def leave() -> None:
        stream = await router.astream(QUESTION)
        assert (await anext(stream)).text == "Goe"
        if how == "aclose":
            await stream.aclose()
            assert [piece async for piece in stream] == []
        elif how == "async with":
            async with stream:
                pass
        del stream
        gc.collect()
        # Settled at once, not when the loop gets round to it.
        assert settled(router) == worst_usd()

    asyncio.run(leave())

    assert backend.closed == 1
    assert [(answer.finish_reason, answer.text) for _, answer in observer.answers] == [("cancelled", "Goe")]


@pytest.mark.parametrize("how", ["cancelled", "bug"])
def test_a_stream_that_breaks_is_settled_while_it_is_still_held(how: str) -> None:
    router = answering(Script("Goe", forever if how == "cancelled" else KeyError("a bug")))

    async def hold() -> None:
        stream = await router.astream(QUESTION)
        await anext(stream)
        with pytest.raises((TimeoutError, KeyError)):
            await asyncio.wait_for(anext(stream), 0.02)
        assert settled(router) == worst_usd()
        assert [piece async for piece in stream] == []

    asyncio.run(hold())


def test_a_stream_that_outlives_its_loop_is_settled_when_it_is_dropped() -> None:
    router = answering(Script("Goe", "the", USED))

    async def begin() -> AsyncAnswerStream:
        stream = await router.astream(QUESTION)
        await anext(stream)
        return stream

    stream = asyncio.run(begin())
    assert router.spend.snapshot().reserved_usd == worst_usd()
    del stream
    gc.collect()

    assert settled(router) == worst_usd()


def test_a_stream_may_be_closed_while_another_task_reads_it() -> None:
    backend = Script("Goe", forever)
    router = answering(backend)

    async def close() -> list[str]:
        stream = await router.astream(QUESTION)
        seen: list[str] = []

        async def read() -> list[str]:
            async for piece in stream:
                seen.append(piece.text)
            # The reader was not cancelled: it goes on.
            await asyncio.sleep(0)
            return seen

        reader = asyncio.create_task(read())
        while not seen:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await stream.aclose()
        assert backend.closed == 1
        return await asyncio.wait_for(reader, 5)

    assert asyncio.run(close()) == ["Goe"]
    assert settled(router) == worst_usd()


def test_a_reader_that_is_cancelled_while_its_stream_is_closed_stays_cancelled() -> None:
    router = answering(Script("Goe", forever))

    async def close() -> bool:
        stream = await router.astream(QUESTION)
        await anext(stream)

        async def read() -> None:
            await anext(stream)

        reader = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(stream.aclose())
        await asyncio.sleep(0)
        reader.cancel()
        await closing
        await asyncio.wait({reader})
        return reader.cancelled()

    assert asyncio.run(close())


def test_a_stream_without_usage_broke_off() -> None:
    observer = FakeObserver()
    router = answering(Script("Goe"), observers=[observer])

    with pytest.raises(BackendError) as caught:
        list(router.stream(QUESTION))

    assert "ended before its usage came" in caught.value.problem
    assert settled(router) == worst_usd()
    assert [(answer.finish_reason, answer.text) for _, answer in observer.answers] == [("failed", "Goe")]


def test_an_error_of_a_stream_is_raised_once_and_then_it_has_ended() -> None:
    stream = answering(Script("Goe", BackendError("b", "broke off", may_cost=True))).stream(QUESTION)

    assert next(stream).text == "Goe"
    with pytest.raises(BackendError):
        next(stream)
    assert list(stream) == []


def test_a_budget_holds_for_streams() -> None:
    backend = Script("x", USED)
    with pytest.raises(BudgetError):
        list(answering(backend).stream(QUESTION, max_usd="0.000001"))
    assert not backend.requests


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for what the background loop does meanwhile."""
    done = threading.Event()
    for _ in range(500):
        if true():
            return
        done.wait(0.01)
    raise AssertionError("it did not come true in five seconds")
