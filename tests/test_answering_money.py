"""Answering: each call is paid for once, whatever becomes of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers import make_router
from routesdk import pricebook
from routesdk.catalogue import Catalogue
from routesdk.errors import (
    BackendError,
    BudgetError,
    PriceStepError,
    UnknownPriceError,
)
from routesdk.payment import TOKENS_PER_TURN, most_input_tokens
from routesdk.pipeline.oracle.purse import Pricing
from routesdk.plugins.spend.memory import MemorySpend
from routesdk.testing import MODELS, FakeBackend, FakeObserver, make_catalogue
from routesdk.types import (
    Answer,
    Query,
    Request,
    Reservation,
    Spend,
    Usage,
)
from scripted import (
    LARGE,
    MEDIUM,
    QUESTION,
    USED,
    Script,
    answering,
    forever,
    settled,
    shared_host,
    used_usd,
    worst_usd,
)


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


class Full(MemorySpend):
    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        raise BudgetError("The disk is full", "Make room.")


def test_a_spend_source_that_cannot_be_written_loses_no_paid_answer() -> None:
    observer = FakeObserver()
    router = answering(Script("x", USED), spend=Full()).with_observer(observer)

    reply = router.answer(QUESTION)

    assert (reply.text, reply.answer.usage.cost_usd) == ("x", used_usd())
    assert "stays set aside as reserved: The disk is full" in reply.decision.notices[-1]
    assert [answer for _, answer in observer.answers] == [reply.answer]
    assert router.spend.snapshot() == Spend(settled_usd=Decimal(0), reserved_usd=worst_usd())


def test_a_failure_to_settle_hides_no_failure_to_answer() -> None:
    error = BackendError("Script", "it broke", may_cost=True)
    observer = FakeObserver()

    with pytest.raises(BackendError, match="it broke"):
        answering(Script(error), spend=Full()).with_observer(observer).answer(QUESTION)
    assert "The disk is full" in observer.answers[0][0].notices[-1]


class Free(Script):
    free = True


@pytest.mark.parametrize("known", [(), MODELS])
def test_a_free_backend_is_charged_nothing_and_needs_no_price(known: tuple[str, ...]) -> None:
    seen: list[Spend] = []

    async def look() -> None:
        seen.append(router.spend.snapshot())

    backend = Free(look, "x", attrs.evolve(USED, cost_usd=7))
    router = answering(backend, catalogue=make_catalogue(known))

    reply = router.answer(QUESTION, max_usd=0)
    backend.steps = ("x", Usage())
    uncounted = router.answer(QUESTION, max_usd=0)

    assert reply.answer.usage.cost_usd == uncounted.answer.usage.cost_usd == 0
    assert [*seen, router.spend.snapshot()] == [Spend(), Spend()]
    assert not uncounted.decision.notices


@pytest.mark.parametrize(
    ("usage", "cost_usd"),
    [
        (attrs.evolve(USED, cost_usd=0), used_usd()),
        (attrs.evolve(USED, cost_usd="0.000001"), used_usd()),
        (attrs.evolve(USED, cost_usd=2), Decimal(2)),
        (Usage(cost_usd=0), None),
        (Usage(cost_usd=2), Decimal(2)),
    ],
)
def test_no_server_talks_a_known_price_down(usage: Usage, cost_usd: Decimal | None) -> None:
    router = answering(Script("x", usage))

    assert router.answer(QUESTION).answer.usage.cost_usd == cost_usd
    assert settled(router) == (worst_usd() if cost_usd is None else cost_usd)
    assert Pricing(catalogue=make_catalogue()).cost_usd(MEDIUM, usage) == cost_usd


def stepped(tokens: int) -> Catalogue:
    known = make_catalogue()
    return attrs.evolve(
        known, models={**known.models, MEDIUM: attrs.evolve(known[MEDIUM], price_up_to_tokens=tokens)}
    )


def test_a_prompt_that_may_exceed_a_prices_step_is_refused_where_money_is_bounded() -> None:
    bytes_long = len(QUESTION) + TOKENS_PER_TURN
    backend = FakeBackend()
    request = Request(query=Query(QUESTION), model=MEDIUM, max_output_tokens=9)

    for way in (
        lambda: answering(backend, catalogue=stepped(bytes_long - 1)).answer(QUESTION, max_usd=1),
        lambda: Pricing(catalogue=stepped(bytes_long - 1)).worst_nano(request),
    ):
        with pytest.raises(PriceStepError) as caught:
            way()
        error = caught.value
        assert (error.model, error.tokens, error.most_tokens) == (MEDIUM, bytes_long, bytes_long - 1)
    assert not backend.requests
    answering(backend, catalogue=stepped(bytes_long)).answer(QUESTION, max_usd=1)
    assert Pricing(catalogue=stepped(bytes_long)).worst_nano(request) > 0


def test_beyond_a_prices_step_too_no_server_is_believed_that_it_took_nothing() -> None:
    pricing = Pricing(catalogue=stepped(10))
    nothing = Usage(input_tokens=11, output_tokens=1, cost_usd=Decimal(0))
    assert pricing.cost_usd(MEDIUM, nothing) is None
    assert pricing.cost_usd(MEDIUM, attrs.evolve(nothing, cost_usd=Decimal(2))) == 2


def test_a_prompt_beyond_a_prices_step_has_an_open_cost() -> None:
    router = answering(Script("x", USED, then=("x", Usage(input_tokens=9))), catalogue=stepped(2))

    assert router.answer(QUESTION).answer.usage.cost_usd is None
    assert router.answer(QUESTION).answer.usage.cost_usd is None
    assert Pricing(catalogue=stepped(2)).cost_usd(MEDIUM, USED) is None


@pytest.mark.parametrize("where", ["model", "fallback", "budget"])
def test_a_price_of_litellms_table_is_found_when_it_is_asked_for(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"mode": "chat", "input_cost_per_token": Decimal(1), "output_cost_per_token": Decimal(2)}
    monkeypatch.setattr(pricebook, "_table", lambda: ("9.8", {"house/model": row}))
    overload = BackendError("Script", "overload", retryable=True)
    steps: tuple[BackendError | str | Usage, ...] = (overload,) if where == "fallback" else ("x", USED)
    router = answering(Script(*steps, then=("x", USED)))
    if where != "fallback":
        router = router.with_model("medium", "house/model")
    if where == "budget":
        router = router.with_budget("1e6")
    fallback = ["house/model"] if where == "fallback" else []

    reply = router.answer(QUESTION, max_usd=1_000_000, fallback=fallback)

    assert (reply.decision.model, reply.answer.usage.cost_usd) == ("house/model", 13)
    assert router.mapping.catalogue.get("house/model") is None


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
