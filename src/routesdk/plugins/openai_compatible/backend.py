"""Servers that speak OpenAI's interface, through openai's asynchronous client."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from functools import cache
from typing import cast

import httpx2
import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from routesdk.connection import LoopClients, within
from routesdk.errors import BackendError, ConfigError
from routesdk.plugins.openai_compatible import OpenAICompatibleConfig
from routesdk.plugins.openai_compatible.failure import NAME, failure_of, stated_failure
from routesdk.plugins.openai_compatible.wording import fields_of, messages_of
from routesdk.provider import api_key, counted, named_or, text_of, unreadable, withheld
from routesdk.types import Answer, Chunk, Request, Usage

# The client reads replies without checking their form: another form ends in one of these.
_UNREADABLE = (ValueError, AttributeError, TypeError, LookupError)
_CAUGHT = (
    BackendError,
    TimeoutError,
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    OSError,
    ExceptionGroup,
    *_UNREADABLE,
)

# What the client is given where there is no key; it is never sent.
_NO_KEY = "no-key"


# Unbounded, since whoever calls bounds how many calls are made at once.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None)


@cache
def _trust() -> ssl.SSLContext:
    # Reading the certificates takes longer than all else that a client does before its first call.
    return httpx2.create_ssl_context()


class OpenAICompatibleBackend:
    """Ask a server that speaks OpenAI's interface. The client never tries again by itself.

    Args:
        config: How to reach it.

    Raises:
        ConfigError: The base URL is no address.
    """

    def __init__(self, config: OpenAICompatibleConfig) -> None:
        try:
            httpx2.URL(config.base_url)
        except httpx2.InvalidURL as error:
            problem = f"no address: {error}"
            raise ConfigError("base_url", config.base_url, problem, "Write http://HOST:PORT/v1.") from error
        self._config = config
        self._clients = LoopClients(self._client, openai.AsyncOpenAI.close)

    async def generate(self, request: Request) -> Answer:
        """Answer one request.

        Raises:
            BackendError: There is no answer; its fields say whether to try again, whether it
                may have cost something, and whether a filter kept it back.
        """
        started = time.perf_counter()
        messages, fields = messages_of(request, self._config), fields_of(request, self._config)
        key = self._key()
        client = await self._clients.get()
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await client.chat.completions.create(
                    model=request.model,
                    messages=messages,
                    extra_body=fields,
                    extra_headers=_headers(key),
                    timeout=request.timeout_s,
                )
            return _answer(request, reply, time.perf_counter() - started)
        except _CAUGHT as error:
            failure = failure_of(error, request.timeout_s, key or "")
        # Not within the handler: what the client raised quotes the request, and the key may be in it.
        raise failure

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer one request piece by piece; the last chunk has the usage.

        Raises:
            BackendError: As for `generate`.
        """
        key = self._key()
        client = await self._clients.get()
        try:
            async with aclosing(self._pieces(client, key, request)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except _CAUGHT as error:
            failure = failure_of(error, request.timeout_s, key or "")
        raise failure

    async def _pieces(
        self, client: openai.AsyncOpenAI, key: str | None, request: Request
    ) -> AsyncGenerator[Chunk, None]:
        started = time.perf_counter()
        async with asyncio.timeout(request.timeout_s):
            opened = await client.chat.completions.create(
                model=request.model,
                messages=messages_of(request, self._config),
                stream=True,
                stream_options={"include_usage": True},
                extra_body=fields_of(request, self._config),
                extra_headers=_headers(key),
                timeout=request.timeout_s,
            )
        left_s = request.timeout_s - (time.perf_counter() - started)
        counts, reason = None, ""
        # Leaving it early closes the connection: the provider may stop, and nothing is left open.
        async with opened, aclosing(within(left_s, aiter(opened))) as arriving:
            async for chunk in arriving:
                counts = chunk.usage or counts
                for choice in chunk.choices[:1]:
                    reason = choice.finish_reason or reason
                    piece = text_of(NAME, choice.delta.content or choice.delta.refusal)
                    if piece:
                        yield Chunk(text=piece)
        usage = _usage(counts, time.perf_counter() - started)
        yield Chunk(usage=usage, finish_reason=_finished(reason, usage))

    def _key(self) -> str | None:
        # With every call: a key that is set, or corrected, meanwhile is the one that counts.
        variable = self._config.api_key_env
        return None if variable is None else api_key(NAME, variable)

    def _client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=_NO_KEY,
            base_url=self._config.base_url,
            max_retries=0,
            default_headers=_no_ambient_headers(),
            # It follows no redirection, which could lead the question and the key elsewhere.
            http_client=openai.DefaultAsyncHttpxClient(
                verify=_trust(), limits=_LIMITS, follow_redirects=False
            ),
        )


def _headers(key: str | None) -> dict[str, str | openai.Omit]:
    return {"Authorization": openai.omit if key is None else f"Bearer {key}"}


def _no_ambient_headers() -> Mapping[str, str]:
    """Leave out what the client would take from the environment: meant for OpenAI, not for any server.

    Source: openai 3.57, `AsyncOpenAI`.
    """
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    ambient = [line.partition(":")[0].strip() for line in lines if ":" in line]
    left_out = ["OpenAI-Organization", "OpenAI-Project", *ambient]
    return cast("Mapping[str, str]", dict.fromkeys(left_out, openai.omit))


def _answer(request: Request, reply: ChatCompletion, latency_s: float) -> Answer:
    stated = reply.model_extra or {}
    if not reply.choices:
        if stated.get("error"):
            raise stated_failure(stated)
        raise unreadable(NAME, "it holds no choice")
    choice = reply.choices[0]
    usage = _usage(reply.usage, latency_s)
    reason = _finished(choice.finish_reason, usage)
    # A refusal is an answer, too: the model says that it will not.
    text = text_of(NAME, choice.message.content or choice.message.refusal)
    return Answer(text=text, model=named_or(reply.model, request.model), usage=usage, finish_reason=reason)


def _finished(reason: str | None, usage: Usage) -> str:
    """Return why the model stopped.

    Raises:
        BackendError: A filter kept the answer back, or the server says nothing.
    """
    if reason == "content_filter":
        raise withheld(NAME, "the answer, by the content filter", usage)
    if not isinstance(reason, str) or not reason:
        raise unreadable(NAME, "it ends without a reason", usage=usage)
    return reason


def _usage(counts: CompletionUsage | None, latency_s: float) -> Usage:
    if counts is None:
        return Usage(latency_s=latency_s)
    thought, prompt = counts.completion_tokens_details, counts.prompt_tokens_details
    return counted(
        input_tokens=counts.prompt_tokens,
        output_tokens=counts.completion_tokens,
        thinking_tokens=thought.reasoning_tokens if thought else None,
        cached_input_tokens=prompt.cached_tokens if prompt else None,
        # OpenRouter states in US dollars what it bills. Source: openrouter.ai/docs, "Usage accounting".
        cost_usd=(counts.model_extra or {}).get("cost"),
        latency_s=latency_s,
    )
