"""Gemini, through google-genai's asynchronous client."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import cache
from typing import cast

import attrs
import google.genai as genai
import httpx2
from google.genai import types

from routesdk.connection import LoopClients, within
from routesdk.plugins.google.failure import CAUGHT, NAME, failure_of
from routesdk.provider import (
    api_key,
    conversation,
    counted,
    unreadable,
    withheld,
)
from routesdk.structure import plain
from routesdk.types import Answer, Chunk, Request, Usage

# The reasons that are a filter's. Source: google-genai 3.6.1, types.FinishReason.
_FILTERED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"})


class GeminiBackend:
    """Ask Gemini models. The client never tries again by itself: whoever pays decides that.

    Args:
        api_key_env: Environment variable that holds the key.
        base_url: Address of the interface, without its version; None for Google's own.
    """

    def __init__(self, *, api_key_env: str = "GEMINI_API_KEY", base_url: str | None = None) -> None:
        self._api_key_env = api_key_env
        self._base_url = base_url
        self._clients = LoopClients(self._open, _close)

    async def generate(self, request: Request) -> Answer:
        """Answer one request.

        Raises:
            BackendError: There is no answer; its fields say whether to try again, whether it
                may have cost something, and whether a filter kept it back.
        """
        started = time.perf_counter()
        contents, config = _contents(request), _config(request)
        opened = await self._clients.get(api_key(NAME, self._api_key_env))
        try:
            async with asyncio.timeout(request.timeout_s):
                response = await opened.client.aio.models.generate_content(
                    model=request.model, contents=contents, config=config
                )
            return _answer(request, response, time.perf_counter() - started)
        except CAUGHT as error:
            failure = failure_of(error, request.timeout_s, opened.key)
        # Not within the handler: what the client raised quotes the request, and the key may be in it.
        raise failure

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer one request piece by piece; the last chunk has the usage.

        Raises:
            BackendError: As for `generate`.
        """
        opened = await self._clients.get(api_key(NAME, self._api_key_env))
        try:
            async with aclosing(_pieces(opened.client, request)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except CAUGHT as error:
            failure = failure_of(error, request.timeout_s, opened.key)
        raise failure

    def _open(self) -> _Opened:
        key = api_key(NAME, self._api_key_env)
        # httpx, and not the client's choice: over aiohttp, some versions try again by themselves. The pool is
        # unbounded, since whoever calls bounds how many calls are made at once.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        trust = _trust()
        # It follows no redirection, which could lead the key elsewhere.
        http = httpx2.AsyncClient(limits=limits, verify=trust)
        options = types.HttpOptions(
            base_url=self._base_url,
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_client=httpx2.Client(verify=trust),
            httpx_async_client=http,
            # Only so that it does not read the certificates for transports that are never used.
            client_args={"verify": trust},
            async_client_args={"ssl": trust},
        )
        # The environment may ask for Vertex, which takes no such key.
        client = genai.Client(api_key=key, vertexai=False, http_options=options)
        return _Opened(client=client, http=http, key=key)


@attrs.frozen(kw_only=True)
class _Opened:
    """A client, with the connections that it was given, since it does not close those, and its key."""

    client: genai.Client
    http: httpx2.AsyncClient
    key: str = attrs.field(repr=False)


@cache
def _trust() -> ssl.SSLContext:
    # Reading the certificates takes longer than all else that a client does before its first call.
    return httpx2.create_ssl_context()


async def _close(opened: _Opened) -> None:
    await opened.client.aio.aclose()
    opened.client.close()
    await opened.http.aclose()


def _answer(request: Request, response: types.GenerateContentResponse, latency_s: float) -> Answer:
    usage = _usage(response.usage_metadata, latency_s)
    reply = _Reply()
    reply.take(response)
    return Answer(
        text=reply.text,
        model=_model(request.model, response.model_version),
        usage=usage,
        finish_reason=reply.finished(usage),
    )


async def _pieces(client: genai.Client, request: Request) -> AsyncGenerator[Chunk, None]:
    started = time.perf_counter()
    async with asyncio.timeout(request.timeout_s):
        responses = await client.aio.models.generate_content_stream(
            model=request.model, contents=_contents(request), config=_config(request)
        )
    left_s = request.timeout_s - (time.perf_counter() - started)
    reply, metadata = _Reply(), None
    async with aclosing(within(left_s, responses)) as arriving:
        async for response in arriving:
            metadata = response.usage_metadata or metadata
            piece = reply.take(response)
            if piece:
                yield Chunk(text=piece)
    usage = _usage(metadata, time.perf_counter() - started)
    yield Chunk(usage=usage, finish_reason=reply.finished(usage))


def _contents(request: Request) -> types.ContentListUnion:
    turns = conversation(NAME, request).turns
    contents = [
        types.Content(role="model" if role == "assistant" else role, parts=[types.Part(text=text)])
        for role, text in turns
    ]
    return cast("types.ContentListUnion", contents)


def _config(request: Request) -> types.GenerateContentConfig:
    config = types.GenerateContentConfig(
        # In milliseconds; the provider is told, and stops when nobody waits any longer.
        http_options=types.HttpOptions(timeout=max(1, round(request.timeout_s * 1000))),
        system_instruction=conversation(NAME, request).system or None,
        max_output_tokens=request.max_output_tokens,
        temperature=request.temperature,
    )
    if "automatic_continuation" in types.GenerateContentConfig.model_fields:
        # Further calls that nobody asked for, and that nobody has reserved money for.
        config.automatic_continuation = False
    if request.thinking_tokens is not None:
        config.thinking_config = types.ThinkingConfig(thinking_budget=request.thinking_tokens)
    if request.response_schema is not None:
        config.response_mime_type = "application/json"
        config.response_json_schema = plain(request.response_schema)
    return config


class _Reply:
    """What has come of an answer, in one response or in several."""

    def __init__(self) -> None:
        self.text = ""
        self._reason = ""
        self._blocked = ""
        self._seen = False

    def take(self, response: types.GenerateContentResponse) -> str:
        """Take a response in; return the text that it brings."""
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason is not None:
            self._blocked = f"the prompt, for {_word(feedback.block_reason)}"
        piece = ""
        for candidate in (response.candidates or [])[:1]:
            self._seen = True
            parts = (candidate.content.parts if candidate.content else None) or []
            piece = "".join(part.text or "" for part in parts if not part.thought)
            if candidate.finish_reason is not None:
                self._reason = _word(candidate.finish_reason)
        self.text += piece
        return piece

    def finished(self, usage: Usage) -> str:
        """Return why the model stopped.

        Raises:
            BackendError: A filter kept the answer back, or there is none.
        """
        if self._reason in _FILTERED:
            raise withheld(NAME, f"the answer, for {self._reason}", usage)
        if self._blocked:
            raise withheld(NAME, self._blocked, usage)
        if not self._seen:
            raise unreadable(NAME, "it holds no candidate", usage=usage)
        if not self._reason:
            raise unreadable(NAME, "it ends without a reason", usage=usage)
        return self._reason


def _word(value: object) -> str:
    return str(getattr(value, "value", value))


def _model(asked: str, stated: str | None) -> str:
    if not stated:
        return asked
    return f"models/{stated}" if asked.startswith("models/") and "/" not in stated else stated


def _usage(metadata: types.GenerateContentResponseUsageMetadata | None, latency_s: float) -> Usage:
    if metadata is None or metadata.prompt_token_count is None:
        return Usage(latency_s=latency_s)
    thinking = metadata.thoughts_token_count or 0
    # Counts of 0 are left out there. What tools returned is billed as a part of the prompt.
    return counted(
        input_tokens=metadata.prompt_token_count + (metadata.tool_use_prompt_token_count or 0),
        output_tokens=(metadata.candidates_token_count or 0) + thinking,
        thinking_tokens=thinking,
        cached_input_tokens=metadata.cached_content_token_count,
        latency_s=latency_s,
    )
