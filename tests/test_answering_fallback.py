"""Answering: fallen back only as the caller chose."""

from __future__ import annotations

import pytest

from routers import make_router
from routesdk.errors import (
    BackendError,
    ConfigError,
    RuleError,
)
from routesdk.terms import Fallback
from routesdk.testing import FakeBackend, FakeObserver
from routesdk.types import (
    Refusal,
    RouteContext,
    Stage,
)
from scripted import (
    LARGE,
    MEDIUM,
    QUESTION,
    USED,
    Script,
    answering,
    settled,
    used_usd,
    worst_usd,
)

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
