"""A local server that speaks Gemini's and OpenAI's interfaces, injects faults, and counts what it bills.

    with ProviderServer(latency_s=0.2, faults=fault_rate(0.2, seed=7)) as server:
        backend = host.backend("gemini", base_url=server.url)            # or, for OpenAI's interface,
        backend = host.backend("openai-compatible", base_url=f"{server.url}/v1")
        ...
    assert server.billed["gemini-2.5-flash"].answers == 100

It runs on asyncio in a thread of its own, on 127.0.0.1 and a free port.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

import attrs

from provider_fault import FAULTS, STATUS, TROUBLES, Faults, fault_body, fault_rate
from provider_http import Connection, RawRequest, Response
from provider_wire import (
    GEMINI,
    Asked,
    Made,
    Table,
    count_tokens,
    default_reply,
    first_tokens,
    gemini_answer,
    gemini_blocked,
    gemini_events,
    openai_answer,
    openai_error,
    openai_events,
    read_request,
)

__all__ = (
    "FAULTS",
    "TROUBLES",
    "Asked",
    "Billed",
    "ProviderServer",
    "RawRequest",
    "count_tokens",
    "default_reply",
    "fault_rate",
)

Reply = Callable[[str, str, str, "Table | None"], str]
"""From model, system instruction, last turn and JSON schema to the answer's text."""


@attrs.frozen(kw_only=True)
class Billed:
    """What one model's answers come to; `output_tokens` include the thinking."""

    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0

    def plus(self, made: Made) -> Billed:
        """Return the sum with one answer more."""
        return Billed(
            answers=self.answers + 1,
            input_tokens=self.input_tokens + made.input_tokens,
            output_tokens=self.output_tokens + made.output_tokens,
            thinking_tokens=self.thinking_tokens + made.thinking_tokens,
            cached_tokens=self.cached_tokens + made.cached_tokens,
        )


