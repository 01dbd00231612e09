"""The contract check of backends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from routesdk.errors import BackendError
from routesdk.host import attempt
from routesdk.protocols import Backend
from routesdk.testing.samples import describe, odd_queries, script_queries
from routesdk.testing.verdict import await_result, broken, call, require, sentence
from routesdk.types import Answer, Chunk, Query, Request, Usage

_ANSWERS = "generate is a coroutine function that returns an Answer, or raises BackendError"
_STREAMS = "stream returns an async iterator of Chunk objects; the last one, and only it, has the usage"

_VERSION = re.compile(r"([-@:](preview|exp|latest|v?[0-9]+(\.[0-9]+)*))+")
"""What providers append to a name: `-001`, `@20250514`, `-preview-05-20`; `-lite` is another model."""


def check_backend(backend: Backend, request: Request | None = None) -> None:
    """Check that a backend keeps its contract.

    It must answer a request, whole and as a stream, also several at once, with
    the tokens that it counted; and answer any other request too, or raise
    `BackendError`, never an error of its provider or of a codec.

    Args:
        backend: The backend. One that costs money is called some thirty times.
        request: A request that it can answer; without it, a question to `medium-model`.

    Raises:
        AssertionError: A promise is broken; the text says which, and on what request.
    """
    request = request or Request(query=Query("How far is the Moon?"), model="medium-model")
    about = f"on {describe(request.query)}"
    answer = await_result(backend, about, _ANSWERS, backend.generate, request)
    _check_answer(backend, answer, request, about)
    together = await_result(backend, f"{about}, four at once", _ANSWERS, _at_once, backend, request)
    assert isinstance(together, list)
    for each in together:
        _check_answer(backend, each, request, f"{about}, one of four at once")
    _check_stream(backend, request, about)
    for query in (*script_queries(), *odd_queries(megabyte=False)):
        _check_any(backend, Request(query=query, model=request.model))


async def _at_once(backend: Backend, request: Request) -> list[Answer]:
    return list(await asyncio.gather(*(backend.generate(request) for _ in range(4))))


def _check_answer(backend: Backend, answer: object, request: Request, about: str) -> None:
    if not isinstance(answer, Answer):
        raise broken(backend, f"returns {type(answer).__name__} {about}", _ANSWERS)
    require(isinstance(answer.text, str), backend, f"answers {answer.text!r} {about}", "text is a string")
    promise = "an answer names the model that wrote it"
    require(sentence(answer.model), backend, f"gives the model {answer.model!r} {about}", promise)
    require(
        _is_of(answer.model, request.model),
        backend,
        f"gives the model {answer.model!r} where {request.model!r} was asked {about}",
        "the model that was asked for answers, or a dated or numbered version of it",
    )
    _check_usage(backend, answer.usage, about)


def _is_of(model: str, asked: str) -> bool:
    """Tell whether a model is the one that was asked for, or a version of it."""
    # Of an alias, `x-latest`, providers name the version behind it.
    version = model.removeprefix(asked.removesuffix("-latest"))
    return model == asked or (version != model and _VERSION.fullmatch(version) is not None)


def _check_usage(backend: Backend, usage: object, about: str) -> None:
    if not isinstance(usage, Usage):
        raise broken(backend, f"gives the usage {usage!r} {about}", "an answer comes with its Usage")
    counts = (usage.input_tokens, usage.output_tokens, usage.thinking_tokens, usage.cached_input_tokens)
    require(
        all(count is None or (type(count) is int and count >= 0) for count in counts),
        backend,
        f"counts the tokens {counts} {about}",
        "tokens are whole numbers, 0 or more, as the provider counted them, or None where nobody did",
    )
    require(
        usage.thinking_tokens <= (usage.output_tokens or 0)
        and usage.cached_input_tokens <= (usage.input_tokens or 0),
        backend,
        f"counts the tokens {counts} {about}",
        "thinking tokens are part of the output's, cached ones part of the input's",
    )
    cost, latency_s = usage.cost_usd, usage.latency_s
    require(
        cost is None or (isinstance(cost, Decimal) and cost >= 0),
        backend,
        f"gives the cost {cost!r} {about}",
        "cost is US dollars as a Decimal, or None where the price is unknown",
    )
    promise = "latency is seconds, 0 or more, or None where it was not measured"
    require(latency_s is None or latency_s >= 0, backend, f"gives the latency {latency_s!r} {about}", promise)


def _check_stream(backend: Backend, request: Request, about: str) -> None:
    about = f"from stream {about}"
    chunks = call(backend, about, _STREAMS, backend.stream, request)
    require(hasattr(chunks, "__anext__"), backend, f"returns {type(chunks).__name__} {about}", _STREAMS)
    pieces = await_result(backend, about, _STREAMS, _collect, chunks)
    assert isinstance(pieces, list)
    require(bool(pieces), backend, f"yields nothing {about}", _STREAMS)
    for piece in pieces:
        require(isinstance(piece, Chunk), backend, f"yields {type(piece).__name__} {about}", _STREAMS)
    with_usage = [index for index, piece in enumerate(pieces) if piece.usage is not None]
    require(
        with_usage == [len(pieces) - 1],
        backend,
        f"gives usage on the chunks {with_usage} of {len(pieces)} {about}",
        _STREAMS,
    )
    _check_usage(backend, pieces[-1].usage, about)
    require(
        pieces[-1].text == "",
        backend,
        f"gives the text {pieces[-1].text!r} with the usage {about}",
        "the last chunk has the usage and no text: all of it has come before",
    )
    reasons = [piece.finish_reason for piece in pieces]
    require(
        sentence(reasons[-1]) and not any(reasons[:-1]),
        backend,
        f"gives the finish reasons {reasons} {about}",
        "the last chunk, and only it, says why the model stopped",
    )
    # A user who stops reading must not be punished for it.
    await_result(backend, f"{about}, left after one chunk", _STREAMS, _leave, backend, request)


async def _collect(chunks: AsyncIterator[Chunk]) -> list[Chunk]:
    return [chunk async for chunk in chunks]


async def _leave(backend: Backend, request: Request) -> None:
    chunks = backend.stream(request)
    await anext(chunks)
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


def _check_any(backend: Backend, request: Request) -> None:
    """Check a request that the backend may have no answer to."""
    about = f"on {describe(request.query)}"
    for what, function in (("", _generated), ("from stream ", _streamed)):
        _, error = attempt(asyncio.run, function(backend, request))
        require(
            error is None or isinstance(error, BackendError),
            backend,
            f"raises {type(error).__name__} ({ascii(str(error))[:120]}) {what}{about}",
            "a request that cannot be answered raises BackendError, whatever went wrong inside",
        )


async def _generated(backend: Backend, request: Request) -> Sequence[object]:
    return [await backend.generate(request)]


async def _streamed(backend: Backend, request: Request) -> Sequence[object]:
    return await _collect(backend.stream(request))
