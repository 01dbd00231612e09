"""A backend that goes through a script, and routers that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from functools import cache

from routers import host_with_fake, make_router
from routesdk import PluginHost, Router
from routesdk.payment import TOKENS_PER_TURN
from routesdk.plugins.spend.memory import MemorySpend
from routesdk.terms import DEFAULT_MAX_OUTPUT_TOKENS
from routesdk.testing import MODELS, make_catalogue
from routesdk.types import (
    Answer,
    Chunk,
    Request,
    Usage,
)

MEDIUM, LARGE = MODELS
USED = Usage(input_tokens=3, output_tokens=5)
QUESTION = "Who wrote Faust?"


def worst_usd(model: str = MEDIUM, text: str = QUESTION, cap: int = DEFAULT_MAX_OUTPUT_TOKENS) -> Decimal:
    return make_catalogue().price(model).cost_usd(len(text.encode()) + TOKENS_PER_TURN, cap)


def used_usd(model: str = MEDIUM, usage: Usage = USED) -> Decimal:
    return make_catalogue().cost_usd(model, usage)


Step = str | Usage | BaseException | Callable[[], Coroutine[object, object, object]]


class Script:
    """A backend that goes through steps: text, the usage at the end, an error, or something to wait for."""

    def __init__(self, *steps: Step, then: tuple[Step, ...] | None = None) -> None:
        self.steps = steps
        self.then = then
        self.requests: list[Request] = []
        self.closed = 0

    def _steps(self, request: Request) -> tuple[Step, ...]:
        self.requests.append(request)
        return self.then if self.then is not None and len(self.requests) > 1 else self.steps

    async def generate(self, request: Request) -> Answer:
        text, usage = "", Usage()
        for step in self._steps(request):
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, Usage):
                usage = step
            elif isinstance(step, str):
                text += step
            else:
                await step()
        return Answer(text=text, model=request.model, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        try:
            for step in self._steps(request):
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, Usage):
                    yield Chunk(usage=step, finish_reason="stop")
                elif isinstance(step, str):
                    yield Chunk(text=step)
                else:
                    await step()
        finally:
            self.closed += 1


def answering(backend: object, *, spend: MemorySpend | None = None, **options: object) -> Router:
    options.setdefault("host", shared_host())
    router = make_router(spend=MemorySpend() if spend is None else spend, **options)  # type: ignore[arg-type]
    return router.with_backend(backend)  # type: ignore[arg-type]


@cache
def shared_host() -> PluginHost:
    return host_with_fake()


def settled(router: Router) -> Decimal:
    """Return what is settled, and check that nothing is left open."""
    spend = router.spend.snapshot()
    assert spend.reserved_usd == 0
    return spend.settled_usd


async def forever() -> None:
    await asyncio.Event().wait()
