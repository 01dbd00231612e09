"""The money of one call: set aside before it is made, settled once, whatever becomes of it."""

from __future__ import annotations

import json
from decimal import Decimal

from routesdk.catalogue import Catalogue
from routesdk.estimate import CHARACTERS_PER_TOKEN
from routesdk.protocols import SpendSource
from routesdk.structure import plain
from routesdk.types import Request, Reservation, Usage

TOKENS_PER_TURN = 16
"""Tokens that a chat template puts around a turn, at the most: marks of its beginning, role and end."""


def most_input_tokens(request: Request) -> int:
    """Return how many tokens a prompt can have at the most.

    Tokenizers of language models work on bytes or on longer pieces, so that no
    text has more tokens than it has bytes in UTF-8. A mean of four characters
    a token, as for estimates, would let a budget be exceeded.
    """
    return sum(len(text.encode("utf-8", "surrogatepass")) + TOKENS_PER_TURN for text in sent_texts(request))


def estimate_tokens(request: Request) -> int:
    """Estimate the tokens of a prompt from its characters."""
    return -(-sum(map(len, sent_texts(request))) // CHARACTERS_PER_TOKEN)


def sent_texts(request: Request) -> list[str]:
    """List the texts that a request sends: turns, instruction, and the schema as JSON."""
    texts = [message.content for message in request.query.messages] or [request.query.text]
    if request.system:
        texts.append(request.system)
    if request.response_schema is not None:
        texts.append(json.dumps(plain(request.response_schema)))
    return texts


def worst_case_usd(catalogue: Catalogue, request: Request) -> Decimal | None:
    """Return what a call can cost at the most in US dollars.

    Returns:
        None without a price, without one for a prompt that may be so long, or without a cap.
    """
    most_tokens = most_input_tokens(request)
    if request.max_output_tokens is None or not catalogue.is_priced(request.model, most_tokens):
        return None
    return catalogue.price(request.model).cost_usd(most_tokens, request.max_output_tokens)


def billed_usd(catalogue: Catalogue, model: str, usage: Usage) -> Decimal | None:
    """Return what a call cost in US dollars: as the provider says, or by its tokens, whichever is more.

    A server in between may state nothing, or too little, for what another one bills.

    Returns:
        None where the provider says nothing, and tokens were not counted or have no price.
    """
    stated_usd = usage.cost_usd
    if usage.input_tokens is None or usage.output_tokens is None:
        # That nothing was billed is believed only where no price says otherwise.
        return None if stated_usd == 0 and catalogue.is_priced(model) else stated_usd
    if not catalogue.is_priced(model, usage.input_tokens):
        # The same holds of a prompt beyond the last step of a price that is known.
        return None if stated_usd == 0 and catalogue.is_priced(model) else stated_usd
    by_tokens_usd = catalogue.cost_usd(model, usage)
    return by_tokens_usd if stated_usd is None else max(stated_usd, by_tokens_usd)


class Payment:
    """Money set aside for one call.

    Args:
        spend: Where money is counted.
        catalogue: What models cost.
        request: The call, with a cap on its answer.
        limit_usd: US dollars that the spend source may come to; None for no limit.
        free: Whether the backend's calls cost nobody anything.

    Raises:
        UnknownPriceError: There is a limit, and the model's price is not known.
        PriceStepError: There is a limit, and the price is known for shorter prompts alone.
        BudgetError: The limit could be exceeded; nothing is set aside.
    """

    def __init__(
        self,
        spend: SpendSource,
        catalogue: Catalogue,
        request: Request,
        limit_usd: Decimal | None,
        *,
        free: bool = False,
    ) -> None:
        if limit_usd is not None and not free:
            catalogue.check_price(request.model, most_input_tokens(request))
        self._spend = spend
        self._catalogue = catalogue
        self._model = request.model
        self._free = free
        self._worst_usd = Decimal(0) if free else worst_case_usd(catalogue, request)
        # Without a price nothing is set aside; what the backend says that it cost is settled all the same.
        aside = Decimal(0) if self._worst_usd is None else self._worst_usd
        self._reservation: Reservation | None = spend.reserve(aside, limit=limit_usd)

    @property
    def open(self) -> bool:
        """Whether the money is still set aside."""
        return self._reservation is not None

    def cost_usd(self, usage: Usage | None, *, may_cost: bool = True) -> Decimal | None:
        """Return what to settle.

        What nobody counted, and what may have been billed although no answer
        arrived, is settled at the worst case: a count of money may be too
        high, and never too low.

        Args:
            usage: What was used, as the provider counted it; None where it said nothing.
            may_cost: Whether the provider may bill the call.

        Returns:
            US dollars; None where the price is not known.
        """
        known_usd = self.known_usd(usage)
        return known_usd if known_usd is not None else self._worst_usd if may_cost else Decimal(0)

    def settle(self, cost_usd: Decimal | None) -> None:
        """Settle what the call cost; the first time counts, and others do nothing.

        Args:
            cost_usd: US dollars; None, where the price is not known, counts as nothing.

        Raises:
            BudgetError: The spend source cannot be written; the money stays set aside.
        """
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            self._spend.settle(reservation, Decimal(0) if cost_usd is None else cost_usd)

    def known_usd(self, usage: Usage | None) -> Decimal | None:
        """Return what was used in US dollars; None if unknown. See `billed_usd`."""
        if self._free:
            return Decimal(0)
        return None if usage is None else billed_usd(self._catalogue, self._model, usage)
