"""What a call is expected to cost, before it is made."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import attrs

from routesdk.catalogue import Catalogue
from routesdk.types import Query

CHARACTERS_PER_TOKEN = 4
"""English text averages about four characters a token.

Source: OpenAI, "What are tokens and how to count them?" (help centre, read 2026-11-23).
"""

OUTPUT_TOKENS = 256
"""Tokens assumed for an answer: a paragraph. Real usage is settled after the call."""

# The ambient context would round, or follow whatever the application has set there.
_WIDE = Context(prec=60)


@attrs.frozen(kw_only=True)
class _Rate:
    per_input_token_usd: Decimal | None
    per_answer_usd: Decimal
    note: str
    context_tokens: int | None
    price_up_to_tokens: int | None


@attrs.frozen
class CostEstimator:
    """Estimates the cost of a call from the query's length and the catalogue.

    Attributes:
        catalogue: Prices and context lengths.
    """

    catalogue: Catalogue
    _rates: dict[str, _Rate] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def estimate(self, query: Query, model: str) -> tuple[Decimal | None, str, str]:
        """Return US dollars or None, how they were estimated, and a warning where the query looks too long.

        Args:
            query: What would be sent.
            model: The model that would be called.
        """
        rate = self._rates.get(model) or self._rate(model)
        characters = len(query.text)
        if query.messages:
            characters = sum(len(message.content) for message in query.messages)
        tokens = -(-characters // CHARACTERS_PER_TOKEN)
        warning = ""
        if rate.context_tokens is not None and tokens > rate.context_tokens:
            warning = f"about {tokens:,} tokens, and {model} reads {rate.context_tokens:,}"
        if rate.per_input_token_usd is None:
            return None, rate.note, warning
        if rate.price_up_to_tokens is not None and tokens > rate.price_up_to_tokens:
            note = f"the price of {model} is known for prompts of up to {rate.price_up_to_tokens:,} tokens"
            return None, note, warning
        return _WIDE.fma(tokens, rate.per_input_token_usd, rate.per_answer_usd), rate.note, warning

    def _rate(self, model: str) -> _Rate:
        info = self.catalogue.get(model)
        price = info.price if info is not None else None
        context_tokens = info.context_tokens if info is not None else None
        if price is None:
            note = f"no price is known for {model}"
            rate = _Rate(
                per_input_token_usd=None,
                per_answer_usd=Decimal(0),
                note=note,
                context_tokens=context_tokens,
                price_up_to_tokens=None,
            )
        else:
            with localcontext(_WIDE):
                per_token_usd, per_answer_usd = price.cost_usd(1, 0), price.cost_usd(0, OUTPUT_TOKENS)
            rate = _Rate(
                per_input_token_usd=per_token_usd,
                per_answer_usd=per_answer_usd,
                note=(
                    f"estimated at {CHARACTERS_PER_TOKEN} characters a token and {OUTPUT_TOKENS} output "
                    f"tokens, price of {price.date or 'no date'} ({price.source})"
                ),
                context_tokens=context_tokens,
                price_up_to_tokens=info.price_up_to_tokens if info is not None else None,
            )
        # Two threads may both fill this in, with equal values.
        self._rates[model] = rate
        return rate
