"""What each recorded call cost: from its own tokens, else estimated from texts, and how that was done."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs
import numpy as np

from routesdk.catalogue import Catalogue
from routesdk.errors import PriceStepError
from routesdk.estimate import CHARACTERS_PER_TOKEN, OUTPUT_TOKENS
from routesdk.pipeline.payoff.sampling import Floats
from routesdk.types import Example, Outcome, Query, Tier, Usage

RECORDED, ESTIMATED, UNKNOWN = "recorded", "estimated", "unknown"


@attrs.frozen(kw_only=True, eq=False)
class Costs:
    """What every tier's call would have cost on every row.

    Attributes:
        usd: US dollars, a tuple a row with one amount a tier; empty where prices are unknown.
        basis: `recorded`, `estimated` or `unknown`.
        note: How the amounts came about, or why there are none.
    """

    usd: tuple[tuple[Decimal, ...], ...]
    basis: str
    note: str

    def table(self) -> Floats | None:
        """Return the amounts as floats, (rows, tiers), for statistics; None where there are none."""
        return np.array(self.usd, dtype=np.float64) if self.usd else None


@attrs.frozen
class _Call:
    """What one call cost, and where that is known from."""

    usd: Decimal | None
    recorded: bool = False
    answer_known: bool = False
    problem: str = ""


def price_rows(rows: Sequence[Example], tiers: Sequence[Tier], catalogue: Catalogue) -> Costs:
    """Price the calls of every tier on every row.

    A cost that was recorded stands; recorded tokens are priced by the catalogue; else tokens are
    estimated from the lengths of question and recorded answer. One call without a price leaves all
    of them without: a total that leaves rows out is no total.

    Args:
        rows: Rows with an outcome of every tier's model.
        tiers: The tiers, cheapest first.
        catalogue: Prices.
    """
    priced = [
        [_price(row.query, row.outcomes[tier.model], tier.model, catalogue) for tier in tiers] for row in rows
    ]
    calls = [call for each in priced for call in each]
    problems = list(dict.fromkeys(call.problem for call in calls if call.usd is None))
    if problems:
        fix = 'give one in `[prices."MODEL"]` of routesdk.toml'
        return Costs(usd=(), basis=UNKNOWN, note=f"{'; '.join(problems[:3])}: {fix}")
    usd = tuple(tuple(call.usd for call in each if call.usd is not None) for each in priced)
    estimated = [call for call in calls if not call.recorded]
    if not estimated:
        return Costs(
            usd=usd, basis=RECORDED, note="from the tokens or costs that were recorded with the calls"
        )
    return Costs(usd=usd, basis=ESTIMATED, note=_note(calls, estimated, tiers, catalogue))


def _price(query: Query, outcome: Outcome, model: str, catalogue: Catalogue) -> _Call:
    usage = outcome.usage
    if usage is not None and usage.cost_usd is not None:
        return _Call(usage.cost_usd, recorded=True)
    if not catalogue.is_priced(model):
        return _Call(None, problem=f"no price is known for {model}")
    counted = usage is not None and usage.input_tokens is not None and usage.output_tokens is not None
    used = usage if counted and usage is not None else _estimate(query, outcome)
    try:
        usd = catalogue.cost_usd(model, used)
    except PriceStepError as error:
        return _Call(None, problem=str(error).rstrip("."))
    return _Call(usd, recorded=counted, answer_known=outcome.answer is not None)


def _estimate(query: Query, outcome: Outcome) -> Usage:
    asked = sum(len(turn.content) for turn in query.messages) or len(query.text)
    answered = None if outcome.answer is None else -(-len(outcome.answer) // CHARACTERS_PER_TOKEN)
    return Usage(
        input_tokens=-(-asked // CHARACTERS_PER_TOKEN),
        output_tokens=OUTPUT_TOKENS if answered is None else max(1, answered),
    )


def _note(
    calls: Sequence[_Call], estimated: Sequence[_Call], tiers: Sequence[Tier], catalogue: Catalogue
) -> str:
    """Say how many calls were estimated, by what, and at which prices."""
    some = "" if len(estimated) == len(calls) else f"{len(estimated):,} of {len(calls):,} calls "
    without = sum(not call.answer_known for call in estimated)
    if not without:
        output = "recorded answers' lengths"
    elif without == len(estimated):
        output = f"{OUTPUT_TOKENS} output tokens a call, as no answer was recorded"
    else:
        output = f"recorded answers' lengths, or {OUTPUT_TOKENS} output tokens where there is none"
    prices = "; ".join(_price_text(tier.model, catalogue) for tier in tiers)
    return (
        f"{some}estimated at {CHARACTERS_PER_TOKEN} characters a token from the question and {output}, "
        f"without instructions and thinking; prices: {prices}"
    )


def _price_text(model: str, catalogue: Catalogue) -> str:
    info = catalogue.get(model)
    price = info.price if info is not None else None
    if price is None:
        return f"{model} as recorded"
    return (
        f"{model} {price.input_usd_per_mtok}/{price.output_usd_per_mtok} US dollars per million tokens "
        f"in/out ({price.source}{', ' if price.date else ''}{price.date})"
    )
