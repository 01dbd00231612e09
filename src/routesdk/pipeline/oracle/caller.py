"""One paid call: found in the journal, or reserved, made, tried again where that helps, and settled."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter

import attrs

from routesdk.errors import BackendError, PriceStepError, RunStoppedError
from routesdk.journal import Call, Journal, call_key
from routesdk.payment import estimate_tokens
from routesdk.pipeline.oracle.pace import backoff_s
from routesdk.pipeline.oracle.purse import Pricing, Purse
from routesdk.pipeline.oracle.seam import Line, ask_backend
from routesdk.types import Answer, Request, from_nano, to_nano

logger = logging.getLogger("routesdk")

# Tries on top for a call that fails while its provider counts as down: an outage is no property of a row.
# With the rests between them these outlast some five minutes, and longer where other calls try as well.
_OUTAGE_TRIES = 8
# How often a call that pauses looks whether the run is to stop.
_LOOK_S = 0.25
# Requests refused by a model that has never answered one: its name is misspelt, or it is not for us.
_HOPELESS = 20


class Halt:
    """Asks a run to stop: calls under way come to their end, and no further one is begun."""

    _wanted = False

    @property
    def wanted(self) -> bool:
        """Whether it is to stop."""
        return self._wanted

    def ask(self) -> None:
        """Ask it to stop; from a signal handler, too."""
        self._wanted = True


class Caller:
    """Makes the calls of a run.

    Args:
        journal: Where calls are reserved and settled.
        purse: Where their money comes from.
        pricing: What they cost.
        attempts: How often a call is tried.
        halt: Asks the run to stop.
    """

    def __init__(
        self, journal: Journal, purse: Purse, pricing: Pricing, *, attempts: int, halt: Halt
    ) -> None:
        self._journal = journal
        self._purse = purse
        self._pricing = pricing
        self._attempts = attempts
        self._halt = halt
        self._under_way: dict[bytes, asyncio.Event] = {}
        self._prompts: set[str] = set()
        self._answering = set(journal.view.models())
        self._refused: Counter[tuple[str, str]] = Counter()
        self.made = 0
        self.halted: RunStoppedError | None = None

    async def ask(
        self,
        line: Line,
        request: Request,
        *,
        role: str,
        question: str,
        prompt_version: str = "",
        sample: int = 0,
    ) -> tuple[bytes, Answer]:
        """Return the answer to a request, from the journal where it is there.

        Args:
            line: Who to ask.
            request: What to ask.
            role: What it is for: `answer`, `verdict` or `reason`.
            question: Hash of the question that it is about.
            prompt_version: Version of the wording.
            sample: Which answer to the same request is wanted.

        Returns:
            The call's key, and the answer.

        Raises:
            BackendError: No answer was to be had.
            RunStoppedError: The run cannot go on: no money, no access, or the provider is down.
            JournalError: The journal cannot be written.
        """
        key = call_key(request, provider=line.provider, prompt_version=prompt_version, sample=sample)
        # Two rows may ask the same: the second waits for the first, and finds its answer.
        while (other := self._under_way.get(key)) is not None:
            await other.wait()
        known = self._journal.reply(key)
        if known is not None:
            return key, known
        prompt = self._keep_prompt(request.system, prompt_version)
        call = Call(
            key=key,
            role=role,
            question=question,
            provider=line.provider,
            model=request.model,
            prompt=prompt,
            sample=sample,
        )
        self._under_way[key] = asyncio.Event()
        try:
            return key, await self._try(line, request, call)
        finally:
            self._under_way.pop(key).set()

    async def _try(self, line: Line, request: Request, call: Call) -> Answer:
        worst_nano = self._worst_nano(line, request)
        expected = estimate_tokens(request) + (request.max_output_tokens or 0)
        tried = tried_while_down = 0
        while True:
            self.go_on()
            async with line.pace.turn(expected):
                # A turn may have been long in coming.
                self.go_on()
                down, begun = line.pace.breaker.open, time.monotonic()
                tried_while_down += down
                tried += 1
                reply = await self._once(line, request, call, worst_nano)
            if isinstance(reply, Answer):
                used = (reply.usage.input_tokens or 0) + (reply.usage.output_tokens or 0)
                line.pace.correct(expected, used)
                line.pace.breaker.succeeded()
                self._answering.add((line.provider, request.model))
                return reply
            if not reply.may_cost:
                line.pace.correct(expected, 0)
            self._judge_failure(line, request.model, reply, begun)
            on_top = min(tried_while_down, _OUTAGE_TRIES)
            if not reply.retryable or (tried - on_top >= self._attempts and not self._spared(line, on_top)):
                raise reply
            await self.pause(backoff_s(tried, reply.retry_after_s))

    def _spared(self, line: Line, on_top: int) -> bool:
        """Tell whether a call that has had its tries gets another: its provider has just gone down."""
        return line.pace.breaker.open and on_top < _OUTAGE_TRIES

    def go_on(self) -> None:
        """Check that the run is not to stop.

        Raises:
            RunStoppedError: It is.
        """
        if self._halt.wanted and self.halted is None:
            problem, fix = "it was asked to stop", "Run again: it goes on where it stopped."
            self.halted = RunStoppedError(problem, fix)
        if self.halted is not None:
            raise self.halted

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds, or until the run is to stop."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._halt.wanted:
            await asyncio.sleep(min(left, _LOOK_S))

    def _judge_failure(self, line: Line, model: str, error: BackendError, begun: float) -> None:
        """Tell an outage from a request that nobody could have answered.

        Raises:
            RunStoppedError: Every other call would fail as well.
        """
        fix = "Run again once that is mended: it goes on where it stopped."
        if error.denied:
            self.halted = RunStoppedError(f"{error.backend!r} refuses access: {error.problem}", fix)
            raise self.halted
        if not error.retryable:
            line.pace.breaker.succeeded()
            self._refused[line.provider, model] += not error.blocked
            if (line.provider, model) in self._answering or self._refused[line.provider, model] < _HOPELESS:
                return
            problem = f"{error.backend!r} has refused {_HOPELESS} requests to {model!r} and answered none"
            self.halted = RunStoppedError(f"{problem}; the last error: {error.problem}", fix)
            raise self.halted
        if (error.retry_after_s or 0.0) > line.pace.patience_s:
            problem = f"{error.backend!r} wants to be asked again in {error.retry_after_s:,.0f} seconds"
            self.halted = RunStoppedError(f"{problem} ({error.problem})", "Run again then: it goes on.")
            raise self.halted
        was_open = line.pace.breaker.open
        down_s = line.pace.breaker.failed(begun, error.retry_after_s)
        if line.pace.breaker.open and not was_open:
            text = "%s seems to be down (%s): calls wait, and one at a time tries again"
            logger.warning(text, line.name, error.problem)
        if down_s is not None:
            minutes = f"{down_s / 60:.0f} minutes"
            problem = f"no call to {error.backend!r} has succeeded for {minutes} ({error.problem})"
            self.halted = RunStoppedError(problem, fix)
            raise self.halted

    def _worst_nano(self, line: Line, request: Request) -> int:
        """Return the most that the call can cost.

        Raises:
            BackendError: It is too long for the price that is known; that tells nothing of its provider.
        """
        try:
            return 0 if line.free else self._pricing.worst_nano(request)
        except PriceStepError as error:
            raise BackendError(line.name, str(error)) from error

    async def _once(self, line: Line, request: Request, call: Call, worst_nano: int) -> Answer | BackendError:
        """Make the call once; however it ends, the journal knows."""
        attempt = await self._purse.reserve(call, worst_nano, self.go_on)
        self.made += 1
        ended = False
        try:
            result = await ask_backend(line, request)
            if isinstance(result, Answer):
                if not line.free:
                    result = self._pricing.billed(request.model, result)
                self._journal.settle(attempt, worst_nano, call, result, free=line.free)
            else:
                self._fail(line, attempt, worst_nano, result, request.model)
            ended = True
        finally:
            if not ended:
                # Cancelled, or a plugin's bug: the provider may have answered all the same.
                self._journal.fail(attempt, worst_nano, "broken off", unknown=not line.free)
            self._purse.changed()
        self._check_cap(line, request.model, result, worst_nano)
        return result

    def _check_cap(self, line: Line, model: str, result: Answer | BackendError, worst_nano: int) -> None:
        """See to it that a bounded run ends where a provider does not keep the cap that it was given.

        The next call raises: this one's answer is paid for, and kept.
        """
        usage = result.usage
        cost = None if usage is None or line.free else usage.cost_usd
        if self._purse.bounded and worst_nano and cost is not None and to_nano(cost) > worst_nano:
            most = f"{from_nano(worst_nano):f} USD"
            problem = f"a call to {model!r} cost {cost:f} USD, more than the {most} that its cap allows"
            fix = "The budget cannot hold so: raise max_output_tokens, or the price, or leave the budget out."
            self.halted = self.halted or RunStoppedError(problem, fix)

    def _fail(self, line: Line, attempt: int, worst_nano: int, error: BackendError, model: str) -> None:
        usage = error.usage
        if line.free:
            self._journal.fail(attempt, 0, error.problem)
            return
        if usage is not None:
            usage = attrs.evolve(usage, cost_usd=self._pricing.cost_usd(model, usage))
        # What was counted in part may have cost anything up to the cap.
        uncounted = usage is not None and usage.cost_usd is None and worst_nano > 0
        unknown = uncounted or (error.may_cost and usage is None)
        self._journal.fail(attempt, worst_nano, error.problem, unknown=unknown, usage=usage)

    def _keep_prompt(self, system: str, version: str) -> str:
        """Store an instruction once, and return its hash."""
        text = f"{version}\n{system}" if version else system
        if not text:
            return ""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        if digest not in self._prompts:
            self._journal.keep_prompt(digest, text)
            self._prompts.add(digest)
        return digest
