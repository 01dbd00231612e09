"""Answering: one answer, the backends that give it, loops and observers."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from routers import TIERS, host_with_fake, make_router
from routesdk import Component, Router, hookimpl
from routesdk.config import PriceConfig, RouterConfig
from routesdk.errors import (
    ConfigError,
    MissingExtraError,
    RouteSDKError,
    RunningLoopError,
    UnknownComponentError,
)
from routesdk.terms import DEFAULT_MAX_OUTPUT_TOKENS, AnswerOptions, Fallback, Terms
from routesdk.testing import FakeBackend, FakeObserver, make_catalogue, make_host
from routesdk.types import (
    Answer,
    Message,
    PartConfig,
    Query,
    Request,
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
)


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
    assert (reply.decision.model, reply.answer.usage.cost_usd) == (LARGE, 0)
    assert router.mapping.catalogue.price(LARGE).input_usd_per_mtok == 3


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


def test_what_is_kept_for_the_background_loop_is_closed_at_the_end_of_the_process() -> None:
    code = """
import asyncio
from routesdk._loop import run_in_background
from routesdk.connection import LoopClients

async def close(client):
    await asyncio.sleep(0)
    print("closed", client, flush=True)

clients = LoopClients(lambda: "client", close)
run_in_background(clients.get())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("closed client\n", "")


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
