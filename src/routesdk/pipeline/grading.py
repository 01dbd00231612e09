"""Has a judge grade many answers: a bounded number at once, and none lost to a bad moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import attrs

from routesdk.errors import BackendError, JudgeError
from routesdk.protocols import Judge, PromptedJudge
from routesdk.types import Unscored, Verdict

PAUSES_S = (1.0, 4.0)
"""Seconds before each further attempt at a call that failed in a way that may pass."""

LONGEST_PAUSE_S = 60.0
"""Seconds that a provider's own wish for a pause is followed at most."""

_UNASKED = "the judge could not be asked: "
# So many failures with nothing between them are an outage: going on would only cost time.
_OUTAGE = 8


@attrs.frozen(kw_only=True)
class Item:
    """One answer to grade: all that a judge may see.

    Attributes:
        question: What was asked.
        reference: The right answer.
        answer: The answer's text.
    """

    question: str
    reference: str
    answer: str


@attrs.define(kw_only=True)
class Grading:
    """A judge at work.

    One that asks a model grades several answers at once, any other one after
    another. An answer that the model could not be asked about is `Unscored`,
    with the reason.

    Attributes:
        name: The judge's name, for errors.
        judge: The judge.
        concurrency: Answers that a judge that asks a model grades at once.
        progress: Called after each answer.
        pauses_s: Seconds to wait before each further attempt at a call that may succeed later.
        ended: What ended the work before all was graded; None where nothing did.
    """

    name: str
    judge: Judge
    concurrency: int = 8
    progress: Callable[[], object] | None = None
    pauses_s: Sequence[float] = PAUSES_S
    ended: BackendError | None = attrs.field(default=None, init=False)
    _failures: int = attrs.field(default=0, init=False)

    async def all(self, items: Sequence[Item]) -> list[Verdict | Unscored]:
        """Grade answers, and return the verdicts in their order.

        Where the provider refuses the key or fails on row after row, nothing more is
        asked: `ended` says why, what was graded is kept, and the rest is `Unscored`.

        Raises:
            JudgeError: The judge returned no verdict.
        """
        at_once = self.concurrency if isinstance(self.judge, PromptedJudge) else 1
        found: dict[int, Verdict | Unscored] = {}
        # Workers share one iterator: no more tasks than calls at once, however many rows there are.
        waiting = iter(range(len(items)))
        tasks = [asyncio.create_task(self._work(waiting, items, found)) for _ in range(at_once)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        rest = Unscored(f"{_UNASKED}the audit had ended")
        return [found.get(index, rest) for index in range(len(items))]

    async def _work(
        self, waiting: Iterator[int], items: Sequence[Item], found: dict[int, Verdict | Unscored]
    ) -> None:
        for index in waiting:
            if self.ended is not None:
                return
            found[index] = await self._one(items[index])
            if self.progress is not None:
                self.progress()

    async def _one(self, item: Item) -> Verdict | Unscored:
        pauses_s = iter(self.pauses_s)
        while True:
            try:
                said: object = await self.judge.grade(item.question, item.reference, item.answer)
            except BackendError as error:
                pause_s = next(pauses_s, None) if error.retryable else None
                if pause_s is None:
                    return self._given_up(error)
                wished_s = min(error.retry_after_s or 0.0, LONGEST_PAUSE_S)
                await asyncio.sleep(max(pause_s, wished_s))
                continue
            if not isinstance(said, (Verdict, Unscored)):
                raise JudgeError(self.name, f"it returned {type(said).__name__}, not a Verdict or Unscored")
            self._failures = 0
            return said

    def _given_up(self, error: BackendError) -> Unscored:
        self._failures += 1
        if error.denied or self._failures >= _OUTAGE:
            self.ended = self.ended or error
        return Unscored(f"{_UNASKED}{error.problem}")


def is_unasked(said: Verdict | Unscored) -> bool:
    """Tell whether there is no verdict because the judge's model could not be asked."""
    return isinstance(said, Unscored) and said.reason.startswith(_UNASKED)
