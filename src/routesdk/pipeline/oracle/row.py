"""What is done for one row: every tier answers, a blind judge grades, an analyst writes the reason."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from routesdk.errors import BackendError
from routesdk.journal import Row, TierOutcome
from routesdk.pipeline.oracle.caller import Caller
from routesdk.pipeline.oracle.pace import backoff_s
from routesdk.pipeline.oracle.plan import PATIENCE_S, Plan, Seat
from routesdk.pipeline.oracle.seam import ask_itself, sound, sound_reason, sound_verdict
from routesdk.pipeline.reasoning import leaked
from routesdk.protocols import PromptedAnalyst, PromptedJudge
from routesdk.types import Unscored, Verdict

T = TypeVar("T")

SAMPLES = 2
"""Replies of a judge that are asked for: a second where the first cannot be read."""


@attrs.frozen(kw_only=True)
class Finding:
    """What was found out about a row.

    Attributes:
        outcomes: One a tier, cheapest first.
        analysis: The analyst's reason.
        problem: Why the reason may not be used; empty where it may.
    """

    outcomes: tuple[TierOutcome, ...]
    analysis: str
    problem: str


@attrs.frozen(kw_only=True)
class _Answered:
    seat: Seat
    text: str | None
    key: bytes | None
    problem: str


class RowWorker:
    """Does what one row needs.

    Args:
        plan: Who is asked what.
        caller: Makes the calls.
        attempts: How often a judge or analyst that makes its calls itself is tried.
    """

    def __init__(self, plan: Plan, caller: Caller, *, attempts: int) -> None:
        self._plan = plan
        self._caller = caller
        self._attempts = attempts

    async def work(self, row: Row) -> Finding:
        """Answer, grade and analyse one row.

        Raises:
            RunStoppedError: The run cannot go on.
            JournalError: The journal cannot be written.
        """
        reasoning = asyncio.ensure_future(self._reason(row))
        try:
            answered = await _together(*(self._answer(row, seat) for seat in self._plan.seats))
            outcomes = await self._grade(row, answered)
            analysis, problem = await reasoning
        except asyncio.CancelledError:
            reasoning.cancel()
            raise
        finally:
            # A call of the analyst's that is under way comes to its end: it is paid for.
            await asyncio.wait([reasoning])
            if not reasoning.cancelled():
                reasoning.exception()
        if not problem:
            texts = [each.text for each in answered if each.text]
            problem = leaked(analysis, row.example.query, row.example.reference, texts)
        return Finding(outcomes=outcomes, analysis=analysis, problem=problem)

    async def _answer(self, row: Row, seat: Seat) -> _Answered:
        request = self._plan.answer_request(row.example.query, seat)
        try:
            key, answer = await self._caller.ask(seat.line, request, role="answer", question=row.question)
        except BackendError as error:
            what = "the answer was blocked" if error.blocked else "no answer came"
            return _Answered(seat=seat, text=None, key=None, problem=f"{what}: {error.problem}")
        problem = ""
        if not answer.text.strip():
            # Thinking may have used up the cap: a failure, which must not count as an abstention.
            problem = f"the answer has no text (finish reason {answer.finish_reason})"
        return _Answered(seat=seat, text=answer.text, key=key, problem=problem)

    async def _grade(self, row: Row, answered: list[_Answered]) -> tuple[TierOutcome, ...]:
        """Grade the answers, in an order that tells nothing of the tiers."""
        order = list(range(len(answered)))
        random.Random(row.digest).shuffle(order)
        graded = await _together(*(self._outcome(row, answered[place]) for place in order))
        found = dict(zip(order, graded, strict=True))
        return tuple(found[place] for place in range(len(answered)))

    async def _outcome(self, row: Row, answered: _Answered) -> TierOutcome:
        verdict: Verdict | Unscored = Unscored(answered.problem)
        verdict_key = None
        if not answered.problem and answered.text is not None:
            verdict, verdict_key = await self._verdict(row, answered.text)
        return TierOutcome(
            model=answered.seat.tier.model,
            grade=verdict.grade if isinstance(verdict, Verdict) else None,
            reason=verdict.reason,
            answer_key=answered.key,
            verdict_key=verdict_key,
        )

    async def _verdict(self, row: Row, answer: str) -> tuple[Verdict | Unscored, bytes | None]:
        question, reference = row.example.query.text, row.example.reference or ""
        judge, line = self._plan.judge, self._plan.judge_line
        try:
            if line is None or not isinstance(judge, PromptedJudge):
                graded = await self._itself("judge", judge.grade, question, reference, answer)
                return sound_verdict(judge, graded), None
            request = self._plan.in_time(sound("judge", judge, judge.request, question, reference, answer))
            key: bytes | None = None
            verdict: Verdict | Unscored = Unscored("the judge was not asked")
            for sample in range(SAMPLES):
                key, reply = await self._caller.ask(
                    line,
                    request,
                    role="verdict",
                    question=row.question,
                    prompt_version=judge.prompt_version,
                    sample=sample,
                )
                verdict = sound_verdict(judge, sound("judge", judge, judge.read, reply, answer))
                if isinstance(verdict, Verdict):
                    break
            return verdict, key
        except BackendError as error:
            what = "the verdict was blocked" if error.blocked else "no verdict came"
            return Unscored(f"{what}: {error.problem}"), None

    async def _reason(self, row: Row) -> tuple[str, str]:
        """Return the analyst's reason, and why it may not be used."""
        analyst, line = self._plan.analyst, self._plan.analyst_line
        query = row.example.query
        try:
            if line is None or not isinstance(analyst, PromptedAnalyst):
                reason = sound_reason(analyst, await self._itself("analyst", analyst.reason, query))
            else:
                _, reply = await self._caller.ask(
                    line,
                    self._plan.in_time(sound("analyst", analyst, analyst.request, query)),
                    role="reason",
                    question=row.question,
                    prompt_version=analyst.prompt_version,
                )
                reason = sound_reason(analyst, sound("analyst", analyst, analyst.read, reply))
        except BackendError as error:
            return "", f"no reason came: {error.problem}"
        return reason, "" if reason.strip() else "the analyst wrote no reason"

    async def _itself(self, kind: str, call: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Call a part that makes its own calls, if it makes any; try again where that may help.

        Raises:
            BackendError: It brought no result.
            RunStoppedError: It broke its contract: a bug that every row would meet.
        """
        tried = 0
        while True:
            tried += 1
            result = await ask_itself(kind, call, *arguments, timeout_s=self._plan.config.timeout_s)
            if not isinstance(result, BackendError):
                return result
            if not result.retryable or tried >= self._attempts:
                raise result
            await self._caller.pause(backoff_s(tried, min(result.retry_after_s or 0.0, PATIENCE_S)))
            self._caller.go_on()


async def _together(*works: Awaitable[T]) -> list[T]:
    """Await all; where one raises, let the others come to their end before that is raised."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]
