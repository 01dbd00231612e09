"""Which router to ship, in plain sentences, by rules that are written down."""

from __future__ import annotations

import enum
import math
import re

import attrs

from routesdk.metrics import Interval
from routesdk.metrics._input import SMALLEST_GAP
from routesdk.pipeline.payoff.figures import ACCURACY, APGR, PROMPT_LENGTH, Figures, Payoff
from routesdk.pipeline.payoff.wording import interval_text, size_text, time_text

FEWEST_ROWS = 30
"""Below so many rows a bootstrap interval is itself too narrow to be believed."""

MARGIN = 0.1
"""APGR that is worth telling apart: rows that cannot exclude a difference as large are too few."""

GAP = 0.05
"""Accuracy that the dearest model must surely not have over the cheapest for there to be no gap."""

SAME_COST = 1.25
"""Times or sizes within this factor count as the same: the next run may order them otherwise."""

SAME_MS = 1.0
"""So do times within a millisecond: the model that answers takes hundreds of them."""

MOST_UNDEFINED = 0.05
"""Share of resamples without a gap between the models above which the gap itself is in doubt."""

# However the plus sign is spaced.
_AFTER_DPO = re.compile(r"\s*\+\s*DPO$")


class Advice(enum.Enum):
    """What to do."""

    SHIP = "ship"
    DO_NOT_ROUTE = "do not route"
    NOT_ENOUGH_ROWS = "not enough rows to say"
    NO_GAP = "no gap to recover"
    NOTHING_MEASURED = "nothing measured"


@attrs.frozen(kw_only=True)
class Verdict:
    """Which candidate to ship, and why.

    Attributes:
        advice: What to do.
        candidate: What to ship, or what to use until there are more rows; empty for none.
        sentences: The advice in words, the decisive sentence first.
    """

    advice: Advice
    candidate: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """All sentences in one line."""
        return " ".join(self.sentences)


def verdict(payoff: Payoff) -> Verdict:
    """Say which candidate to ship, and why.

    The rules, in this order; "surely" means that a 95 % interval excludes the contrary:

    1. There are not enough rows to say anything where there are fewer than 30.
    2. Where the dearest model is no better than the cheapest, APGR has no value. There is
       no gap to recover if the interval of the gap ends below an accuracy of 0.05, and
       else there are not enough rows to say. Nor are there where more than 5 % of the
       resamples have no gap.
    3. Where no candidate is surely better than random (APGR of 0.5): do not route, if
       every interval ends below 0.6; else there are not enough rows to say.
    4. Of the candidates that are surely better than random and not surely below the
       best one (the paired interval contains 0), ship the cheapest: by time per
       decision, by bytes of weights where times are absent. Costs within a factor of 1.25, and
       times within a millisecond, count as the same, and the higher APGR then decides.
    5. Where another one may have over 0.1 more APGR than that (a paired interval
       reaches below -0.1), there are not enough rows to say; it is named all the same.

    Args:
        payoff: What was measured.

    Returns:
        The advice. Its further sentences say what the candidate obtains, whether its
        confidence is off, whether anything beats prompt length, and what DPO added
        where there is an `X + DPO` beside its `X`.
    """
    if not payoff.candidates:
        failed = "; ".join(f"{each.name}: {each.problem}" for each in payoff.failures)
        text = f"No candidate could be measured: {failed}."
        return Verdict(advice=Advice.NOTHING_MEASURED, candidate="", sentences=(text,))
    best = payoff.ranked()[0]
    doubt = _doubt(payoff, best.apgr)
    if doubt:
        return _with_remarks(payoff, Verdict(advice=Advice.NOT_ENOUGH_ROWS, candidate="", sentences=(doubt,)))
    if best.apgr is None:
        return _with_remarks(payoff, _no_gap(payoff))
    sure = tuple(each for each in payoff.candidates if each.apgr is not None and each.apgr.low > 0.5)
    if not sure:
        return _with_remarks(payoff, _no_better_than_random(payoff, best.apgr))
    level = [each for each in sure if each is best or _not_below(payoff, each, best)]
    return _with_remarks(payoff, _ship(payoff, _cheapest(level or list(sure)), best))


