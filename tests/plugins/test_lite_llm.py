"""The backend `litellm` against a local server, by OpenAI's and by Gemini's interface."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import warnings

import pytest

import backend_trials as trials
from backend_trials import KEY, KEY_ENV, SCHEMA, Trial
from provider_server import ProviderServer
from routesdk.errors import BackendError, ConfigError
from routesdk.host import PluginHost
from routesdk.protocols import Backend

with warnings.catch_warnings():
    # What litellm and pydantic warn of when they are imported is not ours.
    warnings.simplefilter("ignore")
    pytest.importorskip("litellm")

# Some of litellm is imported with the first call, and pydantic warns of its types, and of how it uses them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:Accessing the 'model_.*' attribute on the instance:DeprecationWarning"
    ),
]


def _make(path: str, server: ProviderServer) -> Backend:
    return PluginHost(entry_points=False).backend(
        "litellm", base_url=f"{server.url}{path}", api_key_env=KEY_ENV
    )


OPENAI = Trial(lambda server: _make("/v1", server), model="openai/local-model")
GEMINI = Trial(lambda server: _make("/v1beta", server), model="gemini/gemini-2.5-flash")

both = pytest.mark.parametrize("trial", [OPENAI, GEMINI], ids=["openai", "gemini"])


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


def test_it_keeps_the_contract_of_backends() -> None:
    trials.keeps_the_contract(OPENAI)


@both
def test_thinking_and_cached_tokens_are_counted_as_the_provider_counts_them(trial: Trial) -> None:
    trials.counts_as_the_provider(trial)


@both
def test_conversation_system_caps_and_schema_arrive(trial: Trial) -> None:
    trials.passes_everything_on(trial)


@both
@pytest.mark.parametrize("fault", sorted(trials.FAULTS))
def test_each_fault_says_what_it_may_have_cost(trial: Trial, fault: str) -> None:
    trials.reports_a_fault(trial, fault)


@both
def test_of_a_blocked_answer_all_tokens_are_counted(trial: Trial) -> None:
    fault = "withheld" if trial is GEMINI else "blocked"
    with ProviderServer(faults=lambda _: fault, thinking_tokens=9) as server:
        errors = trials.failed(trial.make(server), trial.request())

        (billed,) = server.billed.values()
    for error in errors:
        assert error.usage is not None
        counts = (error.usage.input_tokens, error.usage.output_tokens)
        assert counts == (billed.input_tokens // 2, billed.output_tokens // 2)


def test_the_wait_comes_from_the_header_or_from_retry_info() -> None:
    assert trials.waits_as_it_is_told(OPENAI, retry_after="7", info_s=None) == [7.0, 7.0]
    assert trials.waits_as_it_is_told(GEMINI, retry_after=None, info_s=2.5) == [2.5, 2.5]


@both
def test_a_refused_connection_costs_nothing(trial: Trial) -> None:
    trials.reports_that_nobody_listens(trial)


def test_a_call_that_could_not_be_sent_cost_nothing() -> None:
    import httpx

    from routesdk.plugins.lite_llm.failure import failure_of

    error = failure_of(httpx.InvalidURL("Invalid port"), 1.0)

    assert (error.retryable, error.may_cost) == (False, False)


def test_an_address_that_is_none_is_refused() -> None:
    for address in ("localhost", "http://[::1", "http://localhost:70000"):
        with pytest.raises(ConfigError, match="not an address of a server"):
            PluginHost(entry_points=False).backend("litellm", base_url=address)


@both
def test_a_call_can_be_cancelled(trial: Trial) -> None:
    trials.can_be_cancelled(trial)


@both
def test_the_deadline_holds_for_the_whole_stream(trial: Trial) -> None:
    trials.keeps_its_deadline_over_a_whole_stream(trial)


def test_sixty_four_calls_run_at_once() -> None:
    trials.answers_many_at_once(OPENAI)


@both
def test_the_key_is_shown_nowhere(
    trial: Trial, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    trials.shows_no_key(trial, caplog, capsys)


def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    trials.names_the_missing_key(OPENAI, monkeypatch)


@pytest.mark.parametrize(("tokens", "spent"), [(0, 0), (5, 5), (None, 50)])
def test_a_cap_on_thinking_becomes_gemini_s_thinking_budget(tokens: int | None, spent: int) -> None:
    with ProviderServer(thinking_tokens=50) as server:
        answer = asyncio.run(GEMINI.make(server).generate(GEMINI.request(thinking_tokens=tokens)))

    assert answer.usage.thinking_tokens == spent


def test_a_cap_on_thinking_is_passed_over_where_the_provider_knows_none() -> None:
    with ProviderServer() as server:
        asyncio.run(OPENAI.make(server).generate(OPENAI.request(thinking_tokens=64)))

        assert "thinking" not in json.loads(server.requests[0].body)


def test_a_schema_reaches_gemini_as_a_schema() -> None:
    with ProviderServer() as server:
        answer = asyncio.run(GEMINI.make(server).generate(GEMINI.request(response_schema=SCHEMA)))

    assert json.loads(answer.text)["grade"] in {"A", "B"}


def test_tokens_that_nobody_counted_are_not_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    from provider_wire import openai_events

    def uncounted(*given: object) -> list[bytes]:
        *events, _, done = openai_events(*given)  # type: ignore[arg-type]
        return [*events, done]

    monkeypatch.setattr("provider_server.openai_events", uncounted)
    with ProviderServer() as server:
        chunks = asyncio.run(trials.collect(OPENAI.make(server), OPENAI.request()))

    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (None, None)


def test_a_model_without_a_provider_is_no_paid_call() -> None:
    with ProviderServer() as server, pytest.raises(BackendError) as caught:
        asyncio.run(OPENAI.make(server).generate(Trial(OPENAI.make, "nobody-has-this").request()))

    assert (caught.value.retryable, caught.value.may_cost) == (False, False)


@pytest.mark.slow
def test_importing_it_asks_nobody_on_the_network() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*given): print('asked', given); raise OSError('no network in this test')\n"
        "socket.getaddrinfo = refuse\n"
        "import routesdk.plugins.lite_llm.backend\n"
    )
    # As users have it: nothing is set beforehand.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=bare
    )

    assert done.stdout == ""
