"""Answers by models on this machine: one answer at a time for each model, and the event loop stays free."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs

from routesdk.errors import BackendError
from routesdk.host import attempt
from routesdk.plugins.local_model.model import BACKEND, LoadedModel
from routesdk.plugins.local_model.piece import Pieces
from routesdk.plugins.local_model.prompt import NEXT_TURN, turns_of
from routesdk.types import Answer, Chunk, Request, Usage


class LocalBackend:
    """Answer with causal language models on this machine.

    A model is loaded when it is first asked, and stays in memory as long as
    the backend does. Requests to one model wait for each other; their
    deadlines run while they wait.

    Args:
        paths: Model's name → folder or Hub id; other names are one themselves.
        device: `auto`, or a device as torch names it.
        dtype: `auto`, or a type as torch names it.
        max_output_tokens: Cap on the tokens of an answer whose request names none.
    """

    free = True
    """No provider bills a call."""

    def __init__(
        self,
        paths: Mapping[str, str],
        *,
        device: str = "auto",
        dtype: str = "auto",
        max_output_tokens: int = 512,
    ) -> None:
        self._paths = dict(paths)
        self._device = device
        self._dtype = dtype
        self._max_output_tokens = max_output_tokens
        self._lock = threading.Lock()
        self._desks: dict[str, _Desk] = {}

    async def generate(self, request: Request) -> Answer:
        """Return the model's answer.

        Without a temperature, or at 0, the likeliest token is taken each time.
        A call costs nothing: no provider bills it.

        Raises:
            BackendError: The model cannot be loaded, the prompt does not fit its
                context, memory ran out, or the deadline passed.
        """
        pieces: list[str] = []
        chunks = self.stream(request)
        async for chunk in chunks:
            pieces.append(chunk.text)
        return Answer(
            text="".join(pieces),
            model=request.model,
            usage=chunk.usage or Usage(),
            finish_reason=chunk.finish_reason or "stop",
        )

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Yield the model's answer as it is written; the last chunk has the usage.

        Whoever stops reading stops the model.

        Raises:
            BackendError: As for `generate`.
        """
        call = _Call(request, asyncio.get_running_loop())
        desk = self._desk(request.model)
        future = desk.worker.submit(self._serve, desk, call)
        try:
            last = False
            while not last:
                chunk = await call.next()
                last = chunk.usage is not None
                yield chunk
        finally:
            call.given_up.set()
            future.cancel()

    def _desk(self, model: str) -> _Desk:
        source = self._paths.get(model, model)
        with self._lock:
            if source not in self._desks:
                self._desks[source] = _Desk(source)
            return self._desks[source]

    def _serve(self, desk: _Desk, call: _Call) -> None:
        """Answer one call, in the model's own thread."""
        _, error = attempt(self._answer, desk, call)
        if error is not None:
            wrapped = BackendError(BACKEND, f"it failed ({type(error).__name__}: {error})")
            call.tell(error if isinstance(error, BackendError) else wrapped)

    def _answer(self, desk: _Desk, call: _Call) -> None:
        if call.is_over():
            return
        if desk.model is None:
            desk.model = LoadedModel(desk.source, device=self._device, dtype=self._dtype)
        model, request = desk.model, call.request
        prompt = model.encode(turns_of(request))
        wanted = request.max_output_tokens or self._max_output_tokens
        room = _room(model, len(prompt), request.model)
        asked_plainly = not model.has_template
        pieces = Pieces(model.decode, stop=NEXT_TURN if asked_plainly else "", strip=asked_plainly)

        def take(token: int) -> bool:
            piece = pieces.add(token)
            if piece:
                call.tell(Chunk(text=piece))
            return not pieces.stopped and not call.is_over()

        written, ended = model.write(
            prompt,
            max_tokens=wanted if room is None else min(wanted, room),
            temperature=request.temperature or 0.0,
            take=take,
        )
        if call.is_over():
            # An answer that was cut short must not pass for a whole one.
            return
        rest = pieces.finish()
        if rest:
            call.tell(Chunk(text=rest))
        usage = Usage(
            input_tokens=len(prompt), output_tokens=written, cost_usd=Decimal(0), latency_s=call.elapsed_s()
        )
        call.tell(Chunk(usage=usage, finish_reason="stop" if ended or pieces.stopped else "length"))


@attrs.define(eq=False)
class _Desk:
    """A model and the one thread that it answers in.

    Attributes:
        source: A folder or a Hub id.
        model: The model, once it was asked.
        worker: Its thread.
    """

    source: str
    model: LoadedModel | None = None
    worker: ThreadPoolExecutor = attrs.field(
        factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="routesdk-model")
    )


class _Call:
    """One request between the loop that asked and the thread that answers."""

    def __init__(self, request: Request, loop: asyncio.AbstractEventLoop) -> None:
        self.request = request
        self.given_up = threading.Event()
        self._loop = loop
        self._told: asyncio.Queue[Chunk | BackendError] = asyncio.Queue()
        self._began_s = time.monotonic()

    def elapsed_s(self) -> float:
        """Return the seconds since the request came."""
        return time.monotonic() - self._began_s

    def is_over(self) -> bool:
        """Tell whether nobody waits any more: the caller left, or the deadline passed."""
        return self.given_up.is_set() or self.elapsed_s() >= self.request.timeout_s

    def tell(self, news: Chunk | BackendError) -> None:
        """Pass news to the loop, from the thread that answers."""
        try:
            self._loop.call_soon_threadsafe(self._told.put_nowait, news)
        except RuntimeError:
            # The loop is closed: whoever asked is gone.
            self.given_up.set()

    async def next(self) -> Chunk:
        """Wait for the next piece.

        Raises:
            BackendError: There is no answer, or the deadline passed.
        """
        try:
            # Not `wait_for`: in Python 3.11 it may take a cancellation for a piece that has just come.
            async with asyncio.timeout(self.request.timeout_s - self.elapsed_s()):
                news = await self._told.get()
        except TimeoutError:
            problem = (
                f"{self.request.model!r} gave no whole answer within {self.request.timeout_s:g} s, "
                "in which other requests to it, and its loading, may have come first"
            )
            raise BackendError(BACKEND, problem, retryable=True) from None
        if isinstance(news, BackendError):
            raise news
        return news


def _room(model: LoadedModel, prompt_tokens: int, name: str) -> int | None:
    """Return how many tokens an answer may have at the most; None where there is no limit."""
    limit = model.context_tokens
    if limit is not None and prompt_tokens >= limit:
        problem = (
            f"the prompt has {prompt_tokens} tokens, and {name!r} can read and write {limit} in all: "
            "shorten the prompt, or take a model with a longer context"
        )
        raise BackendError(BACKEND, problem)
    return None if limit is None else limit - prompt_tokens
