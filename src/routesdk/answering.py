"""Answering: a router decides, sets money aside, calls the model, and settles what it cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack, cast

import attrs

from routesdk.errors import ConfigError
from routesdk.pricebook import with_litellm
from routesdk.reach import Way
from routesdk.terms import AnswerOptions, Terms
from routesdk.types import PartConfig, QueryLike

if TYPE_CHECKING:
    from routesdk.attempt import Attempts
    from routesdk.protocols import Backend
    from routesdk.reply import AnswerStream, AsyncAnswerStream, RoutedAnswer
    from routesdk.router import Router


class Answering:
    """What a router does after it has decided.

    Money is set aside in the router's spend source before each call, as much
    as the call can cost at the most, and settled on what was used. A call that
    is cancelled, or breaks off, may have been billed: it is settled on the
    tokens that the provider named, else at the most that it can have cost.
    """

    __slots__ = ()

    def with_backend(self, backend: str | PartConfig | Backend, *models: str, **options: object) -> Router:
        """Return a copy in which these models are reached by this backend; no checkpoint holds it.

        A backend that is named is built when the first call is made.

        Args:
            backend: A backend's name, its `PartConfig`, or a `Backend` object.
            models: The models that it reaches; none named: every model, in
                place of all backends that were given before.
            options: What the named backend's config takes.

        Raises:
            UnknownComponentError: No plugin offers the name.
            ConfigError: The object is no backend, or options were given with an object.
        """
        router = cast("Router", self)
        if options and not isinstance(backend, str):
            raise ConfigError("options", str(options), "belong to a backend's name", "Set them on the part.")
        part = PartConfig(backend, options) if isinstance(backend, str) else backend
        ways = router.backends.with_way(Way.to(part, router.host), models)
        return attrs.evolve(router, backends=ways)

    def answer(self, query: QueryLike, **options: Unpack[AnswerOptions]) -> RoutedAnswer:
        """Decide a query and answer it.

        Args:
            query: A string, a `Query`, or a conversation; all of it is sent.
            options: The terms; see `Terms`.

        Raises:
            RunningLoopError: An event loop runs in this thread; write `await router.aanswer(...)`.
            BackendError: The model gave no answer, nor did a fallback that was asked.
            BudgetError: The call could exceed the budget, or `max_usd`; it was not made.
            UnknownPriceError: Money is bounded, and a model's price is not known.
            PriceStepError: Money is bounded, and the price is known for shorter prompts alone.
            ConfigError: No backend reaches the model, or an option is wrong.
            RouteSDKError: Whatever `Router.route` raises.
        """
        # Whoever only routes loads no event loop.
        from routesdk._loop import refuse_running_loop, run_in_background

        refuse_running_loop("answer", "`await router.aanswer(...)`")
        return run_in_background(self.aanswer(query, **options))

    async def aanswer(self, query: QueryLike, **options: Unpack[AnswerOptions]) -> RoutedAnswer:
        """Decide a query and answer it; see `answer`."""
        from routesdk.reply import whole_answer

        return await whole_answer(await self._attempts(query, options))

    def stream(self, query: QueryLike, **options: Unpack[AnswerOptions]) -> AnswerStream:
        """Decide a query, and answer it piece by piece.

        The call is made when the first piece is asked for. Another model is
        turned to only before the first text was delivered.

        Args:
            query: A string, a `Query`, or a conversation; all of it is sent.
            options: The terms; see `Terms`.

        Returns:
            An iterator of `Chunk`s, with the `decision` at once, and the `answer` at the end.

        Raises:
            RunningLoopError: An event loop runs in this thread; write `await router.astream(...)`.
            RouteSDKError: As for `answer`; what concerns the call is raised by the iterator.
        """
        from routesdk._loop import refuse_running_loop, run_in_background
        from routesdk.reply import AnswerStream

        refuse_running_loop("stream", "`await router.astream(...)`")
        return AnswerStream(run_in_background(self.astream(query, **options)))

    async def astream(self, query: QueryLike, **options: Unpack[AnswerOptions]) -> AsyncAnswerStream:
        """Decide a query, and answer it piece by piece: `async for piece in await router.astream(...)`.

        See `stream`.
        """
        from routesdk.reply import AsyncAnswerStream

        return AsyncAnswerStream(await self._attempts(query, options))

    async def _attempts(self, query: QueryLike, options: AnswerOptions) -> Attempts:
        import asyncio

        terms = Terms(**options)
        cast("Router", self).backends.check_any()
        # In a thread: a large policy model would hold the event loop up, and so would a table of prices.
        return await asyncio.to_thread(self._begin, query, terms)

    def _begin(self, query: QueryLike, terms: Terms) -> Attempts:
        from routesdk.attempt import Attempts

        router = cast("Router", self)._priced(() if terms.fallback is None else terms.fallback.models)
        asked, decision = router._decide_call(query, terms.large_share, terms.operating_point)
        return Attempts(router, asked, decision, terms)

    def _priced(self, models: Iterable[str]) -> Router:
        """Return the router with litellm's prices for what it may ask and has no price for.

        Routing alone does without: the table takes a moment to read.
        """
        router = cast("Router", self)
        mapping = router.mapping
        asked = frozenset((*mapping.known, *router.fallback.models, *models))
        if asked not in router._by_models:
            catalogue = with_litellm(mapping.catalogue, sorted(asked))
            known = catalogue is mapping.catalogue
            priced = (
                None if known else attrs.evolve(router, mapping=attrs.evolve(mapping, catalogue=catalogue))
            )
            # Two threads may both fill this in, with equal values.
            router._by_models[asked] = priced
        return router._by_models[asked] or router
