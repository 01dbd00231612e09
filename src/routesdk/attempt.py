"""The calls that a decision leads to: the chosen model first, then the fallbacks, each paid for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import attrs

from routesdk.errors import BackendError
from routesdk.estimate import CostEstimator
from routesdk.host import attempt
from routesdk.payment import Payment
from routesdk.terms import Fallback, Terms
from routesdk.types import Answer, Decision, Query, Request, RouteContext, Stage, TraceStep, Usage

if TYPE_CHECKING:
    from routesdk.protocols import Backend
    from routesdk.router import Router

T = TypeVar("T")


def is_free(backend: Backend) -> bool:
    """Tell whether a backend says that its calls cost nobody anything."""
    return bool(getattr(backend, "free", False))


FALLBACK = "fallback"
"""What a trace calls the source of a model that was asked in another one's place."""


class Call:
    """One call under way: its money is settled once, and observers hear of whatever cost something."""

    def __init__(self, attempts: Attempts, backend: Backend, name: str, request: Request) -> None:
        self.backend = backend
        self.request = request
        self._attempts = attempts
        self._name = name
        self._payment = attempts.pay(request, free=is_free(backend))
        self._began_s = time.monotonic()
        self._left_s = request.timeout_s

    async def within(self, answer: Awaitable[T]) -> T:
        """Wait for the backend, but no longer than the call's deadline.

        What a reader of a stream takes between two pieces is not counted.

        Raises:
            BackendError: The deadline passed.
        """
        asked_s = time.monotonic()
        try:
            async with asyncio.timeout(self._left_s):
                return await answer
        except TimeoutError as error:
            problem = f"{self.request.model} gave no whole answer within {self.request.timeout_s:g} s"
            raise BackendError(self._name, problem, retryable=True, may_cost=True) from error
        finally:
            self._left_s -= time.monotonic() - asked_s

    def broken_off(self) -> BackendError:
        """Return the error of a stream that ended before its last piece, the one with the usage."""
        problem = f"the answer of {self.request.model} ended before its usage came"
        return BackendError(self._name, problem, retryable=True, may_cost=True)

    def finish(self, answer: Answer) -> Answer:
        """Settle what an answer cost, tell the observers, and return it with its cost."""
        known_usd = self._payment.known_usd(answer.usage)
        settled_usd = self._settle(answer.usage)
        if known_usd is None and settled_usd is not None:
            self._attempts.note(f"the tokens were not counted: at the most {settled_usd:f} USD were settled")
        answer = attrs.evolve(answer, usage=self._timed(answer.usage, known_usd))
        self._attempts.tell(answer)
        return answer

    def fail(self, error: BackendError, text: str = "") -> None:
        """Settle a call that gave no answer; observers hear of it if it may have cost something."""
        may_cost = error.may_cost or bool(text)
        if may_cost or error.usage is not None:
            self._break_off("failed", text, error.usage, may_cost=may_cost)
        elif self._payment.open:
            self._settle(None, may_cost=False)

    def abandon(self, text: str = "") -> None:
        """Settle a call that nobody waits for any longer; does nothing where it is settled already."""
        self._break_off("cancelled", text, None)

    def _break_off(self, reason: str, text: str, usage: Usage | None, *, may_cost: bool = True) -> None:
        if not self._payment.open:
            return
        cost_usd = self._settle(usage, may_cost=may_cost)
        used = self._timed(usage or Usage(), cost_usd)
        self._attempts.tell(Answer(text=text, model=self.request.model, usage=used, finish_reason=reason))

    def _settle(self, usage: Usage | None, *, may_cost: bool = True) -> Decimal | None:
        """Settle; where the spend source fails, say so: a paid answer must not be lost over it."""
        cost_usd = self._payment.cost_usd(usage, may_cost=may_cost)
        _, error = attempt(self._payment.settle, cost_usd)
        if error is not None:
            self._attempts.note(f"the cost was not settled, and stays set aside as reserved: {error}")
        return cost_usd

    def _timed(self, usage: Usage, cost_usd: Decimal | None) -> Usage:
        took_s = time.monotonic() - self._began_s if usage.latency_s is None else usage.latency_s
        return attrs.evolve(usage, cost_usd=cost_usd, latency_s=took_s)


