"""Whether to route, in plain sentences, by rules that are written down."""

from __future__ import annotations

import math

import attrs

from routesdk.metrics import Interval
from routesdk.pipeline.evaluation.case import Case
from routesdk.pipeline.evaluation.figures import BEST_SINGLE, Advice, Verdict
from routesdk.pipeline.evaluation.pricing import UNKNOWN
from routesdk.pipeline.evaluation.wording import percent, points
from routesdk.pipeline.payoff.figures import ORACLE, PROMPT_LENGTH, RANDOM
from routesdk.pipeline.payoff.verdict import FEWEST_ROWS, GAP, MARGIN, MOST_UNDEFINED

WORTH = 0.01
"""Accuracy that is worth telling apart: rows that cannot exclude a gain as large are too few to say no."""


_SHARE_OFF = 0.1
"""A share of calls further off than this from what was meant is worth a sentence."""


def find_verdict(case: Case) -> Verdict:
    """Say whether to route, and why. "Surely" means that the 95 % interval excludes the contrary.

    The rules, in their order: too few rows; a router that tells no query from another; no gap
    between the models, or one in doubt; a ranking that is not surely better than chance, or is
    surely worse than prompt length; calls that cost as much as the dearest tier alone; one tier that
    is surely more accurate and costs no more; an operating point that buys nothing over the
    cheapest tier, or over a middle one that costs no more; else route.
    """
    for rule in (_too_few, _constant, _gap, _ranking, _length, _money, _dominated, _operating):
        found = rule(case)
        if found is not None:
            return attrs.evolve(found, sentences=(*found.sentences, *_remarks(case)))
    ranked = case.router.apgr
    why = "" if ranked is None else f", and its APGR of {_text(ranked)} is surely better than random (0.500)"
    gained = case.cheap.ahead
    text = (
        f"Route: at its operating point it is surely more accurate than always {case.tiers[0].name}, "
        f"by {_points(gained)}{why}."
    )
    return Verdict(advice=Advice.ROUTE, sentences=(text, *_remarks(case)))


def _too_few(case: Case) -> Verdict | None:
    if case.rows >= FEWEST_ROWS:
        return None
    count = "1 row" if case.rows == 1 else f"{case.rows} rows"
    return _unsure(
        f"{count} of the {FEWEST_ROWS} that an interval needs at least; some hundreds tell routers apart."
    )


def _constant(case: Case) -> Verdict | None:
    if not case.constant:
        return None
    return _no(
        "it expects the same gain from escalating for every row, and so tells no query from another. "
        f"Call {case.tiers[0].name} or {case.tiers[-1].name} for all."
    )


def _gap(case: Case) -> Verdict | None:
    """Judge a router where the dearest model is no better: only telling who is right can pay then."""
    if (
        case.router.apgr is not None
        and case.router.apgr.undefined <= MOST_UNDEFINED * case.router.apgr.resamples
    ):
        return None
    by = f"{case.tiers[-1].model} minus {case.tiers[0].model} is {_points(case.gap)}"
    best = case.others[BEST_SINGLE].ahead
    if best is not None and best.low > 0:
        return Verdict(
            advice=Advice.ROUTE,
            sentences=(
                f"Route: the dearest model is not surely the better one ({by}), and the router is surely "
                f"more accurate than either alone, by {_points(best)}: it tells which of them is right.",
            ),
        )
    if case.gap.high >= GAP:
        return _unsure(f"the gap to recover is itself in doubt, in accuracy {by}.")
    middle = max(case.tiers, key=lambda tier: case.always(tier).accuracy.value)
    if middle not in (case.tiers[0], case.tiers[-1]):
        return _no(
            f"there is no gap to recover: in accuracy {by}. Of single models, always {middle.name} "
            f"({middle.model}) is the most accurate here, at {_share(case.always(middle).accuracy)}."
        )
    return _no(
        f"there is no gap to recover: in accuracy {by}. Always {case.tiers[0].name} is as good at the "
        "lowest price."
    )


