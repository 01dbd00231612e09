"""Trials that every backend of a provider stands, over real sockets and with the provider's own client."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Callable, Sequence

import attrs
import pytest

from provider_server import Asked, ProviderServer, count_tokens
from routesdk.errors import BackendError
from routesdk.protocols import Backend
from routesdk.testing import check_backend
from routesdk.types import Answer, Chunk, Message, Query, Request

KEY = "key-of-a-test-0123456789abcdef"
KEY_ENV = "ROUTESDK_TEST_PROVIDER"
"""A name that does not say that it is a key: it must be kept out of texts all the same."""

SCHEMA = {
    "type": "object",
    "properties": {"grade": {"type": "string", "enum": ["A", "B"]}},
    "required": ["grade"],
    "additionalProperties": False,
}

FAULTS = {
    "429": {"retryable": True},
    "500": {"retryable": True},
    "503": {"retryable": True},
    "hang": {"retryable": True, "may_cost": True},
    "cut": {"retryable": True, "may_cost": True},
    "broken": {"retryable": True, "may_cost": True},
    "401": {"denied": True},
    "403": {"denied": True},
    "400": {},
    "blocked": {"blocked": True},
    "withheld": {"blocked": True},
}
"""Fault → the fields of the error that are not False."""


@attrs.frozen
class Trial:
    """A backend to be tried, and the model that it asks.

    Attributes:
        make: Builds it for a server.
        model: The model's name, as the backend takes it.
    """

    make: Callable[[ProviderServer], Backend]
    model: str = "gemini-2.5-flash"

    def request(self, text: str = "How far is the Moon?", **options: object) -> Request:
        """Return a request with a deadline that a busy machine keeps."""
        return Request(**{"query": Query(text), "model": self.model, "timeout_s": 20.0, **options})  # type: ignore[arg-type]


async def collect(backend: Backend, request: Request) -> list[Chunk]:
    """Return the pieces of a streamed answer."""
    return [chunk async for chunk in backend.stream(request)]


def answered(backend: Backend, request: Request) -> tuple[Answer, list[Chunk]]:
    """Ask once whole and once as a stream, in two event loops."""
    return asyncio.run(backend.generate(request)), asyncio.run(collect(backend, request))


def failed(backend: Backend, request: Request) -> Sequence[BackendError]:
    """Return the errors of both forms."""
    errors = []
    for form in (backend.generate, lambda asked: collect(backend, asked)):
        with pytest.raises(BackendError) as caught:
            asyncio.run(form(request))
        errors.append(caught.value)
    return errors


def keeps_the_contract(trial: Trial) -> None:
    with ProviderServer(cached_share=0.3) as server:
        check_backend(trial.make(server), trial.request())


def counts_as_the_provider(trial: Trial) -> None:
    with ProviderServer(cached_share=0.5, thinking_tokens=7) as server:
        answer, chunks = answered(trial.make(server), trial.request(system="Be short."))

        (billed,) = server.billed.values()
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens) == (billed.input_tokens // 2, billed.output_tokens // 2)
    assert (usage.thinking_tokens, usage.cached_input_tokens) == (7, billed.cached_tokens // 2)
    assert usage.input_tokens == count_tokens("Be short.") + count_tokens("How far is the Moon?")
    assert usage.latency_s is not None and usage.latency_s > 0
    assert "".join(chunk.text for chunk in chunks) == answer.text
    assert attrs.evolve(chunks[-1].usage, latency_s=None) == attrs.evolve(usage, latency_s=None)


def passes_everything_on(trial: Trial) -> None:
    """Conversation, system instruction, caps and schema arrive, and the caps hold."""
    seen: list[tuple[str, str, object]] = []

    def reply(_: str, system: str, text: str, schema: object) -> str:
        seen.append((system, text, schema))
        return json.dumps({"grade": "B", "why": "one two three four five six"})

    turns = (Message("user", "One?"), Message("assistant", "1"), Message("user", "Two?"))
    query = Query("Two?", messages=turns)
    options = {"system": "Grade it.", "max_output_tokens": 12, "temperature": 0.0, "response_schema": SCHEMA}
    with ProviderServer(reply=reply, thinking_tokens=4) as server:
        request = attrs.evolve(trial.request(**options), query=query)
        answer = asyncio.run(trial.make(server).generate(request))

        body = json.loads(server.requests[0].body)
    assert seen == [("Grade it.", "Two?", SCHEMA)]
    assert answer.usage.output_tokens == 12
    assert answer.finish_reason.lower() in {"length", "max_tokens"}
    flat = json.dumps(body)
    assert '"temperature": 0' in flat
    assert flat.index("One?") < flat.index('"1"') < flat.index("Two?")


def reports_a_fault(trial: Trial, fault: str) -> Sequence[BackendError]:
    with ProviderServer(faults=lambda _: fault) as server:
        backend = trial.make(server)
        warm_up(backend, server, trial)
        errors = failed(backend, trial.request(timeout_s=0.5 if fault == "hang" else 20.0))

        # One call each: the client does not try again by itself.
        assert server.faulted == {fault: 2}
    for error in errors:
        fields = {"retryable", "may_cost", "blocked", "denied"}
        assert {name: True for name in fields if getattr(error, name)} == FAULTS[fault], error
        assert KEY not in "".join(traceback.format_exception(error)), error
        assert error.__cause__ is None and error.__context__ is None
    return errors


def warm_up(backend: Backend, server: ProviderServer, trial: Trial) -> None:
    """Have a client import what it imports with its first call: a short deadline is about the next."""
    faults, server.faults = server.faults, None
    answered(backend, trial.request("Warm?"))
    server.faults = faults


def waits_as_it_is_told(
    trial: Trial, *, retry_after: str | None, info_s: float | None
) -> Sequence[float | None]:
    with ProviderServer(faults=lambda _: "429", retry_after=retry_after, retry_info_s=info_s) as server:
        return [error.retry_after_s for error in failed(trial.make(server), trial.request())]


def reports_that_nobody_listens(trial: Trial) -> None:
    with ProviderServer() as server:
        backend = trial.make(server)
    for error in failed(backend, trial.request()):
        assert (error.retryable, error.may_cost) == (True, False), error


def can_be_cancelled(trial: Trial) -> None:
    """A cancelled call closes its connection, and the backend goes on to serve."""

    async def cancel(server: ProviderServer, backend: Backend, form: Callable[[Request], object]) -> None:
        server.latency_s = 30.0
        task = asyncio.ensure_future(form(trial.request()))  # type: ignore[arg-type]
        while not server.in_flight:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.latency_s = 0.0
        assert (await backend.generate(trial.request())).text

    with ProviderServer() as server:
        backend = trial.make(server)
        asyncio.run(cancel(server, backend, backend.generate))
        asyncio.run(cancel(server, backend, lambda request: collect(backend, request)))


def keeps_its_deadline_over_a_whole_stream(trial: Trial) -> None:
    """Pieces that come one by one do not put the end off."""
    with ProviderServer() as server:
        backend = trial.make(server)
        warm_up(backend, server, trial)
        server.pause_s = 0.4
        with pytest.raises(BackendError) as caught:
            asyncio.run(collect(backend, trial.request(timeout_s=0.6)))

    assert (caught.value.retryable, caught.value.may_cost) == (True, True)


def answers_many_at_once(trial: Trial) -> None:
    async def ask(backend: Backend) -> list[Answer]:
        requests = [trial.request(f"Question {number}?") for number in range(64)]
        return list(await asyncio.gather(*map(backend.generate, requests)))

    def reply(_model: str, _system: str, text: str, _schema: object) -> str:
        return f"To {text}"

    with ProviderServer(reply=reply, latency_s=0.5) as server:
        answers = asyncio.run(ask(trial.make(server)))

        assert [answer.text for answer in answers] == [f"To Question {number}?" for number in range(64)]
        assert server.most_in_flight > 32


def shows_no_key(trial: Trial, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither logs at their most talkative, nor what is printed, nor a repr holds the key."""
    plan = iter([None, None, "401", "401", "500", "500", "broken", "broken"])

    def faults(_: Asked) -> str | None:
        return next(plan)

    with caplog.at_level(logging.DEBUG), ProviderServer(faults=faults) as server:
        backend = trial.make(server)
        answered(backend, trial.request())
        for _ in range(3):
            failed(backend, trial.request())
        assert KEY in json.dumps([dict(raw.headers) for raw in server.requests])
    printed = capsys.readouterr()
    records = "".join(f"{record.getMessage()}{record.exc_text}{record.args}" for record in caplog.records)
    for text in (caplog.text, records, printed.out, printed.err, repr(backend), str(vars(backend))):
        assert KEY not in text


def names_the_missing_key(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProviderServer() as server:
        backend = trial.make(server)
        monkeypatch.delenv(KEY_ENV)
        for error in failed(backend, trial.request()):
            assert KEY_ENV in error.problem
            assert (error.denied, error.retryable, error.may_cost) == (True, False, False)
        assert server.requests == []
