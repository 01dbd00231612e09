"""The backend `openai-compatible`: openai's own client against a local server that speaks its interface."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import json
from decimal import Decimal

import pytest

import backend_trials as trials
from backend_trials import KEY, KEY_ENV, SCHEMA, Trial
from provider_http import Response
from provider_server import ProviderServer
from routesdk.errors import BackendError, ConfigError
from routesdk.host import PluginHost
from routesdk.protocols import Backend
from routesdk.types import Query, Request

pytest.importorskip("openai")


def make(server: ProviderServer, **options: object) -> Backend:
    given = {"base_url": f"{server.url}/v1", "api_key_env": KEY_ENV, **options}
    return PluginHost(entry_points=False).backend("openai-compatible", **given)


TRIAL = Trial(make, model="local-model")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


def sent(request: Request, **options: object) -> dict[str, object]:
    """Return the body that a request becomes."""
    with ProviderServer() as server:
        asyncio.run(make(server, **options).generate(request))
        return dict(json.loads(server.requests[0].body))


def test_it_keeps_the_contract_of_backends() -> None:
    trials.keeps_the_contract(TRIAL)


def test_reasoning_and_cached_tokens_are_counted_as_the_provider_counts_them() -> None:
    trials.counts_as_the_provider(TRIAL)


def test_conversation_system_caps_and_schema_arrive() -> None:
    trials.passes_everything_on(TRIAL)


@pytest.mark.parametrize("fault", sorted(trials.FAULTS))
def test_each_fault_says_what_it_may_have_cost(fault: str) -> None:
    errors = trials.reports_a_fault(TRIAL, fault)

    assert [error.usage is not None for error in errors] == [fault == "blocked"] * 2


def test_an_answer_without_text_is_an_answer() -> None:
    with ProviderServer(faults=lambda _: "empty", thinking_tokens=9) as server:
        answer, chunks = trials.answered(make(server), TRIAL.request())

    assert (answer.text, answer.finish_reason, answer.usage.output_tokens) == ("", "stop", 9)
    assert len(chunks) == 1


def test_the_wait_is_read_as_seconds_and_as_a_date() -> None:
    assert trials.waits_as_it_is_told(TRIAL, retry_after="7", info_s=None) == [7.0, 7.0]
    assert trials.waits_as_it_is_told(TRIAL, retry_after="soon", info_s=None) == [None, None]
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


def test_a_local_server_is_sent_no_key_also_where_one_of_openai_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ProviderServer() as server:
        trials.answered(make(server, api_key_env=None), TRIAL.request())

        for raw in server.requests:
            assert "authorization" not in raw.headers
            assert KEY not in str(raw)


def test_a_cost_that_the_provider_states_is_kept_and_otherwise_there_is_none() -> None:
    with ProviderServer(cost_usd=0.000125) as server:
        answer, chunks = trials.answered(make(server), TRIAL.request())
        server.cost_usd = None
        unpriced, _ = trials.answered(make(server), TRIAL.request())

    assert chunks[-1].usage is not None
    assert answer.usage.cost_usd == chunks[-1].usage.cost_usd == Decimal("0.000125")
    assert unpriced.usage.cost_usd is None


def test_the_cap_is_sent_in_the_field_that_the_server_knows() -> None:
    request = TRIAL.request(max_output_tokens=40)

    assert sent(request)["max_tokens"] == 40
    body = sent(request, max_tokens_field="max_completion_tokens")
    assert (body["max_completion_tokens"], body.get("max_tokens")) == (40, None)


def test_a_schema_is_passed_on_in_the_way_that_the_server_knows() -> None:
    request = TRIAL.request(system="Grade.", response_schema=SCHEMA)

    strict = sent(request)
    loose = sent(TRIAL.request(response_schema={"type": "object", "properties": {"a": {"type": "string"}}}))
    as_object, told = sent(request, structured="json_object"), sent(request, structured="none")

    wanted = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert strict["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert '"strict": false' in json.dumps(loose)
    assert as_object["response_format"] == {"type": "json_object"}
    assert "response_format" not in told
    for body in (as_object, told):
        assert json.dumps(SCHEMA) in body["messages"][0]["content"]  # type: ignore[index]


def test_a_cap_on_thinking_goes_where_the_server_takes_it_and_is_passed_over_elsewhere() -> None:
    request = TRIAL.request(thinking_tokens=64)

    assert "reasoning" not in sent(request)
    assert sent(request, thinking="reasoning")["reasoning"] == {"max_tokens": 64}
    none = sent(TRIAL.request(thinking_tokens=0), thinking="reasoning")
    assert none["reasoning"] == {"effort": "none"}
    assert sent(request, reasoning_effort="low")["reasoning_effort"] == "low"


def test_further_fields_reach_the_server() -> None:
    body = sent(
        TRIAL.request(), extra_body={"chat_template_kwargs": {"enable_thinking": False}, "stop": ["x"]}
    )

    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert body["stop"] == ["x"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, {"retryable": True, "may_cost": True}),
        ({"error": {"code": 402, "message": "no credit"}}, {"denied": True, "may_cost": True}),
        ({"choices": []}, {"retryable": True, "may_cost": True}),
        ({"choices": [{}]}, {"retryable": True, "may_cost": True}),
        ("<html>", {"retryable": True, "may_cost": True}),
    ],
)
def test_a_reply_that_is_no_answer_says_what_it_may_have_cost(
    monkeypatch: pytest.MonkeyPatch, body: object, expected: dict[str, bool]
) -> None:
    monkeypatch.setattr("provider_server.openai_answer", lambda *_: body)
    with ProviderServer() as server, pytest.raises(BackendError) as caught:
        asyncio.run(make(server).generate(TRIAL.request()))

    fields = {"retryable", "may_cost", "denied", "blocked"}
    assert {name: True for name in fields if getattr(caught.value, name)} == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, {"code": 403, "message": "flagged", "metadata": {"flagged_input": "x"}}, {"blocked": True}),
        (429, {"code": "insufficient_quota", "message": "pay"}, {"denied": True}),
        (402, {"code": 402, "message": "no credit"}, {"denied": True}),
        (502, {"code": 502, "message": "upstream"}, {"retryable": True, "may_cost": True}),
        (504, {"code": 504, "message": "upstream"}, {"retryable": True, "may_cost": True}),
        (404, {"code": 404, "message": "no such model"}, {}),
    ],
)
def test_an_error_body_is_read_beyond_its_status(
    monkeypatch: pytest.MonkeyPatch, status: int, body: object, expected: dict[str, bool]
) -> None:
    monkeypatch.setattr("provider_server.fault_body", lambda *_: (status, {"error": body}))
    with ProviderServer(faults=lambda _: "500") as server, pytest.raises(BackendError) as caught:
        asyncio.run(make(server).generate(TRIAL.request()))

    fields = {"retryable", "may_cost", "denied", "blocked"}
    assert {name: True for name in fields if getattr(caught.value, name)} == expected


def test_a_key_that_a_reply_quotes_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    # A name that tells nothing of what it holds.
    monkeypatch.setenv("WORD", KEY)
    monkeypatch.delenv(KEY_ENV)
    bodies: list[object] = [
        {"error": {"code": 500, "message": f"wrong: {KEY}"}},
        {"error": f"wrong: {KEY}"},
    ]
    for body in bodies:
        monkeypatch.setattr("provider_server.openai_answer", lambda *_, body=body: body)
        with ProviderServer() as server, pytest.raises(BackendError) as caught:
            asyncio.run(make(server, api_key_env="WORD").generate(TRIAL.request()))
        assert "wrong" in str(caught.value)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "Go"}, {"type": "text", "text": "ethe"}], "Goethe"),
        ("Goethe", "Goethe"),
        (None, ""),
        ([{"type": "image"}], None),
        (7, None),
        ({"a": 1}, None),
    ],
)
def test_a_text_may_come_in_parts_and_what_is_no_text_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, content: object, text: str | None
) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 1e30}
    body = {"id": "1", "model": 7, "choices": [choice], "usage": usage}
    monkeypatch.setattr("provider_server.openai_answer", lambda *_: body)

    with ProviderServer() as server:
        if text is None:
            with pytest.raises(BackendError) as caught:
                asyncio.run(make(server).generate(TRIAL.request()))
            assert (caught.value.may_cost, "cannot be read" in caught.value.problem) == (True, True)
            return
        answer = asyncio.run(make(server).generate(TRIAL.request()))

    assert (answer.text, answer.model, answer.usage.cost_usd) == (text, TRIAL.model, None)


def test_what_the_environment_holds_for_openai_is_sent_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "ours-alone")
    headers = "X-House: ours-alone\nAuthorization: Bearer ours-alone\nOpenAI-Beta: ours-alone"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", headers)

    with ProviderServer() as server:
        for key_env in (None, KEY_ENV):
            trials.answered(make(server, api_key_env=key_env), TRIAL.request())

        assert len(server.requests) == 4
        for raw in server.requests:
            assert "ours-alone" not in str(raw)
        assert [raw.headers.get("authorization") for raw in server.requests[2:]] == [f"Bearer {KEY}"] * 2


def test_no_redirection_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProviderServer() as other, ProviderServer() as server:
        moved = Response(status=307, parts=[b"{}"], headers=(f"Location: {other.url}/v1/chat/completions",))
        monkeypatch.setattr(server, "respond", lambda _: moved)
        for error in trials.failed(make(server), TRIAL.request()):
            assert "status 307" in error.problem
            assert not error.retryable

        assert other.requests == []


def test_a_key_that_is_corrected_is_the_one_of_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice(backend: Backend) -> None:
        for key in ("first-key", "second-key"):
            monkeypatch.setenv(KEY_ENV, key)
            await backend.generate(TRIAL.request())

    with ProviderServer() as server:
        asyncio.run(twice(make(server)))

        sent_keys = [raw.headers["authorization"] for raw in server.requests]
    assert sent_keys == ["Bearer first-key", "Bearer second-key"]


def test_a_slow_reader_is_not_held_against_the_deadline() -> None:
    async def read(backend: Backend) -> str:
        text = ""
        async for chunk in backend.stream(TRIAL.request(timeout_s=0.6)):
            text += chunk.text
            await asyncio.sleep(0.3)
        return text

    with ProviderServer(reply=lambda *_: "one two three four") as server:
        backend = make(server)
        trials.warm_up(backend, server, TRIAL)
        assert asyncio.run(read(backend)) == "one two three four"


def test_a_server_that_ends_without_usage_has_its_tokens_uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    from provider_wire import openai_events

    monkeypatch.setattr("provider_server.openai_events", lambda *given: openai_events(*given)[:-2])
    with ProviderServer() as server:
        chunks = asyncio.run(trials.collect(make(server), TRIAL.request()))

    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (None, None)


def test_a_group_of_errors_is_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2

    async def fail(*_: object, **__: object) -> object:
        raise ExceptionGroup("several addresses", [OSError("no route"), OverflowError("port")])

    monkeypatch.setattr(httpx2.AsyncClient, "send", fail)
    with ProviderServer() as server, pytest.raises(BackendError) as caught:
        asyncio.run(make(server).generate(TRIAL.request()))

    assert (caught.value.retryable, caught.value.may_cost) == (True, True)


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "localhost:8000"},
        {"base_url": "http://[::1/v1"},
        {"base_url": "http://localhost:99999/v1"},
        {"base_url": "http://localhost:0/v1"},
        {"base_url": "http:///v1"},
        {"base_url": "http://localhost/v1", "structured": "xml"},
        {"base_url": "http://localhost/v1", "max_tokens_field": "tokens"},
        {"base_url": "http://localhost/v1", "thinking": "much"},
        {"base_url": "http://localhost/v1", "api_key_env": "sk-abc"},
        {"base_url": "http://localhost/v1", "api_key": "sk-abc"},
        {},
    ],
)
def test_a_config_that_cannot_be_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).backend("openai-compatible", **options)

    assert "sk-abc" not in str(caught.value)


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    with ProviderServer() as server:
        backend = make(server)
        with pytest.raises(BackendError, match="half of a character"):
            asyncio.run(backend.generate(Request(query=Query("What is \ud800?"), model="m")))

        assert server.requests == []