def _ranking(case: Case) -> Verdict | None:
    ranked = case.router.apgr
    if ranked is None or ranked.low > 0.5:
        return None
    found = f"its APGR is {_text(ranked)}, and a random ranking has 0.500"
    if ranked.high > 0.5 + MARGIN:
        return _unsure(f"{found}. {_more_rows(case, ranked, 0.5, MARGIN)}")
    return _no(f"it is not surely better than random: {found}.")


def _length(case: Case) -> Verdict | None:
    length = case.others[PROMPT_LENGTH]
    if length.apgr_ahead is None or length.apgr_ahead.high >= 0:
        return None
    return _no(
        f"prompt length, which needs no model, ranks surely better (APGR {_text(length.apgr)}, and it has "
        f"{_text(case.router.apgr)}). Route by that, or train on more rows like these."
    )


def _money(case: Case) -> Verdict | None:
    saved = case.cost.saved
    if saved is None or saved.high > 0:
        return None
    return _no(
        f"its calls cost no less than always {case.tiers[-1].name} ({_saved(saved, 1)}, {case.cost.basis})."
    )


def _dominated(case: Case) -> Verdict | None:
    """Judge a router beside which one model does more for no more money."""
    for tier in case.tiers:
        line = case.always(tier)
        if line.ahead is not None and line.ahead.high < 0 and case.costs_no_more(tier):
            return _no(
                f"always {tier.name} ({tier.model}) is surely more accurate, the router being behind by "
                f"{_points(line.ahead)}, and costs no more."
            )
    return None


def _operating(case: Case) -> Verdict | None:
    """Judge what is obtained at the operating point, where the ranking itself is sound."""
    share, (cheap, dear) = case.router.large_share, (case.tiers[0].name, case.tiers[-1].name)
    move = "Its ranking is sound: move the operating point, by `large_share` or `routesdk calibrate`."
    if share in (0.0, 1.0) and len(case.tiers) == 2:
        always = dear if share else cheap
        return _no(f"as it stands it calls {always} for every query. {move}")
    for tier in case.tiers[:-1]:
        gained = case.always(tier).ahead
        # A middle tier may be as good for less than the calls of the router, and then is the one to beat.
        rival = tier is case.tiers[0] or case.costs_no_more(tier)
        if not rival or gained is None or gained.low > 0:
            continue
        which = "" if tier is case.tiers[0] else f" ({tier.model}), which costs no more,"
        found = f"against always {tier.name}{which} it gains {_points(gained)} at its operating point"
        if gained.high >= WORTH:
            return _unsure(f"{found}. {_more_rows(case, gained, 0.0, 2 * WORTH)}")
        return _no(f"{found}, which is nothing worth paying for. {move}")
    return None


def _remarks(case: Case) -> list[str]:
    """Add what holds whatever the advice: what is obtained and saved, and what simple rules do."""
    cheap, dear = case.tiers[0].name, case.tiers[-1].name
    found = [
        f"It sends {percent(case.router.large_share)} of the calls to {dear} and has accuracy "
        f"{_share(case.router.accuracy)}, where {_always(case)}, and the oracle "
        f"{_share(case.others[ORACLE].accuracy)}."
    ]
    meant = case.meant_share
    # With more than two tiers, it is the share of calls that leave the cheapest one.
    off = 0.0 if meant is None else abs(meant - (1.0 - case.router.tier_shares[0]))
    # Where the ranking is not sound, no other operating point helps.
    sound = case.router.apgr is not None and case.router.apgr.low > 0.5
    if meant is not None and off > _SHARE_OFF and sound and case.rows >= FEWEST_ROWS:
        found.append(
            f"It was meant to send {percent(meant)} of the training mix up from {cheap}, and sends "
            f"{percent(1.0 - case.router.tier_shares[0])} of these: another mix, so `routesdk calibrate` may "
            "be worth it."
        )
    if case.cost.saved is not None and case.dear.ahead is not None:
        found.append(
            f"Against always {dear} it {_saved(case.cost.saved)} ({case.cost.basis}), at "
            f"{_points(case.dear.ahead)}."
        )
    if case.cost.basis == UNKNOWN:
        found.append(f"What it saves in money is unknown: {case.cost.note}.")
    if case.rows >= FEWEST_ROWS and not case.constant:
        found += [*_unpriced(case), *_against_simple(case)]
    if case.shift.shifted:
        found.append(case.shift.note)
    return found


