"""Whether decisions stay where the wording changes, what reasons are worth, and how long it all takes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from routesdk.errors import PolicyParseError, ReasonParseError
from routesdk.lexicon import fold
from routesdk.metrics import Interval, mean_interval, percentiles, unchanged
from routesdk.pipeline.evaluation.detail import Latency, Perturbation, Reasonings
from routesdk.pipeline.evaluation.drawing import settled
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.evaluation.perturbation import Change, perturb
from routesdk.pipeline.evaluation.wording import shortened
from routesdk.pipeline.fingerprint import stable_hash
from routesdk.pipeline.payoff.timing import times_alone
from routesdk.pipeline.prepare.form import POLICY_MARK, REASON_MARK, read_completion
from routesdk.pipeline.reasoning import leaked
from routesdk.pipeline.resemblance import Words
from routesdk.router import Router
from routesdk.types import Decision, Example, Query

_LONGEST_S = 30.0
"""Seconds after which no further reason is written: a language model takes seconds for each."""

_PERCENTAGE = re.compile(r"\b\d+(?:\.\d+)? ?%")

_FEWEST_REASONS = 5
_SHORTEST_WORD = 4


@attrs.frozen(kw_only=True)
class Draws:
    """How often rows are drawn behind an interval, and with what seed."""

    resamples: int
    seed: int


def quiet(router: Router) -> Router:
    """Return a copy without observers: they are told of the decisions that count, and of no trials."""
    return attrs.evolve(router, observers=())


def decide_again(material: Material, changes: Mapping[str, Change], draws: Draws) -> tuple[Perturbation, ...]:
    """Decide every question again in other words; a change that changes none of them is left out."""
    router = quiet(material.router)
    found = []
    for name, change in changes.items():
        pairs = [
            (decision, changed)
            for row, decision in zip(material.rows, material.decisions, strict=True)
            if (changed := perturb(row.query, change)) is not None
        ]
        if pairs:
            before, asked = zip(*pairs, strict=True)
            found.append(_compared(name, before, asked, router.route_batch(asked), draws))
    return tuple(found)


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
    policies = {policy.name: policy.description for policy in router.matrix.policies}
    found: list[tuple[bool, bool, bool, bool]] = []
    for at in sorted(range(len(material)), key=lambda at: stable_hash(material.rows[at].id))[:most]:
        if len(found) >= _FEWEST_REASONS and time.perf_counter() - started > _LONGEST_S:
            break
        row = material.rows[at]
        explained = router.route(row.query, explain=True)
        found.append(_judged(explained.explanation or "", row, explained.policy, policies))
    if not found:
        return None
    parses, agrees, names, gives_away = np.array(found, dtype=np.float64).T
    cut = f" of {min(most, len(material))} wanted" if len(found) < min(most, len(material)) else ""
    return Reasonings(
        rows=len(found),
        parses=_mean(parses, draws),
        agrees=_mean(agrees, draws),
        names_query=_mean(names, draws),
        gives_away=_mean(gives_away, draws),
        note=f"{len(found)} rows{cut}, chosen by the hash of their ids",
    )


def _judged(
    reason: str, row: Example, policy: str, policies: Mapping[str, str]
) -> tuple[bool, bool, bool, bool]:
    """Tell whether a reason parses, agrees, names something of its query, and gives an answer away."""
    answers = [each.answer for each in row.outcomes.values() if each.answer is not None]
    return (
        _parses(reason, policy),
        _agrees(reason, policy, policies),
        _names_something(reason, row.query.text),
        # What a router expects of the tiers, such as 28 %, is no answer to a question about a number.
        bool(leaked(_PERCENTAGE.sub("", reason), row.query, row.reference, answers)),
    )


def _parses(reason: str, policy: str) -> bool:
    """Tell whether a reason is the one line that the form of a decision has room for."""
    try:
        read_completion(f"{POLICY_MARK} {policy}\n{REASON_MARK} {reason}", (policy,))
    except (PolicyParseError, ReasonParseError):
        return False
    return True


def _agrees(reason: str, policy: str, policies: Mapping[str, str]) -> bool:
    """Tell whether a reason is no other policy's: it has neither the name nor the description of one."""
    said = fold(reason)
    others = [text for name, each in policies.items() if name != policy for text in (name, each)]
    return bool(said.strip()) and not any(fold(text).strip(" .") in said for text in others if text.strip())


def _names_something(reason: str, query: str) -> bool:
    """Tell whether a reason has a word of four letters or more of its query, up to an ending."""
    asked = Words(word for word in _words(query) if len(word) >= _SHORTEST_WORD)
    return any(word in asked for word in _words(reason) if len(word) >= _SHORTEST_WORD)


def _words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in fold(text)).split()


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
