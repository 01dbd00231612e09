"""Whether decisions stay where the wording changes, what reasons are worth, and how long it all takes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from routesdk.metrics import (
    Interval,
    bootstrap_interval,
    mean_interval,
    percentiles,
    robustness_statistic,
    unchanged,
)
from routesdk.pipeline.evaluation.basis import ShiftFigures
from routesdk.pipeline.evaluation.detail import Latency, Perturbation, Reasonings
from routesdk.pipeline.evaluation.drawing import settled
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.evaluation.perturbation import Change, perturb
from routesdk.pipeline.evaluation.reasons import ReasonCheck, check_reason
from routesdk.pipeline.evaluation.wording import shortened
from routesdk.pipeline.fingerprint import stable_hash
from routesdk.pipeline.payoff.timing import times_alone
from routesdk.router import Router
from routesdk.shift import assess_scores
from routesdk.types import Decision, Example, Query

_LONGEST_S = 30.0
"""Seconds after which no further reason is written: a language model takes seconds for each."""

_PERCENTAGE = re.compile(r"\b\d+(?:\.\d+)? ?%")

_FEWEST_REASONS = 5
_UNLIKE_SHOWN = 5

_NO_SHIFT = (
    "the checkpoint carries no shift score, so that nothing is said of whether these rows look like what it "
    "learned from"
)


@attrs.frozen(kw_only=True)
class Draws:
    """How often rows are drawn behind an interval, and with what seed."""

    resamples: int
    seed: int


def quiet(router: Router) -> Router:
    """Return a copy without observers: they are told of the decisions that count, and of no trials."""
    return attrs.evolve(router, observers=())


def decide_again(
    material: Material, changes: Mapping[str, Change], draws: Draws
) -> tuple[tuple[Perturbation, ...], Interval | None]:
    """Decide every question again in other words; a change that changes none of them is left out.

    Returns:
        What each change brought, and the share of tiers that stayed, averaged over the changes;
        a question that a change leaves as it is counts as one that stayed.
    """
    router = quiet(material.router)
    tiers = [each.tier for each in material.decisions]
    found: list[Perturbation] = []
    after: dict[str, list[str]] = {}
    for name, change in changes.items():
        changed = {
            at: asked
            for at, row in enumerate(material.rows)
            if (asked := perturb(row.query, change)) is not None
        }
        if not changed:
            continue
        decided = dict(zip(changed, router.route_batch(changed.values()), strict=True))
        before = [material.decisions[at] for at in changed]
        found.append(_compared(name, before, list(changed.values()), list(decided.values()), draws))
        after[name] = [decided[at].tier if at in decided else tier for at, tier in enumerate(tiers)]
    if not after:
        return (), None
    statistic = robustness_statistic(tiers, after)
    mean = bootstrap_interval("robustness", statistic, len(tiers), resamples=draws.resamples, seed=draws.seed)
    return tuple(found), settled(mean)


def _compared(
    name: str,
    before: Sequence[Decision],
    asked: Sequence[Query],
    after: Sequence[Decision],
    draws: Draws,
) -> Perturbation:
    policy = unchanged([each.policy for each in before], [each.policy for each in after])
    tier = unchanged([each.tier for each in before], [each.tier for each in after])
    gains = np.array([[one.expected_gain, two.expected_gain] for one, two in zip(before, after, strict=True)])
    return Perturbation(
        name=name,
        example=shortened(asked[0].text),
        rows=len(asked),
        same_tier=_mean(tier, draws),
        same_policy=_mean(policy, draws),
        gain_shift=_mean(np.abs(gains[:, 0] - gains[:, 1]), draws),
    )


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]], draws: Draws) -> Interval:
    return settled(mean_interval(values, resamples=draws.resamples, seed=draws.seed))


def reasonings(material: Material, most: int, draws: Draws) -> Reasonings | None:
    """Have the router write reasons for some rows, and look at what they are worth; None for no rows.

    Args:
        material: What was decided.
        most: How many rows at most, chosen by the hash of their ids; after half a minute
            no further ones are written.
        draws: Behind the intervals.
    """
    router, started = quiet(material.router), time.perf_counter()
    found: list[ReasonCheck] = []
    for at in sorted(range(len(material)), key=lambda at: stable_hash(material.rows[at].id))[:most]:
        if len(found) >= _FEWEST_REASONS and time.perf_counter() - started > _LONGEST_S:
            break
        row = material.rows[at]
        explained = router.route(row.query, explain=True)
        found.append(_judged(explained.explanation, row, explained.policy, router))
    if not found:
        return None
    shown = [(each.parses, each.agrees, each.names_query, bool(each.gives_away)) for each in found]
    parses, agrees, names, gives_away = np.array(shown, dtype=np.float64).T
    cut = f" of {min(most, len(material))} wanted" if len(found) < min(most, len(material)) else ""
    return Reasonings(
        rows=len(found),
        parses=_mean(parses, draws),
        agrees=_mean(agrees, draws),
        names_query=_mean(names, draws),
        gives_away=_mean(gives_away, draws),
        note=f"{len(found)} rows{cut}, chosen by the hash of their ids",
    )


def _judged(reason: str | None, row: Example, policy: str, router: Router) -> ReasonCheck:
    """Look at one reason; what it expects of the tiers, such as 28 %, is no answer to a question."""
    plain = None if reason is None else _PERCENTAGE.sub("%", reason)
    answers = [each.answer for each in row.outcomes.values() if each.answer is not None]
    policies = router.matrix.policies
    return check_reason(plain, policy, policies, row.query, reference=row.reference, answers=answers)


def latency(router: Router, queries: Sequence[Query], *, timed: int, batch_s: float) -> Latency | None:
    """Time decisions made alone, and state the rate of a batch; None where no times are wanted.

    Args:
        router: Decides; the first decision is not timed, as models are loaded by it.
        queries: At least one.
        timed: Up to how many to time alone; 0 for none.
        batch_s: Seconds that all of them took at once.
    """
    if not timed:
        return None
    still = quiet(router)
    still.route(queries[0])
    taken = times_alone(still, queries, timed)
    found = percentiles([1e3 * each for each in taken], (50.0, 95.0, 99.0))
    return Latency(
        p50_ms=found[50.0],
        p95_ms=found[95.0],
        p99_ms=found[99.0],
        decisions=len(taken),
        # A clock that stood still would make the rate infinite, which JSON has no word for.
        batch_per_s=len(queries) / max(batch_s, 1e-9),
        batch=len(queries),
    )


def shift(material: Material, draws: Draws) -> ShiftFigures:
    """Say how many rows look unlike what the router learned from, where its checkpoint can tell."""
    known = material.router.shift
    scores = [each.shift_score for each in material.decisions if each.shift_score is not None]
    if known is None or len(scores) < len(material):
        return ShiftFigures(share=None, expected=None, threshold=None, note=_NO_SHIFT)
    test = assess_scores(scores, known.false_alarm, known.reference_rows)
    unlike = np.array([known.is_unlike(score) for score in scores], dtype=np.float64)
    furthest = sorted(np.flatnonzero(unlike).tolist(), key=lambda at: (-scores[at], material.rows[at].id))
    return ShiftFigures(
        share=_mean(unlike, draws),
        expected=known.false_alarm,
        threshold=known.threshold,
        examples=tuple(material.rows[at].id for at in furthest[:_UNLIKE_SHOWN]),
        shifted=test.shifted,
        note=test.sentence,
    )