def _always(case: Case) -> str:
    """Say what every tier alone obtains, such as `always medium has 7.9 %, always large 28.1 %`."""
    texts = [f"always {tier.name} {_share(case.always(tier).accuracy)}" for tier in case.tiers[1:]]
    return ", ".join((f"always {case.tiers[0].name} has {_share(case.cheap.accuracy)}", *texts))


def _unpriced(case: Case) -> list[str]:
    """Name middle tiers that may do as well, where no price says whether they cost less."""
    if case.router.cost_usd is not None:
        return []
    ahead = ((tier, case.always(tier).ahead) for tier in case.tiers[1:-1])
    return [
        f"It is not surely more accurate than always {tier.name} ({tier.model}), by {_points(each)}, and "
        "without prices nothing says which costs less."
        for tier, each in ahead
        if each is not None and each.low <= 0
    ]


def _against_simple(case: Case) -> list[str]:
    """Say how it stands against what needs no training."""
    found = []
    chance, length = case.others[RANDOM], case.others[PROMPT_LENGTH]
    if chance.ahead is not None:
        sure = "surely more accurate" if chance.ahead.low > 0 else "not surely more accurate"
        sure = "surely less accurate" if chance.ahead.high < 0 else sure
        found.append(f"It is {sure} than as many calls of each tier at random, by {_points(chance.ahead)}.")
    ahead = length.apgr_ahead
    if ahead is not None and ahead.low <= 0 <= ahead.high:
        found.append(
            "It ranks no better, as far as these rows tell, than prompt length, which needs no model "
            f"(APGR {_text(length.apgr)}; difference {_text(ahead, signed=True)})."
        )
    elif length.ahead is not None and length.ahead.low <= 0:
        does = "surely does better" if length.ahead.high < 0 else "does as well, as far as these rows tell"
        found.append(
            f"With as many calls of each tier, prompt length {does}: the router is ahead by "
            f"{_points(length.ahead)} at its operating point."
        )
    return found


def _unsure(why: str) -> Verdict:
    return Verdict(advice=Advice.NOT_ENOUGH_DATA, sentences=(f"Not enough data to say: {why}",))


def _no(why: str) -> Verdict:
    return Verdict(advice=Advice.DO_NOT_ROUTE, sentences=(f"Do not route: {why}",))


def _more_rows(case: Case, interval: Interval, other: float, margin: float) -> str:
    """Estimate how many rows would tell: the width of an interval falls with the root of the rows."""
    half = (interval.high - interval.low) / 2
    target = max(abs(interval.value - other), margin / 2)
    needed = case.rows * max(half / target, 1.0) ** 2 * 1.1
    step = 10 ** max(int(math.log10(needed)) - 1, 0)
    return f"About {math.ceil(needed / step) * step:,} rows would do, if the figures stay as they are."


def _text(interval: Interval | None, *, signed: bool = False) -> str:
    if interval is None:
        return "-"
    sign = "+" if signed else ""
    return f"{interval.value:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def _saved(interval: Interval, digits: int = 0) -> str:
    """Say what is saved of a cost, or how much more is paid."""
    if interval.value < 0:
        return f"costs {percent(-interval.value, digits)} more"
    return f"saves {percent(interval.value, digits)} of the cost"


def _share(interval: Interval) -> str:
    """Write an accuracy as tables do."""
    return percent(interval.value, 1)


def _points(interval: Interval | None) -> str:
    """Write a difference in accuracy in percentage points, with its interval."""
    if interval is None:
        return "-"
    return f"{points(interval.value)} points [{points(interval.low)}, {points(interval.high)}]"
