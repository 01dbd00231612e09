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
    """Return what a call can cost at the most in US dollars; None without a price or a cap."""
    info = catalogue.get(request.model)
    if info is None or info.price is None or request.max_output_tokens is None:
        return None
    return info.price.cost_usd(most_input_tokens(request), request.max_output_tokens)


class Payment:
    """Money set aside for one call.

    Args:
        spend: Where money is counted.
        catalogue: What models cost.
        request: The call, with a cap on its answer.
        limit_usd: US dollars that the spend source may come to; None for no limit.

    Raises:
        UnknownPriceError: There is a limit, and the model's price is not known.
        BudgetError: The limit could be exceeded; nothing is set aside.
    """

    def __init__(
        self, spend: SpendSource, catalogue: Catalogue, request: Request, limit_usd: Decimal | None
    ) -> None:
        if limit_usd is not None:
            catalogue.price(request.model)
        self._spend = spend
        self._catalogue = catalogue
        self._model = request.model
        self._worst_usd = worst_case_usd(catalogue, request)
        # Without a price nothing is set aside; what the backend says that it cost is settled all the same.
        aside = Decimal(0) if self._worst_usd is None else self._worst_usd
        self._reservation: Reservation | None = spend.reserve(aside, limit=limit_usd)

    @property
    def open(self) -> bool:
        """Whether the money is still set aside."""
        return self._reservation is not None

    def settle(self, usage: Usage | None, *, may_cost: bool = True) -> Decimal | None:
        """Settle what the call cost; the first time counts, and others do nothing.

        What nobody counted, and what may have been billed although no answer
        arrived, is settled at the worst case: a count of money may be too
        high, and never too low.

        Args:
            usage: What was used, as the provider counted it; None where it said nothing.
            may_cost: Whether the provider may bill the call.

        Returns:
            US dollars; None where the price is not known.

        Raises:
            BudgetError: The spend source cannot be written; the money stays set aside.
        """
        known_usd = self.known_usd(usage)
        cost_usd = known_usd if known_usd is not None else self._worst_usd if may_cost else Decimal(0)
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            self._spend.settle(reservation, Decimal(0) if cost_usd is None else cost_usd)
        return cost_usd

    def known_usd(self, usage: Usage | None) -> Decimal | None:
        """Return what was used in US dollars: as the provider says, else by its tokens; None if unknown."""
        if usage is None or usage.cost_usd is not None:
            return None if usage is None else usage.cost_usd
        if self._worst_usd is None or usage.input_tokens is None or usage.output_tokens is None:
            return None
        return self._catalogue.cost_usd(self._model, usage)