class Attempts:
    """The calls that one question may lead to.

    Args:
        router: The router that decided.
        query: What was asked.
        decision: What it decided.
        terms: The terms of the answer.

    Raises:
        ConfigError: No backend reaches the model, or a fallback.
        UnknownPriceError: Money is bounded, and the price of one of them is not known.
        MissingExtraError: A backend had to be built, to learn whether it is free, and needs a package.
    """

    def __init__(self, router: Router, query: Query, decision: Decision, terms: Terms) -> None:
        self.decision = decision
        self._router = router
        self._query = query
        self._terms = terms
        self._fallback: Fallback = router.fallback if terms.fallback is None else terms.fallback
        self._waiting = [model for model in self._fallback.models if model != decision.model]
        limits = (terms.max_usd, router.mapping.budget_usd)
        self._limit_usd = min((limit for limit in limits if limit is not None), default=None)
        # What is missing comes to light before anything is paid for.
        for model in (decision.model, *self._waiting):
            way, catalogue = router.backends.to(model), router.mapping.catalogue
            if self._limit_usd is not None and not catalogue.is_priced(model) and not is_free(way.backend()):
                catalogue.price(model)

    async def open(self) -> Call:
        """Set the money for the next call aside.

        Raises:
            BudgetError: The call could exceed the budget.
            MissingExtraError: The backend needs a package that is not installed.
        """
        way = self._router.backends.to(self.decision.model)
        # A backend's package may take a second to load; nothing is set aside before it is there.
        backend = way.built
        if backend is None:
            backend = await asyncio.to_thread(way.backend)
        terms = self._terms
        request = Request(
            query=self._query,
            model=self.decision.model,
            system=terms.system,
            max_output_tokens=terms.max_output_tokens,
            temperature=terms.temperature,
            thinking_tokens=terms.thinking_tokens,
            timeout_s=terms.timeout_s,
        )
        return Call(self, backend, way.name, request)

    def pay(self, request: Request, *, free: bool) -> Payment:
        """Set money aside for a call."""
        # On the spot, not in a thread: a wait that is cancelled could leave money aside that nobody settles.
        router = self._router
        return Payment(router.spend, router.mapping.catalogue, request, self._limit_usd, free=free)

    def fall_back(self, error: BackendError) -> bool:
        """Move the decision to the next fallback that no constraint refuses; tell whether there is one."""
        if not self._fallback.covers(error):
            return False
        failed, mapping = self.decision.model, self._router.mapping
        while self._waiting:
            model = self._waiting.pop(0)
            asked = mapping.refusals(self._context(), model) if mapping.rules else ()
            self.decision = attrs.evolve(self.decision, trace=(*self.decision.trace, *asked))
            if any(step.stage is Stage.CONSTRAINT for step in asked):
                continue
            step = TraceStep(Stage.FALLBACK, FALLBACK, model, model, f"{failed} gave no answer: {error}")
            cost_usd, cost_note, too_long = CostEstimator(mapping.catalogue).estimate(self._query, model)
            self.decision = attrs.evolve(
                self.decision,
                model=model,
                trace=(*self.decision.trace, step),
                estimated_cost_usd=cost_usd,
                cost_note=cost_note,
            )
            if too_long:
                self.note(too_long)
            return True
        return False

    def note(self, notice: str) -> None:
        """Add a notice to the decision."""
        self.decision = attrs.evolve(self.decision, notices=(*self.decision.notices, notice))

    def tell(self, answer: Answer) -> None:
        """Tell the observers of an answer; what they raise fails nothing."""
        self._router.host.answered(self.decision, self._query, answer, self._router.observers)

    def _context(self) -> RouteContext:
        mapping, decision = self._router.mapping, self.decision
        return RouteContext(
            query=self._query,
            prediction=decision.prediction,
            policy=decision.policy,
            default_model=decision.model,
            models=tuple(tier.model for tier in mapping.tiers),
            catalogue=mapping.catalogue,
            spend=self._router.spend.snapshot(),
        )
