"""Tests for the server that stands in for providers: what it counts is what other tests trust."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from provider_server import Billed, ProviderServer, count_tokens, fault_rate

CHAT = "/v1/chat/completions"
GENERATE = "/v1beta/models/m:generateContent"
MESSAGES = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "How far is the Moon?"}]


def post(
    server: ProviderServer, path: str, body: Mapping[str, object]
) -> tuple[int, Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body), {"Authorization": "Bearer of-a-test"})
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_both_dialects_bill_the_same_question_alike() -> None:
    ask = {
        "systemInstruction": {"parts": [{"text": "Be short."}]},
        "contents": [{"role": "user", "parts": [{"text": "How far is the Moon?"}]}],
    }
    with ProviderServer(cached_share=0.5) as server:
        openai = json.loads(post(server, CHAT, {"model": "m", "messages": MESSAGES})[2])
        of_openai = server.billed.pop("m")
        gemini = json.loads(post(server, GENERATE, ask)[2])

        assert server.billed["m"] == of_openai == server.total
    usage = gemini["usageMetadata"]
    tokens = count_tokens("Be short.") + count_tokens("How far is the Moon?")
    assert usage["promptTokenCount"] == openai["usage"]["prompt_tokens"] == tokens == of_openai.input_tokens
    assert usage["candidatesTokenCount"] + usage["thoughtsTokenCount"] == of_openai.output_tokens
    text = openai["choices"][0]["message"]["content"]
    assert gemini["candidates"][0]["content"]["parts"][0]["text"] == text


def test_a_cap_on_output_counts_the_thinking_too() -> None:
    with ProviderServer(reply=lambda *_: "one two three four five", thinking_tokens=10) as server:
        body = {"model": "m", "messages": MESSAGES, "max_completion_tokens": 12}
        answer = json.loads(post(server, CHAT, body)[2])

    assert answer["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "one two"},
        "finish_reason": "length",
    }
    assert server.total.output_tokens == 12


@pytest.mark.parametrize("fault", ["429", "500", "503", "401", "403", "400"])
def test_an_error_is_not_billed(fault: str) -> None:
    with ProviderServer(faults=lambda _: fault, retry_after="3") as server:
        status, headers, _ = post(server, CHAT, {"model": "m", "messages": MESSAGES})

    assert status == int(fault)
    assert headers.get("retry-after") == ("3" if fault in {"429", "503"} else None)
    assert server.total == Billed()


def test_an_answer_that_is_cut_off_or_broken_is_billed() -> None:
    with ProviderServer(faults=lambda asked: ("cut", "broken")[asked.attempt]) as server:
        with pytest.raises(http.client.IncompleteRead):
            post(server, CHAT, {"model": "m", "messages": MESSAGES})
        with pytest.raises(json.JSONDecodeError):
            json.loads(post(server, CHAT, {"model": "m", "messages": MESSAGES})[2])

    assert server.billed["m"].answers == 2


def test_an_answer_that_hangs_is_billed_and_its_connection_closed_with_the_server() -> None:
    async def ask(server: ProviderServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
        body = json.dumps({"model": "m", "messages": MESSAGES}).encode()
        writer.write(b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (CHAT.encode(), len(body), body))
        try:
            return await asyncio.wait_for(reader.read(1), 0.2)
        finally:
            writer.close()

    with ProviderServer(faults=lambda _: "hang") as server:
        with pytest.raises(TimeoutError):
            asyncio.run(ask(server))

        assert server.billed["m"].answers == 1


def test_planned_faults_do_not_depend_on_the_order_of_calls() -> None:
    def statuses(texts: list[str]) -> dict[str, int]:
        with ProviderServer(faults=fault_rate(0.5, seed=3, among=("500",))) as server:
            asked = [{"model": "m", "messages": [{"role": "user", "content": text}]} for text in texts]
            return {text: post(server, CHAT, body)[0] for text, body in zip(texts, asked, strict=True)}

    texts = [f"question {number}" for number in range(40)]

    first = statuses(texts)

    assert first == statuses(texts[::-1])
    assert set(first.values()) == {200, 500}


def test_a_schema_gets_an_instance_and_the_test_s_own_failure_is_raised() -> None:
    schema = {
        "type": "object",
        "properties": {"grade": {"type": "string", "enum": ["A"]}, "n": {"type": "integer"}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"model": "m", "messages": MESSAGES, "response_format": form}
    with ProviderServer() as server:
        text = json.loads(post(server, CHAT, body)[2])["choices"][0]["message"]["content"]
    assert json.loads(text)["grade"] == "A"

    def fail(*_: object) -> str:
        raise LookupError("no reply planned")

    with pytest.raises(LookupError, match="no reply planned"), ProviderServer(reply=fail) as server:
        assert post(server, CHAT, body)[0] == 500


def test_every_request_is_recorded_as_it_came() -> None:
    with ProviderServer() as server:
        post(server, CHAT, {"model": "m", "messages": MESSAGES})

        (raw,) = server.requests
    assert (raw.method, raw.path, raw.headers["authorization"]) == ("POST", CHAT, "Bearer of-a-test")
    assert json.loads(raw.body)["messages"] == MESSAGES