def _doubt(payoff: Payoff, apgr: Interval | None) -> str:
    """Say why the rows tell nothing about any ranking; empty where they do."""
    if payoff.rows < FEWEST_ROWS:
        return (
            f"Not enough rows to say: {payoff.rows} of the {FEWEST_ROWS} that an interval needs at least; "
            "some hundreds tell routers apart."
        )
    if apgr is None:
        unclear = payoff.gap.value > SMALLEST_GAP or payoff.gap.high >= GAP
    else:
        unclear = apgr.undefined > MOST_UNDEFINED * apgr.resamples
    if not unclear:
        return ""
    by = f"{payoff.tiers[-1].model} over {payoff.tiers[0].model} {interval_text(payoff.gap, signed=True)}"
    return f"Not enough rows to say: the gap to recover is itself in doubt, in accuracy of {by}."


def _no_better_than_random(payoff: Payoff, best: Interval) -> Verdict:
    highest = max(each.apgr.high for each in payoff.candidates if each.apgr is not None)
    name = payoff.ranked()[0].name
    found = f"the best APGR is {interval_text(best)} ({name}), and a random ranking has 0.500"
    if highest > 0.5 + MARGIN:
        text = f"Not enough rows to say: {found}. {_more_rows(payoff, best, 0.5)}"
        return Verdict(advice=Advice.NOT_ENOUGH_ROWS, candidate="", sentences=(text,))
    medium, large = payoff.tiers[0].name, payoff.tiers[-1].name
    text = (
        f"Do not route: no candidate is surely better than random; {found}. Call {medium} or {large} for all."
    )
    return Verdict(advice=Advice.DO_NOT_ROUTE, candidate="", sentences=(text,))


def _no_gap(payoff: Payoff) -> Verdict:
    cheap = payoff.figures(f"always {payoff.tiers[0].name}")
    sentences = [
        f"There is no gap to recover, so that no ranking can be judged: {payoff.undefined}.",
        f"Always {payoff.tiers[0].name} has accuracy {cheap.accuracy.value:.3f} at the lowest price.",
    ]
    for each in payoff.candidates:
        ahead = payoff.difference(each.name, cheap.name, ACCURACY)
        if ahead is not None and ahead.low > 0:
            sentences.append(
                f"{each.name} is surely more accurate all the same, by {interval_text(ahead, signed=True)}: "
                "it tells which of the two models is right."
            )
    return Verdict(advice=Advice.NO_GAP, candidate="", sentences=tuple(sentences))


def _not_below(payoff: Payoff, each: Figures, best: Figures) -> bool:
    behind = payoff.difference(each.name, best.name)
    return behind is not None and behind.high >= 0.0


def _cost(figures: Figures) -> float | None:
    return figures.timing.median_ms if figures.timing is not None else None


def _size(figures: Figures) -> float | None:
    return None if figures.bytes is None else float(figures.bytes)


def _cheapest(level: list[Figures]) -> Figures:
    """Return the best of those that cost about as little as the cheapest; the best of all without costs."""
    for measure, slack in ((_cost, SAME_MS), (_size, 0.0)):
        costs = [measure(each) for each in level]
        known = [cost for cost in costs if cost is not None]
        if len(known) == len(level):
            limit = max(min(known) * SAME_COST, min(known) + slack)
            level = [each for each, cost in zip(level, known, strict=True) if cost <= limit]
            break
    return max(level, key=lambda each: each.apgr.value if each.apgr else 0.0)


def _ship(payoff: Payoff, chosen: Figures, best: Figures) -> Verdict:
    why = _why_best(payoff, best) if chosen is best else _why_cheaper(payoff, chosen, best)
    others = [each.name for each in payoff.candidates if each is not chosen]
    found = [(name, payoff.difference(chosen.name, name)) for name in others]
    known = [(each.low, name, each) for name, each in found if each is not None]
    lowest, other, difference = min(known, default=(0.0, "", None))
    if difference is None or lowest >= -MARGIN:
        return Verdict(advice=Advice.SHIP, candidate=chosen.name, sentences=(f"Ship {chosen.name}: {why}.",))
    shown = interval_text(difference, signed=True)
    text = (
        f"Not enough rows to say whether {chosen.name} is the one to ship: {other} may have {-lowest:.3f} "
        f"more APGR (difference {shown}). {_more_rows(payoff, difference, 0.0)}"
    )
    until = f"Until then, {chosen.name} is the one to use: {why}."
    return Verdict(advice=Advice.NOT_ENOUGH_ROWS, candidate=chosen.name, sentences=(text, until))


def _why_cheaper(payoff: Payoff, chosen: Figures, best: Figures) -> str:
    behind = payoff.difference(chosen.name, best.name)
    return (
        f"its APGR of {_value(chosen)} cannot be told from the {_value(best)} of {best.name}, the highest "
        f"(difference {interval_text(behind, signed=True)}){_saving(chosen, best)}"
    )