class ProviderServer:
    """The server; a context manager. What it counts may be read at any time.

    Args:
        reply: Makes the text of each answer; the default follows from the question and fits the schema.
        latency_s: Seconds before an answer, or an error, is sent.
        faults: Which calls go wrong, and how; None for none.
        retry_after: Value of the header Retry-After of 429 and 503: seconds, or an HTTP date.
        retry_info_s: Seconds in the RetryInfo of Gemini's 429.
        thinking_tokens: Tokens that each answer spends on thinking, as far as its caps allow.
        cached_share: Share of the prompt's tokens that comes from a cache.
        cost_usd: US dollars that OpenAI's usage states for each answer, as OpenRouter does.
        pause_s: Seconds between the pieces of a stream.

    Attributes:
        billed: Model → what it billed: every answer that was generated, whether it arrived or not.
            It counts when the request has come, before the latency.
        requests: Every request as it came.
        faulted: Fault → how often it was injected.
        in_flight: Calls under way.
        most_in_flight: The most calls that were ever under way at once.

    The arguments are attributes too, and may be changed while it runs. What `reply` or `faults`
    raises becomes a 500, and is raised when the server is left.
    """

    def __init__(
        self,
        reply: Reply = default_reply,
        *,
        latency_s: float = 0.0,
        faults: Faults | None = None,
        retry_after: str | None = None,
        retry_info_s: float | None = None,
        thinking_tokens: int = 16,
        cached_share: float = 0.0,
        cost_usd: float | None = None,
        pause_s: float = 0.0,
    ) -> None:
        self.reply = reply
        self.latency_s = latency_s
        self.faults = faults
        self.retry_after = retry_after
        self.retry_info_s = retry_info_s
        self.thinking_tokens = thinking_tokens
        self.cached_share = cached_share
        self.cost_usd = cost_usd
        self.pause_s = pause_s
        self.billed: dict[str, Billed] = {}
        self.requests: list[RawRequest] = []
        self.faulted: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0
        self._connections: set[Connection] = set()
        self._seen: Counter[tuple[str, bytes]] = Counter()
        self._failures: list[Exception] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider-server", daemon=True)
        # Listening begins here: whoever connects before the thread runs waits in the backlog.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._port = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """The address, without a path: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def total(self) -> Billed:
        """What all models together were billed."""
        every = list(self.billed.values())
        return Billed(**{key: sum(getattr(each, key) for each in every) for key in attrs.asdict(Billed())})

    def __enter__(self) -> Self:
        self._thread.start()
        # Stopping a loop that has not begun to run for ever would leave it in pieces.
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        if self._failures and error is None:
            raise self._failures[0]

    def _run(self) -> None:
        listening = self._loop.run_until_complete(
            self._loop.create_server(lambda: Connection(self, self._loop), sock=self._socket, backlog=1024)
        )
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        listening.close()
        for connection in list(self._connections):
            connection.abort()
        # Two more turns of the loop close the sockets.
        self._loop.run_until_complete(asyncio.sleep(0.001))
        self._loop.close()

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def under_way(self, change: int) -> None:
        """Take note that a call began (1) or ended (-1)."""
        self.in_flight += change
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def respond(self, raw: RawRequest) -> Response:
        """Answer one request, and bill it."""
        self.requests.append(raw)
        try:
            asked = read_request(raw.path, cast("Table", json.loads(raw.body or b"{}")))
        except (ValueError, KeyError) as error:
            return _body(400, openai_error(f"unreadable request: {error!r}", "invalid_request_error", None))
        if asked is None:
            return _body(404, openai_error(f"no such path: {raw.path}", "invalid_request_error", None))
        identity = (raw.path, raw.body)
        asked = attrs.evolve(asked, attempt=self._seen[identity])
        self._seen[identity] += 1
        try:
            return self._respond(asked, raw)
        except Exception as error:  # noqa: BLE001 - the test's own functions; the caller must not hang
            self._failures.append(error)
            return _body(500, openai_error(f"the test's own function failed: {error!r}", "test", None))

    def _respond(self, asked: Asked, raw: RawRequest) -> Response:
        fault = (self.faults(asked) if self.faults else None) or ""
        if fault:
            assert fault in FAULTS, f"{fault!r} is none of {FAULTS}"
            self.faulted[fault] += 1
        if fault in STATUS or (fault == "withheld" and asked.dialect != GEMINI):
            status, body = fault_body(asked, fault, _key_of(raw), self.retry_info_s)
            waits = self.retry_after is not None and fault in {"429", "503"}
            headers = (f"Retry-After: {self.retry_after}",) if waits else ()
            return attrs.evolve(_body(status, body), headers=headers)
        made = self._make(asked, fault)
        self.billed[asked.model] = self.billed.get(asked.model, Billed()).plus(made)
        dialect = self._gemini if asked.dialect == GEMINI else self._openai
        parts = dialect(asked, made, fault)
        if fault == "broken":
            parts = _broken(parts, asked.stream)
        return Response(parts=parts, stream=asked.stream, cut=fault == "cut", hang=fault == "hang")

    def _make(self, asked: Asked, fault: str) -> Made:
        input_tokens = count_tokens(asked.system) + sum(map(count_tokens, asked.turns))
        silent = fault in {"empty", "blocked", "withheld"}
        text = "" if silent else self.reply(asked.model, asked.system, asked.text, asked.schema)
        # Gemini stops a prompt before a model sees it.
        thinking = 0 if fault == "blocked" and asked.dialect == GEMINI else self.thinking_tokens
        room = asked.max_output_tokens
        for cap in (asked.thinking_tokens, room):
            thinking = thinking if cap is None else min(thinking, cap)
        kept = text if room is None else first_tokens(text, room - thinking)
        return Made(
            text=kept,
            cut_short=kept != text,
            input_tokens=input_tokens,
            text_tokens=count_tokens(kept),
            thinking_tokens=thinking,
            cached_tokens=int(input_tokens * self.cached_share),
        )

    def _gemini(self, asked: Asked, made: Made, fault: str) -> list[bytes]:
        finish = "SAFETY" if fault == "withheld" else "MAX_TOKENS" if made.cut_short else "STOP"
        if fault == "blocked":
            whole = json.dumps(gemini_blocked(asked, made)).encode()
            return [b"data: " + whole + b"\r\n\r\n"] if asked.stream else [whole]
        if asked.stream:
            return gemini_events(asked, made, finish)
        return [json.dumps(gemini_answer(asked, made, finish, made.text)).encode()]

    def _openai(self, asked: Asked, made: Made, fault: str) -> list[bytes]:
        finish = "content_filter" if fault == "blocked" else "length" if made.cut_short else "stop"
        if asked.stream:
            return openai_events(asked, made, finish, self.cost_usd)
        return [json.dumps(openai_answer(asked, made, finish, self.cost_usd)).encode()]


def _broken(parts: list[bytes], stream: bool) -> list[bytes]:
    # Half of the only body, or of the second event: the first may arrive whole.
    at = min(1, len(parts) - 1)
    half = parts[at][: len(parts[at]) // 2]
    return [*parts[:at], half + b"\r\n\r\n" if stream else half, *parts[at + 1 :]]


def _body(status: int, body: Table) -> Response:
    return Response(status=status, parts=[json.dumps(body).encode()])


def _key_of(raw: RawRequest) -> str:
    bearer = raw.headers.get("authorization", "").removeprefix("Bearer ")
    return raw.headers.get("x-goog-api-key", bearer)
