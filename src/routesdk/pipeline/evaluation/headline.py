"""The headline of an evaluation: a line for the router and each baseline, every metric, and the targets."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from routesdk.metrics import TARGETS, Interval, Target
from routesdk.pipeline.evaluation.drawing import (
    COST,
    PRECISION,
    RECALL,
    SAVED,
    SAVED_USD,
    SHARE,
    settled,
    share_interval,
)
from routesdk.pipeline.evaluation.figures import BEST_SINGLE, ROUTER, Line, MeasuredTarget, Metric
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.payoff.figures import ACCURACY, APGR, CALIBRATION, PROMPT_LENGTH, RANDOM
from routesdk.pipeline.payoff.sampling import Samples
from routesdk.pipeline.payoff.verdict import FEWEST_ROWS
from routesdk.pipeline.payoff.yardstick import constants

POLICY_GOALS: Mapping[str, str] = MappingProxyType(
    {
        "share_standard": "Standard_Query",
        "share_complex": "Complex_Query",
        "share_ambiguous": "Ambiguous_Query",
    }
)
"""Targets that are shares of decisions, and the policies that they are about."""

DECIDED = "decided policy share"
"""Who the shares of decided policies are drawn for."""

_ORACLE_GAP = "oracle_gap_closed"

# key, name, group, unit, better; {large} stands for the name of the dearest tier
_FIGURES = (
    (_ORACLE_GAP, "oracle gap closed", "quality", "share", "higher"),
    ("correct_given_attempted", "correct given attempted", "quality", "share", "higher"),
    ("f1", "F1 (SimpleQA)", "quality", "share", "higher"),
    ("not_attempted", "not attempted", "quality", "share", ""),
    (APGR, "APGR", "ranking", "", "higher"),
    ("pgr", "PGR at the operating point", "ranking", "", "higher"),
    ("cpt_50", "CPT(50 %)", "ranking", "share", "lower"),
    ("cpt_80", "CPT(80 %)", "ranking", "share", "lower"),
    ("deferral_area", "area under the deferral curve", "ranking", "share", "higher"),
    ("auroc", "AUROC of the gain", "ranking", "", "higher"),
    ("decided_policy", "decided policy is the recorded one", "policy", "share", "higher"),
    ("likeliest_policy", "likeliest policy is the recorded one", "policy", "share", "higher"),
    ("balanced_policy", "the same, averaged over policies", "policy", "share", "higher"),
    (CALIBRATION, "expected calibration error", "calibration", "", "lower"),
    ("brier", "Brier score", "calibration", "", "lower"),
    ("aurc", "area under risk-coverage", "calibration", "", "lower"),
    (COST, "cost per query", "cost", "usd", "lower"),
    (SAVED_USD, "saved per query against {large} only", "cost", "usd", "higher"),
    (SAVED, "cost saved against {large} only", "cost", "share", "higher"),
    ("aiq", "AIQ", "cost", "share", "higher"),
    ("arena", "RouterArena score", "cost", "", "higher"),
)
_SHARES = ("correct_given_attempted", "not_attempted", "decided_policy", "likeliest_policy")
"""Those that are shares of rows, which no bootstrap can be certain of."""

_FREE: Mapping[str, str] = MappingProxyType(
    {
        SAVED: "the dearest tier alone costs nothing, so that nothing can be saved",
        "aiq": "all shares of calls of the dearest tier cost the same",
        "arena": "the calls cost nothing",
    }
)
"""Why a figure of costs that are known has no value."""

_KEYS = MappingProxyType(
    {
        APGR: "apgr",
        CALIBRATION: "calibration_error",
        COST: "cost_per_query_usd",
        SAVED_USD: "saved_per_query_usd",
        SAVED: "cost_saved",
        "arena": "router_arena",
    }
)


def lines(material: Material, samples: Samples) -> tuple[Line, ...]:
    """Set the router beside every baseline, with paired differences."""
    names = constants(material.router.tiers)
    best = material.router.tiers[material.best_single]
    notes = {
        BEST_SINGLE: f"{best.name}, {best.model}: chosen on these very rows",
        RANDOM: "as many calls of each tier as the router, at random",
        PROMPT_LENGTH: "as many calls of each tier as the router, the longest questions highest",
        "oracle": "knows the outcomes: the cheapest of the best; nobody reaches it",
    } | {
        name: f"{tier.model} for every query" for name, tier in zip(names, material.router.tiers, strict=True)
    }
    return tuple(
        Line(
            name=name,
            accuracy=share_interval(samples, name, ACCURACY),
            large_share=float(share[:, -1].mean()),
            tier_shares=tuple(share.mean(axis=0).tolist()),
            apgr=samples.defined(name, APGR),
            cost_usd=samples.defined(name, COST),
            saved=samples.defined(name, SAVED),
            ahead=None if name == ROUTER else samples.difference(ROUTER, name, ACCURACY),
            apgr_ahead=None if name == ROUTER else samples.difference(ROUTER, name, APGR),
            note=notes.get(name, ""),
        )
        for name, share in material.shares.items()
    )


def metrics(material: Material, samples: Samples) -> tuple[Metric, ...]:
    """List every figure of the router, the differences in accuracy from each baseline included."""
    called = share_interval(samples, ROUTER, SHARE)
    found = [
        _plain("accuracy", "accuracy", "quality", share_interval(samples, ROUTER, ACCURACY)),
        attrs.evolve(
            _plain("large_share", "calls of the dearest tier", "cost", called),
            better="",
        ),
    ]
    found += [
        attrs.evolve(
            _plain(
                f"accuracy_over_{name.replace(' ', '_')}",
                f"accuracy minus {name}",
                "quality",
                samples.difference(ROUTER, name, ACCURACY),
            ),
            unit="points",
        )
        for name in material.shares
        if name != ROUTER
    ]
    found += [_metric(material, samples, figure) for figure in _FIGURES]
    ahead = samples.difference(ROUTER, PROMPT_LENGTH, APGR)
    note = "" if ahead is not None else _why_missing(material, samples, APGR)
    over_length = _plain("apgr_over_prompt_length", "APGR minus prompt length", "ranking", ahead)
    found.append(attrs.evolve(over_length, unit="difference", note=note))
    found += _recognition(material, samples)
    total = _total(material, samples)
    if total is not None:
        found.append(total)
    return tuple(sorted(found, key=lambda each: _GROUPS.index(each.group)))


def _plain(key: str, name: str, group: str, interval: Interval | None) -> Metric:
    return Metric(key=key, name=name, group=group, interval=interval, unit="share", better="higher")


_GROUPS = ("quality", "ranking", "policy", "calibration", "cost", "robustness", "reasons")


def _metric(material: Material, samples: Samples, figure: tuple[str, str, str, str, str]) -> Metric:
    key, name, group, unit, better = figure
    interval = samples.defined(ROUTER, key)
    note = _remark(material, key, interval) if interval is not None else _why_missing(material, samples, key)
    return Metric(
        key=_KEYS.get(key, key),
        name=name.format(large=material.router.tiers[-1].name),
        group=group,
        interval=settled(interval) if interval is not None and key in _SHARES else interval,
        unit=unit,
        better=better,
        note=note,
    )


def _remark(material: Material, key: str, interval: Interval) -> str:
    """Say what a figure means that looks odd without a word."""
    if key != _ORACLE_GAP or interval.value >= 0:
        return ""
    best = material.router.tiers[material.best_single]
    return (
        f"0 is always {best.name}, the best single model, and 100 % the oracle: below 0, as the "
        "routing gives up accuracy against it, such as for what it saves"
    )


def _recognition(material: Material, samples: Samples) -> list[Metric]:
    """List how well each policy is recognised: the right share of those decided, and of those recorded."""
    found = []
    for policy in material.router.matrix.policies:
        for part, verb in ((PRECISION, "decided"), (RECALL, "recorded")):
            interval = samples.defined(policy.name, part)
            note = "" if interval is not None else f"it is never {verb} on these rows, or hardly ever"
            metric = _plain(f"{part}_{policy.name}", f"{part} of {policy.name}", "policy", interval)
            found.append(attrs.evolve(metric, note=note))
    return found


def _total(material: Material, samples: Samples) -> Metric | None:
    """Return the cost of all rows, whose interval is that of so many queries."""
    each = samples.defined(ROUTER, COST)
    if each is None:
        return None
    rows = len(material)
    whole = attrs.evolve(each, value=each.value * rows, low=each.low * rows, high=each.high * rows)
    return Metric(
        key="total_cost_usd",
        name="cost of all rows",
        group="cost",
        interval=whole,
        unit="usd",
        better="lower",
        note="the interval is that of as many queries of the same kind",
    )


def _why_missing(material: Material, samples: Samples, key: str) -> str:
    if (ROUTER, key) in samples.points:
        gap = float(material.actual_gain.mean())
        if key in (APGR, "pgr", "cpt_50", "cpt_80") and gap <= 0:
            return "the dearest tier is no better than the cheapest on these rows"
        return _FREE.get(key) or samples.problem(ROUTER, key)
    if key in ("correct_given_attempted", "f1", "not_attempted"):
        return "no abstention is recorded on these rows"
    if key == "auroc":
        return "the dearest tier is better on all rows or on none"
    return material.costs.note


def targets(material: Material, samples: Samples) -> tuple[MeasuredTarget, ...]:
    """Set what the project set out to reach beside what was measured; they are targets, not results."""
    tiers = material.router.tiers
    cheap, *_, dear = constants(tiers)
    measured = {
        "accuracy_over_medium": samples.difference(ROUTER, cheap, ACCURACY),
        "accuracy_against_large": samples.difference(ROUTER, dear, ACCURACY),
        "cost_saved": samples.defined(ROUTER, SAVED),
    } | {
        metric: share_interval(samples, DECIDED, policy)
        for metric, policy in POLICY_GOALS.items()
        if (DECIDED, policy) in samples.points
    }
    names = {
        "accuracy_over_medium": f"accuracy over {tiers[0].name} only",
        "accuracy_against_large": f"accuracy against {tiers[-1].name} only",
        "cost_saved": f"cost saved against {tiers[-1].name} only",
    }
    return tuple(
        _target(
            attrs.evolve(goal, name=names.get(goal.metric, goal.name)), measured.get(goal.metric), material
        )
        for goal in TARGETS
    )


def _target(goal: Target, measured: Interval | None, material: Material) -> MeasuredTarget:
    notes = ["more is better"] if goal.more_is_better else []
    if len(material.router.tiers) > 2 and goal.more_is_better:
        notes.append("set for two tiers")
    if measured is None:
        unpaid = _FREE[SAVED] if material.costs.usd else material.costs.note
        notes = [unpaid if goal.metric == "cost_saved" else "the matrix has no such policy"]
    elif measured.rows < FEWEST_ROWS:
        notes.append(f"fewer than {FEWEST_ROWS} rows tell nothing")
    return MeasuredTarget(
        target=goal,
        measured=measured,
        outcome=goal.standing(measured, FEWEST_ROWS),
        note="; ".join(notes),
    )
