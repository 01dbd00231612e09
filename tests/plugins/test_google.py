"""The backend `gemini`: google-genai's own client against a local server that speaks Gemini's interface."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import json

import pytest

import backend_trials as trials
from backend_trials import KEY, KEY_ENV, Trial
from provider_server import ProviderServer
from routesdk.errors import BackendError, ConfigError
from routesdk.host import PluginHost
from routesdk.protocols import Backend
from routesdk.types import Query, Request

pytest.importorskip("google.genai")

TRIAL = Trial(
    lambda server: PluginHost(entry_points=False).backend("gemini", base_url=server.url, api_key_env=KEY_ENV)
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


def test_gemini_keeps_the_contract_of_backends() -> None:
    trials.keeps_the_contract(TRIAL)


def test_thinking_and_cached_tokens_are_counted_as_the_provider_counts_them() -> None:
    trials.counts_as_the_provider(TRIAL)


def test_conversation_system_caps_and_schema_arrive() -> None:
    trials.passes_everything_on(TRIAL)


def test_a_key_that_is_corrected_is_the_one_of_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice(backend: Backend) -> None:
        for key in ("first-key", "second-key"):
            monkeypatch.setenv(KEY_ENV, key)
            await backend.generate(TRIAL.request())

    with ProviderServer() as server:
        asyncio.run(twice(TRIAL.make(server)))

        assert [raw.headers["x-goog-api-key"] for raw in server.requests] == ["first-key", "second-key"]


@pytest.mark.parametrize("tokens", [0, 5])
def test_a_cap_on_thinking_becomes_the_thinking_budget(tokens: int) -> None:
    with ProviderServer(thinking_tokens=50) as server:
        answer = asyncio.run(TRIAL.make(server).generate(TRIAL.request(thinking_tokens=tokens)))

    assert answer.usage.thinking_tokens == tokens


@pytest.mark.parametrize("fault", sorted(trials.FAULTS))
def test_each_fault_says_what_it_may_have_cost(fault: str) -> None:
    errors = trials.reports_a_fault(TRIAL, fault)

    counted = [error.usage is not None and error.usage.input_tokens is not None for error in errors]
    assert counted == [fault in {"blocked", "withheld"}] * 2


def test_an_answer_without_text_is_an_answer() -> None:
    with ProviderServer(faults=lambda _: "empty", thinking_tokens=9) as server:
        answer, chunks = trials.answered(TRIAL.make(server), TRIAL.request())

    assert (answer.text, answer.finish_reason, answer.usage.output_tokens) == ("", "STOP", 9)
    assert len(chunks) == 1


def test_the_wait_comes_from_the_header_or_from_retry_info() -> None:
    assert trials.waits_as_it_is_told(TRIAL, retry_after="7", info_s=2.5) == [7.0, 7.0]
    assert trials.waits_as_it_is_told(TRIAL, retry_after=None, info_s=2.5) == [2.5, 2.5]
    assert trials.waits_as_it_is_told(TRIAL, retry_after=None, info_s=None) == [None, None]


def test_a_date_to_wait_for_becomes_seconds() -> None:
    date = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)

    waits = trials.waits_as_it_is_told(
        TRIAL, retry_after=email.utils.format_datetime(date, True), info_s=None
    )

    assert all(wait is not None and 30 < wait <= 90 for wait in waits)


def test_a_refused_connection_costs_nothing() -> None:
    trials.reports_that_nobody_listens(TRIAL)


def test_a_call_can_be_cancelled() -> None:
    trials.can_be_cancelled(TRIAL)


def test_the_deadline_holds_for_the_whole_stream() -> None:
    trials.keeps_its_deadline_over_a_whole_stream(TRIAL)


def test_sixty_four_calls_run_at_once() -> None:
    trials.answers_many_at_once(TRIAL)


def test_the_key_is_shown_nowhere(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    trials.shows_no_key(TRIAL, caplog, capsys)


def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    trials.names_the_missing_key(TRIAL, monkeypatch)


def test_a_key_in_place_of_its_variable_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).backend("gemini", api_key_env="AI-zaSy-secret")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("model", ["", "../secrets", "a?b", "models/x/../../y"])
def test_a_name_that_no_model_has_is_no_paid_call(model: str) -> None:
    with ProviderServer() as server:
        for error in trials.failed(TRIAL.make(server), Trial(TRIAL.make, model).request()):
            assert (error.retryable, error.may_cost) == (False, False), error


def test_an_address_that_is_none_is_a_clear_error() -> None:
    for address in ("localhost", "http://[::1", "http://localhost:70000"):
        with pytest.raises(ConfigError, match="not an address of a server"):
            PluginHost(entry_points=False).backend("gemini", base_url=address)


def test_the_environment_cannot_turn_it_to_vertex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    with ProviderServer() as server:
        asyncio.run(TRIAL.make(server).generate(TRIAL.request()))

        (raw,) = server.requests
    assert raw.path.endswith("/models/gemini-2.5-flash:generateContent")
    assert raw.headers["x-goog-api-key"] == KEY


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    with ProviderServer() as server:
        backend = TRIAL.make(server)
        with pytest.raises(BackendError, match="half of a character"):
            asyncio.run(backend.generate(Request(query=Query("What is \ud800?"), model="m")))

        assert server.requests == []


def test_a_reply_of_another_form_is_unreadable_and_may_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    for body in ([], {"candidates": "none"}, {"candidates": []}, {"candidates": [{"content": {"parts": 3}}]}):
        monkeypatch.setattr("provider_server.gemini_answer", lambda *_, body=body: body)
        with ProviderServer() as server, pytest.raises(BackendError) as caught:
            asyncio.run(TRIAL.make(server).generate(TRIAL.request()))
        assert (caught.value.retryable, caught.value.may_cost) == (True, True), json.dumps(body)
