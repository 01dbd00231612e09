"""What comes back: a whole answer, or one that arrives piece by piece, each with its decision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

import attrs

from routesdk._loop import run_in_background
from routesdk.attempt import Attempts, Call
from routesdk.errors import BackendError
from routesdk.types import Answer, Chunk, Decision


@attrs.frozen(kw_only=True)
class RoutedAnswer:
    """An answer, and the decision that led to it.

    Attributes:
        decision: What was decided; after a fallback, its model is the one that answered.
        answer: What that model answered, with tokens and cost.
    """

    decision: Decision
    answer: Answer

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.answer.text


async def whole_answer(attempts: Attempts) -> RoutedAnswer:
    """Make the calls until one is answered.

    Raises:
        BackendError: None is, and the caller wants no more of them to be made.
    """
    while True:
        call = await attempts.open()
        try:
            answer = call.finish(await call.within(call.backend.generate(call.request)))
            return RoutedAnswer(decision=attempts.decision, answer=answer)
        except BackendError as error:
            call.fail(error)
            if not attempts.fall_back(error):
                raise
        finally:
            # However the call was left, a cancelled one among others, its money is settled.
            call.abandon()


class AsyncAnswerStream:
    """An answer that arrives piece by piece: iterate over it once, with `async for`.

    The call is made when the first piece is asked for. A stream that is left
    early, by `aclose`, by the end of an `async with` or for good, settles what it may have cost.

    Args:
        attempts: The calls that may be made.
    """

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._call: Call | None = None
        self._source: AsyncIterator[Chunk] | None = None
        self._pieces: list[str] = []
        self._answer: Answer | None = None
        self._ended = False
        self._reader: asyncio.Task[object] | None = None
        self._read = asyncio.Event()
        self._left = False

    @property
    def decision(self) -> Decision:
        """What was decided; after a fallback, its model is the one that answers."""
        return self._attempts.decision

    @property
    def answer(self) -> Answer | None:
        """The whole answer with its cost; None until the last piece has come."""
        return self._answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        while not self._ended:
            try:
                return await self._piece()
            except BackendError as error:
                call = self._call
                if call is not None:
                    call.fail(error, self._text())
                self._ended = True
                # Once text was delivered, another model's words cannot be put behind it.
                if call is None or self._pieces or not self._attempts.fall_back(error):
                    raise
                await self._close_source()
                self._call, self._ended = None, False
            except asyncio.CancelledError:
                self._leave()
                if not self._was_left():
                    raise
            except BaseException:
                self._leave()
                raise
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Leave the stream; a call under way is settled at what it may have cost.

        A task that waits for the next piece meanwhile finds the stream at its end.
        """
        self._leave()
        reader = self._reader
        if reader is not None and reader is not asyncio.current_task():
            # A source cannot be closed while it is read: its reader is called back from it first.
            self._left = True
            reader.cancel()
            await self._read.wait()
        await self._close_source()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Nobody can close it any more; a source that is left half-way is closed by its event loop.
        self._leave()

    def _was_left(self) -> bool:
        """Tell whether a cancellation came from `aclose`, and from nobody else; it is taken back then."""
        reader = asyncio.current_task()
        if not self._left or reader is None:
            return False
        self._left = False
        return reader.uncancel() == 0

    async def _piece(self) -> Chunk:
        self._reader = asyncio.current_task()
        self._read.clear()
        try:
            return await self._next_piece()
        finally:
            self._reader = None
            self._read.set()

    async def _next_piece(self) -> Chunk:
        if self._call is None or self._source is None:
            self._call = await self._attempts.open()
            self._source = aiter(self._call.backend.stream(self._call.request))
        try:
            chunk = await self._call.within(anext(self._source))
        except StopAsyncIteration:
            raise self._call.broken_off() from None
        if chunk.text:
            self._pieces.append(chunk.text)
        if chunk.usage is None:
            return chunk
        whole = Answer(
            text=self._text(),
            model=self._call.request.model,
            usage=chunk.usage,
            finish_reason=chunk.finish_reason or "stop",
        )
        self._answer = self._call.finish(whole)
        self._ended = True
        return attrs.evolve(chunk, usage=self._answer.usage)

    def _text(self) -> str:
        return "".join(self._pieces)

    def _leave(self) -> None:
        self._ended = True
        if self._call is not None:
            self._call.abandon(self._text())

    async def _close_source(self) -> None:
        source, self._source = self._source, None
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


class AnswerStream(Iterator[Chunk]):
    """An answer that arrives piece by piece, for code without an event loop: iterate over it once.

    Leave it early by `close`, or by the end of a `with`.

    Args:
        source: The stream; it runs in a loop in the background.
    """

    def __init__(self, source: AsyncAnswerStream) -> None:
        self._source = source
        self._pump: asyncio.Task[None] | None = None
        self._pieces: asyncio.Queue[Chunk] = asyncio.Queue(1)
        self._told = False

    @property
    def decision(self) -> Decision:
        """What was decided; after a fallback, its model is the one that answers."""
        return self._source.decision

    @property
    def answer(self) -> Answer | None:
        """The whole answer with its cost; None until the last piece has come."""
        return self._source.answer

    def __next__(self) -> Chunk:
        piece = run_in_background(self._take())
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Leave the stream; a call under way is settled at what it may have cost."""
        run_in_background(self._close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        pump = self._pump
        if pump is not None and not pump.done() and not pump.get_loop().is_closed():
            pump.get_loop().call_soon_threadsafe(pump.cancel)

    async def _take(self) -> Chunk | None:
        """Take the next piece; None at the end."""
        if self._pump is None:
            # One task for the whole stream: clients keep track of the task that a reply is read in.
            self._pump = asyncio.create_task(_pump(self._source, self._pieces))
        piece = asyncio.create_task(self._pieces.get())
        try:
            await asyncio.wait({piece, self._pump}, return_when=asyncio.FIRST_COMPLETED)
            if piece.done():
                return piece.result()
        finally:
            piece.cancel()
        if not self._pieces.empty():
            return self._pieces.get_nowait()
        # What the stream raised is raised once; afterwards it has ended.
        if not self._told and not self._pump.cancelled():
            self._told = True
            self._pump.result()
        return None

    async def _close(self) -> None:
        if self._pump is None:
            await self._source.aclose()
            return
        self._told = True
        self._pump.cancel()
        await asyncio.wait({self._pump})
        while not self._pieces.empty():
            self._pieces.get_nowait()
        if not self._pump.cancelled():
            # Asked for, so that what nobody waits for any longer is not reported as forgotten.
            self._pump.exception()


async def _pump(source: AsyncAnswerStream, pieces: asyncio.Queue[Chunk]) -> None:
    """Move the pieces on; one waits while the next is asked for, and no more."""
    try:
        async for piece in source:
            await pieces.put(piece)
    finally:
        await source.aclose()