def _why_best(payoff: Payoff, best: Figures) -> str:
    others = [each.name for each in payoff.candidates if each is not best]
    if not others:
        return f"its APGR of {interval_text(best.apgr)} is surely better than random"
    text = f"its APGR of {interval_text(best.apgr)} is the highest"
    below = [(name, payoff.difference(name, best.name)) for name in others]
    surely = [
        f"{name} ({interval_text(behind, signed=True)})"
        for name, behind in below
        if behind is not None and behind.high < 0
    ]
    if len(surely) == len(others):
        return f"{text}, and the others are surely below it: {', '.join(surely)}"
    also = f", and surely above {', '.join(surely)}" if surely else ""
    return f"{text}{also}; what cannot be told from it is no cheaper"


def _saving(chosen: Figures, best: Figures) -> str:
    ours, theirs = _cost(chosen), _cost(best)
    if ours is not None and theirs is not None:
        return f", and it decides in {time_text(ours)} instead of {time_text(theirs)}"
    if chosen.bytes is not None and best.bytes is not None:
        return f", and its weights take {size_text(chosen.bytes)} instead of {size_text(best.bytes)}"
    return ""


def _value(figures: Figures) -> str:
    return f"{figures.apgr.value:.3f}" if figures.apgr else "?"


def _more_rows(payoff: Payoff, interval: Interval, other: float) -> str:
    """Estimate how many rows would tell: the width of an interval falls with the root of the rows."""
    half = (interval.high - interval.low) / 2
    target = max(abs(interval.value - other), MARGIN / 2)
    needed = payoff.rows * max(half / target, 1.0) ** 2 * 1.1
    step = 10 ** max(int(math.log10(needed)) - 1, 0)
    return f"About {math.ceil(needed / step) * step:,} rows would do, if the figures stay as they are."


def _with_remarks(payoff: Payoff, found: Verdict) -> Verdict:
    """Add what holds whatever the advice: what is obtained, prompt length, DPO, and failures."""
    sentences = list(found.sentences)
    if found.candidate:
        sentences += _obtained(payoff, found.candidate)
    ahead = [payoff.difference(each.name, PROMPT_LENGTH) for each in payoff.candidates]
    length = payoff.figures(PROMPT_LENGTH)
    beaten = all(each is None or each.low <= 0.0 for each in ahead)
    if beaten and length.apgr is not None and payoff.rows >= FEWEST_ROWS:
        sentences.append(
            f"No candidate is surely better than ranking by prompt length, which needs no model "
            f"(APGR {interval_text(length.apgr)})."
        )
    sentences += _dpo(payoff)
    sentences += [
        f"{each.name} could not be measured: {each.problem.rstrip('.')}." for each in payoff.failures
    ]
    return attrs.evolve(found, sentences=tuple(sentences))


def _obtained(payoff: Payoff, name: str) -> list[str]:
    mine = next(each for each in payoff.candidates if each.name == name)
    cheap, dear = payoff.tiers[0].name, payoff.tiers[-1].name
    always = [payoff.figures(f"always {tier}").accuracy.value for tier in (cheap, dear)]
    found = [
        f"At its operating point it sends {mine.large_share:.0%} of the calls to {dear} and has "
        f"accuracy {mine.accuracy.value:.3f}, where always {cheap} has {always[0]:.3f} and always {dear} "
        f"{always[1]:.3f}."
    ]
    if mine.calibration_error.value > mine.perfect_error:
        found.append(
            f"Its confidence is off by {mine.calibration_error.value:.3f} on average, where a perfectly "
            f"calibrated one would stay below {mine.perfect_error:.3f} in 95 of 100 cases."
        )
    return found


def _dpo(payoff: Payoff) -> list[str]:
    """Say what DPO added, for each candidate `X + DPO` that stands beside its `X`."""
    names = {each.name for each in payoff.candidates}
    found = []
    for each in payoff.candidates:
        before = _AFTER_DPO.sub("", each.name)
        added = payoff.difference(each.name, before, APGR) if before in names - {each.name} else None
        if added is None:
            continue
        sure = "surely a gain" if added.low > 0 else "surely a loss" if added.high < 0 else "maybe nothing"
        if payoff.rows < FEWEST_ROWS:
            sure = "on too few rows to tell"
        found.append(f"DPO added {interval_text(added, signed=True)} to the APGR of {before}: {sure}.")
    return found
