"""What a call may cost at the most, and whether the budget has room for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import attrs

from routesdk.catalogue import Catalogue
from routesdk.errors import BudgetError, RunStoppedError
from routesdk.journal import Call, Journal
from routesdk.payment import billed_usd, most_input_tokens, worst_case_usd
from routesdk.types import EXACT, Answer, Request, Usage, from_nano, to_nano


@attrs.frozen(kw_only=True)
class Pricing:
    """How calls are priced.

    Attributes:
        catalogue: Prices.
        count_only_tokens: Whether a model without a price may be called, its cost left open.
    """

    catalogue: Catalogue
    count_only_tokens: bool = False

    def check(self, model: str) -> None:
        """Check, before anything is paid, that a model's calls can be priced.

        Raises:
            UnknownPriceError: They cannot, and the config does not say to count only tokens.
        """
        if not self.count_only_tokens:
            self.catalogue.price(model)

    def worst_nano(self, request: Request, more_tokens: int = 0) -> int:
        """Return the most that a request can cost, in nano-dollars; 0 where only tokens are counted.

        Args:
            request: The request.
            more_tokens: Tokens of its prompt that are not in it yet.

        Raises:
            BudgetError: The request sets no cap on the answer.
            PriceStepError: The price is known for shorter prompts alone.
        """
        if self.count_only_tokens and not self.catalogue.is_priced(request.model, most_input_tokens(request)):
            return 0
        self.catalogue.check_price(request.model, most_input_tokens(request))
        worst = worst_case_usd(self.catalogue, request)
        if worst is None:
            raise BudgetError(
                f"A request to {request.model!r} has no cap on its output, so its worst case is not known",
                "Set max_output_tokens.",
            )
        more = self.catalogue.price(request.model).cost_usd(more_tokens, 0)
        return to_nano(EXACT.add(worst, more))

    def cost_usd(self, model: str, usage: Usage) -> Decimal | None:
        """Return what a call cost in US dollars, or None; see `billed_usd`."""
        return billed_usd(self.catalogue, model, usage)

    def expected_usd(self, model: str, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return what the tokens of many calls cost in US dollars; None without a price."""
        if not self.catalogue.is_priced(model):
            return None
        return self.catalogue.price(model).cost_usd(input_tokens, output_tokens)

    def billed(self, model: str, answer: Answer) -> Answer:
        """Return an answer with its cost."""
        cost = self.cost_usd(model, answer.usage)
        return attrs.evolve(answer, usage=attrs.evolve(answer.usage, cost_usd=cost))


class Purse:
    """Reserves money for calls, and holds them back until there is some.

    Args:
        journal: Where the money is counted.
        max_nano: The budget in nano-dollars; None for none.
    """

    def __init__(self, journal: Journal, max_nano: int | None) -> None:
        self._journal = journal
        self._max_nano = max_nano
        self._changed = asyncio.Event()

    @property
    def bounded(self) -> bool:
        """Whether there is a budget."""
        return self._max_nano is not None

    async def reserve(self, call: Call, worst_nano: int, go_on: Callable[[], None]) -> int:
        """Reserve the worst case of a call; wait where calls under way may leave room for it.

        Args:
            call: The call.
            worst_nano: Nano-dollars; a call that costs nothing needs no room.
            go_on: Raises where the run is to stop; asked again after every wait.

        Returns:
            The attempt's number in the journal.

        Raises:
            RunStoppedError: The budget has no room, and no call under way can make any.
        """
        while worst_nano and self._max_nano is not None and self._lacks(worst_nano, self._max_nano):
            if self._journal.ledger.open_nano == 0:
                raise self._used_up(worst_nano)
            # Whoever ends a call wakes everybody who waits, and each looks again.
            await self._changed.wait()
            go_on()
        return self._journal.reserve(call, worst_nano)

    def _lacks(self, worst_nano: int, max_nano: int) -> bool:
        return self._journal.ledger.total_nano + worst_nano > max_nano

    def changed(self) -> None:
        """Wake those who wait for money, after a call has ended."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _used_up(self, worst_nano: int) -> RunStoppedError:
        assert self._max_nano is not None
        problem = (
            f"the next call may cost {from_nano(worst_nano):f} USD,"
            f" and the budget of {from_nano(self._max_nano):f} USD has no room for it"
        )
        fix = "Raise --max-usd, and run again: nothing is paid twice."
        return RunStoppedError(problem, fix)
