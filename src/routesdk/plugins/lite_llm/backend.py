"""The providers that litellm knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import httpx
import openai

from routesdk.connection import within
from routesdk.errors import BackendError
from routesdk.plugins.lite_llm import LiteLLMConfig
from routesdk.plugins.lite_llm.client import clients, litellm
from routesdk.plugins.lite_llm.failure import NAME, failure_of
from routesdk.provider import api_key, conversation, counted, named_or, text_of, unreadable, withheld
from routesdk.structure import plain
from routesdk.types import Answer, Chunk, Request, Usage

# litellm's exceptions are openai's; some of what its parsers raise comes out as it is.
_UNREADABLE = (ValueError, AttributeError, TypeError, LookupError)
_CAUGHT = (
    BackendError,
    TimeoutError,
    openai.OpenAIError,
    httpx.HTTPError,
    httpx.InvalidURL,
    OSError,
    *_UNREADABLE,
)


class LiteLLMBackend:
    """Ask a model through litellm, which never tries again by itself.

    Args:
        config: How it reaches the provider.
    """

    def __init__(self, config: LiteLLMConfig) -> None:
        self._config = config

    async def generate(self, request: Request) -> Answer:
        """Answer one request.

        Raises:
            BackendError: There is no answer; its fields say whether to try again, whether it
                may have cost something, and whether a filter kept it back.
        """
        started = time.perf_counter()
        key = self._key()
        arguments = _arguments(request, self._config)
        await clients.get()
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await litellm.acompletion(**arguments, api_key=key)
            return _answer(request, reply, time.perf_counter() - started)
        except _CAUGHT as error:
            failure = failure_of(error, request.timeout_s, key or "")
        # Not within the handler: what litellm raised quotes the request, and the key may be in it.
        raise failure

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer one request piece by piece; the last chunk has the usage.

        Raises:
            BackendError: As for `generate`.
        """
        key = self._key()
        arguments = _arguments(request, self._config)
        await clients.get()
        try:
            async with aclosing(_pieces(arguments, key, request.timeout_s)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except _CAUGHT as error:
            failure = failure_of(error, request.timeout_s, key or "")
        raise failure

    def _key(self) -> str | None:
        variable = self._config.api_key_env
        return None if variable is None else api_key(NAME, variable)


def _arguments(request: Request, config: LiteLLMConfig) -> dict[str, object]:
    asked = conversation(NAME, request)
    turns = ([("system", asked.system)] if asked.system else []) + list(asked.turns)
    given = {
        "temperature": request.temperature,
        "max_tokens": request.max_output_tokens,
        "api_base": config.base_url,
        "thinking": _thinking(request),
        "response_format": _form(request),
        "extra_body": plain(config.extra_body) or None,
    }
    return {
        "model": request.model,
        "messages": [{"role": role, "content": content} for role, content in turns],
        "timeout": request.timeout_s,
        "num_retries": 0,
        "max_retries": 0,
        **{name: value for name, value in given.items() if value is not None},
    }


def _thinking(request: Request) -> Mapping[str, object] | None:
    tokens = request.thinking_tokens
    if tokens is None:
        return None
    try:
        known = litellm.get_supported_openai_params(model=request.model) or ()
    except openai.OpenAIError:
        # The call itself says better what is wrong with the name.
        return None
    if "thinking" not in known:
        return None
    # Of `disabled`, litellm makes no cap at all for Gemini; a budget of 0 is none there.
    if tokens == 0 and "gemini" not in request.model:
        return {"type": "disabled"}
    return {"type": "enabled", "budget_tokens": tokens}


def _form(request: Request) -> Mapping[str, object] | None:
    if request.response_schema is None:
        return None
    wanted = {"name": "answer", "schema": plain(request.response_schema)}
    return {"type": "json_schema", "json_schema": wanted}


def _answer(request: Request, reply: litellm.ModelResponse, latency_s: float) -> Answer:
    usage = _usage(getattr(reply, "usage", None), latency_s)
    if not reply.choices:
        raise unreadable(NAME, "it holds no choice", usage=usage)
    choice = reply.choices[0]
    return Answer(
        text=text_of(NAME, choice.message.content),
        model=_model(request.model, named_or(reply.model, "")),
        usage=usage,
        finish_reason=_finished(choice.finish_reason, usage),
    )


async def _pieces(
    arguments: Mapping[str, object], key: str | None, timeout_s: float
) -> AsyncGenerator[Chunk, None]:
    started = time.perf_counter()
    async with asyncio.timeout(timeout_s):
        opened = await litellm.acompletion(
            **arguments, api_key=key, stream=True, stream_options={"include_usage": True}
        )
    left_s = timeout_s - (time.perf_counter() - started)
    counts, reason = None, ""
    try:
        async with aclosing(within(left_s, aiter(opened))) as arriving:
            async for chunk in arriving:
                counts = getattr(chunk, "usage", None) or counts
                for choice in chunk.choices[:1]:
                    reason = choice.finish_reason or reason
                    piece = text_of(NAME, choice.delta.content)
                    if piece:
                        yield Chunk(text=piece)
    finally:
        await opened.aclose()
    # Where the provider counted nothing, litellm estimates; where it gave no reason, litellm makes up `stop`.
    if not any(getattr(each, "usage", None) for each in opened.chunks):
        counts = None
        if opened.received_finish_reason is None:
            raise unreadable(NAME, "it ends without a reason")
    usage = _usage(counts, time.perf_counter() - started)
    yield Chunk(usage=usage, finish_reason=_finished(reason, usage))


def _finished(reason: str | None, usage: Usage) -> str:
    """Return why the model stopped.

    Raises:
        BackendError: A filter kept the answer back, or the provider says nothing.
    """
    if reason == "content_filter":
        raise withheld(NAME, "the answer, by the provider's filter", usage)
    if not isinstance(reason, str) or not reason:
        raise unreadable(NAME, "it ends without a reason", usage=usage)
    return reason


def _model(asked: str, stated: str) -> str:
    """Return the model that answered, with the provider's name before it as in the request."""
    provider, slash, name = asked.partition("/")
    if not stated:
        return asked
    return f"{provider}/{stated}" if slash and stated.startswith(name) else stated


def _usage(counts: litellm.Usage | None, latency_s: float) -> Usage:
    if counts is None:
        return Usage(latency_s=latency_s)
    thought, prompt = counts.completion_tokens_details, counts.prompt_tokens_details
    return counted(
        input_tokens=counts.prompt_tokens,
        # Of an answer that a filter kept back, it leaves the thinking out of all but the total.
        output_tokens=max(counts.completion_tokens, counts.total_tokens - counts.prompt_tokens),
        thinking_tokens=getattr(thought, "reasoning_tokens", None),
        cached_input_tokens=getattr(prompt, "cached_tokens", None),
        # No cost: it is litellm's, from its own table, and no longer to be told from what a provider states.
        latency_s=latency_s,
    )
