"""The contract check of backends: good ones pass, broken ones do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import cast

import attrs
import pytest

from routesdk.errors import BackendError
from routesdk.testing import FakeBackend, check_backend
from routesdk.types import Answer, Chunk, Query, Request, Usage

GOOD = Answer(text="Far.", model="medium-model", usage=Usage(input_tokens=4, output_tokens=1))
STREAM = (Chunk(text="Far"), Chunk(text="."), Chunk(usage=GOOD.usage, finish_reason="stop"))


@attrs.frozen
class Scripted:
    """A backend that returns what it is given."""

    answer: object = GOOD
    chunks: Sequence[object] = STREAM
    serves: Callable[[Request], object] = attrs.field(default=lambda request: None)

    async def generate(self, request: Request) -> Answer:
        self.serves(request)
        return cast("Answer", self.answer)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        self.serves(request)
        for chunk in self.chunks:
            yield cast("Chunk", chunk)


class StreamsACoroutine(Scripted):
    async def stream(self, request: Request) -> list[Chunk]:  # type: ignore[override]
        return list(STREAM)


class NotAsync(Scripted):
    def generate(self, request: Request) -> Answer:  # type: ignore[override]
        return GOOD


class OneAtATime(Scripted):
    """Cannot serve two requests at once."""

    busy: list[int] = []  # noqa: RUF012

    async def generate(self, request: Request) -> Answer:
        import asyncio

        if self.busy:
            raise RuntimeError("busy")
        self.busy.append(1)
        await asyncio.sleep(0)
        self.busy.clear()
        return GOOD


class HatesLeavers(Scripted):
    """Raises when a reader goes early."""

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        done = False
        try:
            for chunk in STREAM:
                yield chunk
            done = True
        finally:
            if not done:
                raise ValueError("the reader left")


def usage(**changes: object) -> Answer:
    odd = attrs.evolve(GOOD.usage)
    for name, value in changes.items():
        # Usage refuses such numbers itself; the check does not rely on that.
        object.__setattr__(odd, name, value)
    return attrs.evolve(GOOD, usage=odd)


def _encode(request: Request) -> None:
    request.query.text.encode("utf-8")


def _refuse_odd(request: Request) -> None:
    if not request.query.text.isprintable():
        raise BackendError("scripted", "the text cannot be sent")


def test_a_backend_that_keeps_its_contract_passes() -> None:
    check_backend(FakeBackend())
    check_backend(Scripted(serves=_refuse_odd))


def test_the_request_may_be_the_authors_own() -> None:
    backend = FakeBackend(answers={"Who?": "I."}, default=None)
    check_backend(backend, Request(query=Query("Who?"), model="my-model"))
    with pytest.raises(AssertionError, match=r"raises BackendError .* on 'How far is the Moon"):
        check_backend(backend)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("flash", "flash-001"),
        ("flash", "flash@20250514"),
        ("flash", "flash-preview-05-20"),
        ("flash-latest", "flash-2025-05-14"),
        ("flash-latest", "flash-latest"),
    ],
)
def test_an_answer_may_name_a_version_of_the_model_that_was_asked(asked: str, answered: str) -> None:
    backend = Scripted(answer=attrs.evolve(GOOD, model=answered))

    check_backend(backend, Request(query=Query("Who?"), model=asked))


# What a plugin without type checks may return.
NO_USAGE = attrs.evolve(GOOD, usage=None)  # type: ignore[arg-type]
NO_TEXT = attrs.evolve(GOOD, text=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "fault"),
    [
        (Scripted(answer="Far."), "returns str on"),
        (Scripted(answer=NO_TEXT), "answers None"),
        (Scripted(answer=attrs.evolve(GOOD, model="")), "gives the model ''"),
        (Scripted(answer=attrs.evolve(GOOD, model="pro")), "gives the model 'pro' where 'medium-model' was"),
        (
            Scripted(answer=attrs.evolve(GOOD, model="medium-model-lite")),
            "gives the model 'medium-model-lite'",
        ),
        (Scripted(answer=NO_USAGE), "gives the usage None"),
        (Scripted(answer=usage(input_tokens=-1)), r"counts the tokens \(-1"),
        (Scripted(answer=usage(input_tokens=1.5)), r"counts the tokens \(1.5"),
        (Scripted(answer=usage(thinking_tokens=7)), "thinking tokens are part of"),
        (Scripted(answer=usage(cached_input_tokens=7)), "cached ones part of"),
        (Scripted(answer=usage(latency_s=-1.0)), "gives the latency -1.0"),
        (Scripted(chunks=()), "yields nothing from stream"),
        (Scripted(chunks=("Far.",)), "yields str from stream"),
        (Scripted(chunks=STREAM[:2]), r"gives usage on the chunks \[\] of 2"),
        (Scripted(chunks=(*STREAM, STREAM[0])), r"gives usage on the chunks \[2\] of 4"),
        (
            Scripted(chunks=(Chunk(text="Far."), Chunk(text=".", usage=GOOD.usage, finish_reason="stop"))),
            "gives the text '.' with the usage from stream",
        ),
        (Scripted(chunks=(Chunk(usage=GOOD.usage),)), r"gives the finish reasons \[None\]"),
        (Scripted(serves=_encode), "raises UnicodeEncodeError"),
        (StreamsACoroutine(), "returns coroutine from stream"),
        (NotAsync(), "returns Answer on"),
        (OneAtATime(), "raises RuntimeError .busy. .*four at once"),
        (HatesLeavers(), "raises ValueError .the reader left. .*left after one chunk"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_backend_that_breaks_a_promise_is_caught(backend: Scripted, fault: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){fault}"):
        check_backend(backend)


def test_a_cost_that_is_no_decimal_is_caught() -> None:
    odd = attrs.evolve(GOOD)
    object.__setattr__(odd.usage, "cost_usd", 0.1)
    try:
        with pytest.raises(AssertionError, match=r"gives the cost 0\.1"):
            check_backend(Scripted(answer=odd))
    finally:
        object.__setattr__(odd.usage, "cost_usd", None)
    assert GOOD.usage.cost_usd is None
    check_backend(Scripted(answer=usage(cost_usd=Decimal("0.1"))))
