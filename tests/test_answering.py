"""Answering: decided, paid for once whatever happens, fallen back only as the caller chose, and told."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from functools import cache
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers import TIERS, host_with_fake, make_router
from routesdk import Component, PluginHost, Router, hookimpl
from routesdk.config import PriceConfig, RouterConfig
from routesdk.errors import (
    BackendError,
    BudgetError,
    ConfigError,
    MissingExtraError,
    RouteSDKError,
    RuleError,
    RunningLoopError,
    UnknownComponentError,
    UnknownPriceError,
)
from routesdk.payment import TOKENS_PER_TURN, most_input_tokens
from routesdk.plugins.spend.memory import MemorySpend
from routesdk.reply import AsyncAnswerStream
from routesdk.terms import DEFAULT_MAX_OUTPUT_TOKENS, AnswerOptions, Fallback, Terms
from routesdk.testing import MODELS, FakeBackend, FakeObserver, make_catalogue, make_host
from routesdk.types import (
    Answer,
    Chunk,
    Message,
    PartConfig,
    Query,
    Refusal,
    Request,
    Reservation,
    RouteContext,
    Spend,
    Stage,
    Usage,
)

MEDIUM, LARGE = MODELS
USED = Usage(input_tokens=3, output_tokens=5)
QUESTION = "Who wrote Faust?"


def worst_usd(model: str = MEDIUM, text: str = QUESTION, cap: int = DEFAULT_MAX_OUTPUT_TOKENS) -> Decimal:
    return make_catalogue().price(model).cost_usd(len(text.encode()) + TOKENS_PER_TURN, cap)


def used_usd(model: str = MEDIUM, usage: Usage = USED) -> Decimal:
    return make_catalogue().cost_usd(model, usage)


Step = str | Usage | BaseException | Callable[[], Coroutine[object, object, object]]


class Script:
    """A backend that goes through steps: text, the usage at the end, an error, or something to wait for."""

    def __init__(self, *steps: Step, then: tuple[Step, ...] | None = None) -> None:
        self.steps = steps
        self.then = then
        self.requests: list[Request] = []
        self.closed = 0

    def _steps(self, request: Request) -> tuple[Step, ...]:
        self.requests.append(request)
        return self.then if self.then is not None and len(self.requests) > 1 else self.steps

    async def generate(self, request: Request) -> Answer:
        text, usage = "", Usage()
        for step in self._steps(request):
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, Usage):
                usage = step
            elif isinstance(step, str):
                text += step
            else:
                await step()
        return Answer(text=text, model=request.model, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        try:
            for step in self._steps(request):
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, Usage):
                    yield Chunk(usage=step, finish_reason="stop")
                elif isinstance(step, str):
                    yield Chunk(text=step)
                else:
                    await step()
        finally:
            self.closed += 1


def answering(backend: object, *, spend: MemorySpend | None = None, **options: object) -> Router:
    options.setdefault("host", shared_host())
    router = make_router(spend=MemorySpend() if spend is None else spend, **options)  # type: ignore[arg-type]
    return router.with_backend(backend)  # type: ignore[arg-type]


@cache
def shared_host() -> PluginHost:
    return host_with_fake()


def settled(router: Router) -> Decimal:
    """Return what is settled, and check that nothing is left open."""
    spend = router.spend.snapshot()
    assert spend.reserved_usd == 0
    return spend.settled_usd


async def forever() -> None:
    await asyncio.Event().wait()


# One answer.


def test_an_answer_comes_with_its_decision_and_its_cost() -> None:
    backend = Script("Goethe", ".", USED)
    router = answering(backend)

    reply = router.answer(QUESTION)

    assert (reply.text, reply.answer.model) == ("Goethe.", MEDIUM)
    assert reply.answer.usage.cost_usd == used_usd() == settled(router)
    assert reply.answer.usage.latency_s is not None
    assert attrs.evolve(reply.decision, call_id="") == router.route(QUESTION)


def test_equal_questions_have_one_query_id_and_calls_of_their_own() -> None:
    router = answering(FakeBackend())

    first, second = router.answer(QUESTION).decision, router.answer(QUESTION).decision

    assert first.query_id == second.query_id
    assert first.call_id and second.call_id and first.call_id != second.call_id
    assert router.route(QUESTION).call_id == ""


def test_the_terms_are_sent_and_a_cap_always_is() -> None:
    backend = Script("x", USED)
    router = answering(backend)

    router.answer(
        QUESTION, system="Be brief.", max_output_tokens=7, temperature=0.5, thinking_tokens=0, timeout_s=9
    )
    router.answer(QUESTION)

    assert backend.requests[0] == Request(
        query=Query(QUESTION),
        model=MEDIUM,
        system="Be brief.",
        max_output_tokens=7,
        temperature=0.5,
        thinking_tokens=0,
        timeout_s=9,
    )
    assert backend.requests[1].max_output_tokens == DEFAULT_MAX_OUTPUT_TOKENS


def test_all_of_a_conversation_is_sent_and_its_tags_go_along() -> None:
    backend = Script("In 1832.", USED)
    talk = [Message("user", QUESTION), Message("assistant", "Goethe."), Message("user", "When did he die?")]

    answering(backend).answer(talk)

    assert backend.requests[0].query == Query.of(talk)
    assert backend.requests[0].query.messages == tuple(talk)


def test_a_large_share_and_an_operating_point_hold_for_the_call() -> None:
    router = answering(FakeBackend(), references=["a", "b"])

    assert router.answer(QUESTION, large_share=1.0).decision.model == LARGE
    assert router.answer(QUESTION).decision.model == MEDIUM


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"thinking_tokens": -1}, "thinking_tokens"),
        ({"system": None}, "system"),
        ({"max_usd": -1}, "max_usd"),
        ({"max_usd": "much"}, "max_usd"),
        ({"fallback": 3}, "models"),
        ({"fallback": [""]}, "models"),
        ({"operating_point": 0.3}, "operating_point"),
    ],
)
def test_wrong_terms_are_refused_before_anything_is_asked(options: dict[str, object], key: str) -> None:
    backend = FakeBackend()

    with pytest.raises(ConfigError) as caught:
        answering(backend).answer(QUESTION, **options)  # type: ignore[arg-type]

    assert caught.value.key == key
    assert not backend.requests


def test_a_failure_to_decide_asks_nobody() -> None:
    backend = FakeBackend()
    with pytest.raises(RouteSDKError, match="Not a query"):
        answering(backend).answer("  ")
    assert not backend.requests


# Money.


def test_what_the_provider_says_that_it_cost_is_settled() -> None:
    router = answering(Script("x", attrs.evolve(USED, cost_usd="0.5")))

    assert router.answer(QUESTION).answer.usage.cost_usd == Decimal("0.5") == settled(router)


def test_the_worst_case_is_set_aside_while_a_call_is_under_way() -> None:
    seen: list[Spend] = []

    async def look() -> None:
        seen.append(router.spend.snapshot())

    router = answering(Script(look, "x", USED))
    router.answer(QUESTION, max_output_tokens=100)

    assert seen == [Spend(settled_usd=0, reserved_usd=worst_usd(cap=100))]  # type: ignore[arg-type]


@given(st.text(min_size=1).filter(str.strip), st.text())
def test_no_text_has_more_tokens_than_the_bound(text: str, system: str) -> None:
    request = Request(query=Query(text), model="m", system=system)

    assert most_input_tokens(request) >= len((text + system).encode("utf-8", "surrogatepass"))


def test_uncounted_tokens_are_settled_at_the_worst_and_said_to_be() -> None:
    router = answering(Script("x", Usage()))

    reply = router.answer(QUESTION)

    assert reply.answer.usage.cost_usd is None
    assert settled(router) == worst_usd()
    assert "not counted" in reply.decision.notices[-1]


def test_an_unknown_price_leaves_the_cost_open_and_says_why() -> None:
    router = answering(Script("x", USED), catalogue=make_catalogue(()))

    reply = router.answer(QUESTION)

    assert reply.answer.usage.cost_usd is None
    assert reply.decision.cost_note == f"no price is known for {MEDIUM}"
    assert settled(router) == 0


def test_an_unknown_price_with_a_stated_cost_is_counted() -> None:
    router = answering(Script("x", attrs.evolve(USED, cost_usd=2)), catalogue=make_catalogue(()))

    assert router.answer(QUESTION).answer.usage.cost_usd == 2 == settled(router)


@pytest.mark.parametrize("fallback", [(), (LARGE,)])
def test_an_unknown_price_is_an_error_wherever_money_is_bounded(fallback: tuple[str, ...]) -> None:
    backend = FakeBackend()
    known = make_catalogue((MEDIUM,)) if fallback else make_catalogue(())
    router = answering(backend, catalogue=known)

    with pytest.raises(UnknownPriceError) as caught:
        router.answer(QUESTION, max_usd=1, fallback=fallback)
    with pytest.raises(UnknownPriceError):
        router.with_budget(1).answer(QUESTION, fallback=fallback)

    assert caught.value.model == (LARGE if fallback else MEDIUM)
    assert not backend.requests
    assert settled(router) == 0


@pytest.mark.parametrize("bound", ["budget", "max_usd", "both"])
def test_a_call_that_could_exceed_the_budget_is_not_made(bound: str) -> None:
    backend = FakeBackend(cost_usd=None)
    room = worst_usd()
    fits, too_small = answering(backend), answering(backend)
    if bound != "max_usd":
        fits, too_small = fits.with_budget(room), too_small.with_budget(room - Decimal("1e-9"))
    limits = {"budget": (None, None), "max_usd": (room, room - Decimal("1e-9")), "both": (9, 9)}[bound]

    fits.answer(QUESTION, max_usd=limits[0])
    with pytest.raises(BudgetError):
        too_small.answer(QUESTION, max_usd=limits[1])

    assert len(backend.requests) == 1
    assert settled(too_small) == 0


@attrs.frozen
class WatchedSpend:
    """A spend source that notes the most that was ever settled and reserved."""

    source: MemorySpend = attrs.field(factory=MemorySpend)
    totals: list[Decimal] = attrs.field(factory=list)

    def snapshot(self) -> Spend:
        return self.source.snapshot()

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        reservation = self.source.reserve(cost, limit=limit)
        self.totals.append(self.source.snapshot().total_usd)
        return reservation

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        self.source.settle(reservation, cost)
        self.totals.append(self.source.snapshot().total_usd)


FATES = ("ok", "fail", "hang", "free")


@settings(max_examples=10)
@given(
    st.integers(0, 30), st.lists(st.sampled_from(["ok", "fail", "hang", "free"]), min_size=50, max_size=50)
)
def test_fifty_calls_at_once_never_overshoot_a_budget(room: int, fates: list[str]) -> None:
    budget = worst_usd() * room
    spend = WatchedSpend()

    async def fate(request: Request) -> None:
        await asyncio.sleep(0)
        kind = fates[int(request.query.id)]
        if kind in ("fail", "free"):
            raise BackendError("fake", "no", may_cost=kind == "fail")
        if kind == "hang":
            await forever()

    class Fated(FakeBackend):
        async def generate(self, request: Request) -> Answer:
            await fate(request)
            return await super().generate(request)

    router = (
        make_router(spend=spend, host=shared_host())
        .with_budget(budget, downgrade_at=1)
        .with_backend(Fated(cost_usd=None))
    )

    async def ask(index: int) -> object:
        return await asyncio.wait_for(router.aanswer(Query(QUESTION, id=str(index))), 0.15)

    async def everything() -> list[object]:
        return await asyncio.gather(*map(ask, range(50)), return_exceptions=True)

    replies = asyncio.run(everything())

    assert max(spend.totals, default=Decimal(0)) <= budget
    assert settled(router) <= budget
    paid = sum(not isinstance(reply, BudgetError) for reply in replies)
    assert paid >= min(room, 50)


def test_threads_share_a_budget_and_a_backend() -> None:
    backend = FakeBackend(cost_usd=None)
    router = answering(backend).with_budget(worst_usd() * 6)
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(router.answer(QUESTION))
        except BudgetError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    answered = [each for each in outcomes if not isinstance(each, BudgetError)]
    assert len(outcomes) == 12
    assert len(answered) >= 6
    assert settled(router) == len(answered) * used_usd(usage=Usage(input_tokens=3, output_tokens=3))


def test_a_spend_source_that_cannot_be_written_is_no_silent_loss() -> None:
    class Full(MemorySpend):
        def settle(self, reservation: Reservation, cost: Decimal) -> None:
            raise BudgetError("The disk is full", "Make room.")

    with pytest.raises(BudgetError, match="disk is full"):
        answering(Script("x", USED), spend=Full()).answer(QUESTION)


# Failures, and what they cost.


@pytest.mark.parametrize(
    ("error", "cost_usd"),
    [
        (BackendError("b", "429", retryable=True), Decimal(0)),
        (BackendError("b", "broke off", may_cost=True), worst_usd()),
        (BackendError("b", "blocked", blocked=True, may_cost=True, usage=USED), used_usd()),
        (BackendError("b", "blocked", blocked=True, usage=USED), used_usd()),
        (ValueError("a bug of the backend"), worst_usd()),
    ],
)
@pytest.mark.parametrize("way", ["answer", "stream"])
def test_a_failed_call_is_settled_at_what_it_may_have_cost_and_told(
    error: Exception, cost_usd: Decimal, way: str
) -> None:
    observer = FakeObserver()
    router = answering(Script(error), observers=[observer])

    with pytest.raises(type(error)) as caught:
        router.answer(QUESTION) if way == "answer" else list(router.stream(QUESTION))

    assert caught.value is error
    assert settled(router) == cost_usd
    told = [(answer.finish_reason, answer.usage.cost_usd) for _, answer in observer.answers]
    reason = "failed" if isinstance(error, BackendError) else "cancelled"
    assert told == ([(reason, cost_usd)] if cost_usd else [])


def test_a_failed_call_of_unknown_price_is_told_with_its_cost_open() -> None:
    observer = FakeObserver()
    error = BackendError("b", "broke off", may_cost=True)
    router = answering(Script(error), observers=[observer], catalogue=make_catalogue(()))

    with pytest.raises(BackendError):
        router.answer(QUESTION)

    assert [answer.usage.cost_usd for _, answer in observer.answers] == [None]
    assert settled(router) == 0


@pytest.mark.parametrize("way", ["answer", "stream"])
def test_a_backend_that_hangs_is_left_at_the_deadline(way: str) -> None:
    router = answering(Script(forever))

    with pytest.raises(BackendError) as caught:
        if way == "answer":
            router.answer(QUESTION, timeout_s=0.02)
        else:
            list(router.stream(QUESTION, timeout_s=0.02))

    assert (caught.value.backend, caught.value.retryable, caught.value.may_cost) == ("Script", True, True)
    assert "0.02 s" in caught.value.problem
    assert settled(router) == worst_usd()


def test_a_slow_reader_of_a_stream_is_not_held_against_the_deadline() -> None:
    router = answering(Script("a", "b", USED))

    async def read() -> list[str]:
        texts = []
        async for piece in await router.astream(QUESTION, timeout_s=0.05):
            texts.append(piece.text)
            await asyncio.sleep(0.04)
        return texts

    assert asyncio.run(read()) == ["a", "b", ""]


def test_the_deadline_is_for_the_whole_stream() -> None:
    def slow() -> Coroutine[object, object, object]:
        return asyncio.sleep(0.04)

    router = answering(Script(slow, "a", slow, "b", slow, "c", slow, USED))

    with pytest.raises(BackendError, match=r"within 0\.1 s"):
        list(router.stream(QUESTION, timeout_s=0.1))
    assert settled(router) == worst_usd()


# Cancelled at each point.


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


# Streams.


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


# Falling back.

PASSING = BackendError("b", "overloaded: try later", retryable=True)
LASTING = BackendError("b", "no such model")


def test_by_default_nobody_else_is_asked() -> None:
    backend = Script(PASSING)

    with pytest.raises(BackendError) as caught:
        answering(backend).answer(QUESTION)

    assert caught.value is PASSING
    assert len(backend.requests) == 1


@pytest.mark.parametrize("way", ["answer", "stream"])
@pytest.mark.parametrize("fallback", [LARGE, [LARGE], Fallback((LARGE,))])
def test_a_fallback_answers_and_the_trace_tells_of_it(fallback: object, way: str) -> None:
    observer = FakeObserver()
    backend = Script(PASSING, then=("Goethe", USED))
    router = answering(backend, observers=[observer])

    if way == "answer":
        reply = router.answer(QUESTION, fallback=fallback)  # type: ignore[arg-type]
        decision, answer = reply.decision, reply.answer
    else:
        stream = router.stream(QUESTION, fallback=fallback)  # type: ignore[arg-type]
        assert [piece.text for piece in stream] == ["Goethe", ""]
        assert stream.answer is not None
        decision, answer = stream.decision, stream.answer

    step = decision.trace[-1]
    assert (step.stage, step.source, step.model, step.chosen) == (Stage.FALLBACK, "fallback", LARGE, LARGE)
    assert step.reason == f"{MEDIUM} gave no answer: {PASSING}"
    assert decision.model == answer.model == LARGE
    assert decision.estimated_cost_usd == router.mapping.catalogue.price(LARGE).cost_usd(4, 256)
    assert [request.model for request in backend.requests] == [MEDIUM, LARGE]
    assert settled(router) == used_usd(LARGE)
    assert observer.answers == [(decision, answer)]
    assert decision.call_id == observer.decisions[0].call_id


def test_each_fallback_is_asked_once_and_the_last_error_is_raised() -> None:
    backend = Script(PASSING)

    with pytest.raises(BackendError):
        answering(backend).answer(QUESTION, fallback=(MEDIUM, LARGE, "third-model"))

    assert [request.model for request in backend.requests] == [MEDIUM, LARGE, "third-model"]


@pytest.mark.parametrize(
    ("error", "on", "asked"),
    [(PASSING, "retryable", 2), (LASTING, "retryable", 1), (PASSING, "any", 2), (LASTING, "any", 2)],
)
def test_the_caller_says_which_failures_lead_to_a_fallback(error: BackendError, on: str, asked: int) -> None:
    backend = Script(error)

    with pytest.raises(BackendError):
        answering(backend).answer(QUESTION, fallback=Fallback((LARGE,), on))

    assert len(backend.requests) == asked


def test_an_error_of_another_kind_leads_to_no_fallback() -> None:
    backend = Script(KeyError("a bug"))
    with pytest.raises(KeyError):
        answering(backend).answer(QUESTION, fallback=Fallback((LARGE,), "any"))
    assert len(backend.requests) == 1


def test_no_other_model_goes_on_with_a_text_that_was_begun() -> None:
    backend = Script("Goe", BackendError("b", "broke off", retryable=True), then=("other", USED))
    stream = answering(backend).stream(QUESTION, fallback=LARGE)

    assert next(stream).text == "Goe"
    with pytest.raises(BackendError):
        next(stream)

    assert len(backend.requests) == 1


def test_what_a_failed_call_cost_is_paid_beside_the_fallback() -> None:
    observer = FakeObserver()
    error = BackendError("b", "broke off", retryable=True, may_cost=True)
    router = answering(Script(error, then=("x", USED)), observers=[observer])

    router.answer(QUESTION, fallback=LARGE)

    assert settled(router) == worst_usd() + used_usd(LARGE)
    assert [(decision.model, answer.finish_reason) for decision, answer in observer.answers] == [
        (MEDIUM, "failed"),
        (LARGE, "stop"),
    ]
    assert len({decision.call_id for decision, _ in observer.answers}) == 1


def test_constraints_hold_for_fallbacks_too() -> None:
    class NotLarge:
        def refuse(self, context: RouteContext, model: str) -> Refusal | None:
            return Refusal("too dear") if model == LARGE else None

    backend = Script(PASSING, then=("x", USED))
    router = answering(backend).with_rule(NotLarge())

    decision = router.answer(QUESTION, fallback=(LARGE, "third-model")).decision

    assert [(step.stage, step.model, step.chosen) for step in decision.trace[-2:]] == [
        (Stage.CONSTRAINT, LARGE, MEDIUM),
        (Stage.FALLBACK, "third-model", "third-model"),
    ]


def test_a_constraint_that_is_skipped_on_a_fallback_is_noted() -> None:
    class Broken:
        def refuse(self, context: RouteContext, model: str) -> Refusal | None:
            if model == LARGE:
                raise ValueError("a bug")
            return None

    router = answering(Script(PASSING, then=("x", USED)))

    decision = router.with_rule(Broken(), on_error="skip").answer(QUESTION, fallback=LARGE).decision
    with pytest.raises(RuleError):
        answering(Script(PASSING)).with_rule(Broken()).answer(QUESTION, fallback=LARGE)

    assert [(step.stage, step.chosen) for step in decision.trace[-2:]] == [
        (Stage.SKIPPED, MEDIUM),
        (Stage.FALLBACK, LARGE),
    ]


def test_a_fallback_may_have_a_backend_of_its_own() -> None:
    first, second = Script(PASSING), Script("x", USED)
    router = make_router().with_backend(first, MEDIUM).with_backend(second, LARGE)

    assert router.answer(QUESTION, fallback=LARGE).decision.model == LARGE
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_a_fallback_that_nothing_reaches_is_refused_before_anything_is_asked() -> None:
    backend = FakeBackend()
    with pytest.raises(ConfigError) as caught:
        make_router().with_backend(backend, MEDIUM).answer(QUESTION, fallback=LARGE)
    assert (caught.value.key, caught.value.value) == ("backend", repr(LARGE))
    assert not backend.requests


# Backends.


def test_without_a_backend_the_error_says_what_to_write_and_nothing_is_decided() -> None:
    observer = FakeObserver()

    with pytest.raises(ConfigError, match=r"with_backend\(.gemini.\)") as caught:
        make_router(observers=[observer]).answer(QUESTION)

    assert caught.value.key == "backend"
    assert not observer.decisions


def test_a_named_backend_is_built_once_with_its_options(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    outcome = '{"score": 1, "answer": "Goethe"}'
    file.write_text(f'{{"id": "1", "query": "{QUESTION}", "outcomes": {{"{MEDIUM}": {outcome}}}}}\n')
    by_name = make_router().with_backend("recorded", path=str(file))
    by_config = make_router().with_backend(PartConfig("recorded", {"path": str(file)}))

    assert by_name.answer(QUESTION).text == by_config.answer(QUESTION).text == "Goethe"
    file.unlink()
    assert by_name.answer(QUESTION).text == "Goethe"


def test_backends_that_are_wrong_are_refused() -> None:
    router = make_router()

    with pytest.raises(UnknownComponentError):
        router.with_backend("recordet")
    with pytest.raises(ConfigError, match="is no backend"):
        router.with_backend(FakeBackend)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="belong to a backend's name"):
        router.with_backend(FakeBackend(), path="x")
    with pytest.raises(ConfigError, match="not a model's name"):
        router.with_backend(FakeBackend(), " ")


def test_a_missing_package_comes_to_light_before_money_is_set_aside() -> None:
    def broken() -> object:
        raise ImportError("no module")

    class Plugin:
        @hookimpl
        def routesdk_backends(self) -> list[Component]:  # type: ignore[type-arg]
            return [Component(name="lacking", factory=broken, install="pip install x")]

    router = make_router(host=host_with_fake(Plugin())).with_backend("lacking")

    with pytest.raises(MissingExtraError):
        router.answer(QUESTION)
    assert settled(router) == 0


def test_with_backend_without_models_replaces_all_earlier_ones() -> None:
    first, second = FakeBackend(), FakeBackend()
    router = make_router().with_backend(first, MEDIUM).with_backend(second)

    router.answer(QUESTION)

    assert (len(first.requests), len(second.requests)) == (0, 1)


def test_backends_and_fallbacks_are_never_saved(tmp_path: Path) -> None:
    router = attrs.evolve(answering(FakeBackend()), fallback=Fallback((LARGE,)))

    folder = router.save_pretrained(tmp_path / "router")

    loaded = Router.from_pretrained(folder, host=host_with_fake())
    assert loaded.fallback == Fallback()
    with pytest.raises(ConfigError):
        loaded.answer(QUESTION)


def test_a_config_names_backends_fallbacks_and_prices(tmp_path: Path) -> None:
    folder = make_router(catalogue=make_catalogue(())).save_pretrained(tmp_path / "router")
    file = tmp_path / "recorded.jsonl"
    outcome = '{"score": 1, "answer": "Goethe", "usage": {"input_tokens": 1000000, "output_tokens": 0}}'
    file.write_text(f'{{"id": "1", "query": "{QUESTION}", "outcomes": {{"{LARGE}": {outcome}}}}}\n')
    part = PartConfig("recorded", {"path": str(file)})
    config = RouterConfig(
        checkpoint=str(folder), backends={MEDIUM: part, LARGE: "recorded"}, backend=part, fallback=(LARGE,)
    )
    router = Router.from_config(
        attrs.evolve(config, backends={MEDIUM: part}),
        prices={LARGE: PriceConfig(input_usd_per_mtok=3, output_usd_per_mtok=9)},
        host=host_with_fake(),
    )

    assert config.backends[LARGE] == PartConfig("recorded")
    assert router.fallback == Fallback((LARGE,))
    reply = attrs.evolve(router, fallback=Fallback((LARGE,), "any")).answer(QUESTION)
    assert (reply.decision.model, reply.answer.usage.cost_usd) == (LARGE, 3)


# Loops and observers.


def test_the_sync_forms_refuse_to_hold_up_a_running_loop() -> None:
    router = answering(FakeBackend())

    async def call(method: Callable[[str], object]) -> None:
        method(QUESTION)

    for name in ("answer", "stream"):
        with pytest.raises(RunningLoopError) as caught:
            asyncio.run(call(getattr(router, name)))
        assert (caught.value.called, caught.value.instead) == (name, f"`await router.a{name}(...)`")


def test_an_observer_that_raises_fails_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def routesdk_answered(self, answer: Answer) -> None:
            raise ValueError("no disk")

    heard = FakeObserver()
    router = answering(Script("x", USED), observers=[Broken(), heard])

    with caplog.at_level(logging.CRITICAL, "routesdk"):
        assert router.answer(QUESTION).text == "x"
        assert [piece.text for piece in router.stream(QUESTION)] == ["x", ""]

    assert len(heard.answers) == 2
    assert settled(router) == 2 * used_usd()


def test_an_observer_that_ends_the_process_leaves_no_reservation() -> None:
    class Interrupting:
        def routesdk_answered(self, answer: Answer) -> None:
            raise KeyboardInterrupt

    router = answering(Script("x", USED), observers=[Interrupting()])

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(router.aanswer(QUESTION))
    assert settled(router) == used_usd()


def test_a_backend_sees_one_loop_however_often_it_is_asked_from_outside() -> None:
    loops = set()

    async def note() -> None:
        loops.add(asyncio.get_running_loop())

    router = answering(Script(note, "x", USED))
    for _ in range(3):
        router.answer(QUESTION)
        list(router.stream(QUESTION))

    assert len(loops) == 1


def test_the_terms_are_what_the_options_say() -> None:
    assert set(AnswerOptions.__annotations__) == {field.name for field in attrs.fields(Terms)}


def test_routing_neither_starts_the_loop_nor_asks_a_backend() -> None:
    backend = FakeBackend()
    router = make_router(host=None, tiers=TIERS).with_backend(backend)

    router.route(QUESTION)

    assert not backend.requests
    assert make_host().names("backend")
