"""Decides rows whose outcomes are recorded, and sets the record beside the decisions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.errors import ConfigError, PredictionError
from routesdk.protocols import Matrix
from routesdk.router import Router
from routesdk.types import Decision, Example, Grade, Outcome

Floats = npt.NDArray[np.float64]


@attrs.frozen(kw_only=True, eq=False)
class Scored:
    """Rows with recorded outcomes, decided by one router.

    The tier is the one that the operating point picked: rules and policy maps
    belong to whoever deploys a router, and are left out of what it is worth.

    Attributes:
        gain: Expected gain of the dearest tier over the cheapest, (rows,).
        confidence: Confidence in the decided policy, 0 to 1, (rows,).
        hit: Probability that the decided policy is the recorded one, (rows,); 0 or 1 for grades.
        tier: Place of the tier that was decided, cheapest first, (rows,).
        quality: Quality that each tier's model obtained, 0 to 1, (rows, tiers).
        probabilities: What the router said of each policy, (rows, policies).
        recorded: Probability that each policy is the recorded one, (rows, policies).
        length: Characters of the query, (rows,).
    """

    gain: Floats
    confidence: Floats
    hit: Floats
    tier: npt.NDArray[np.int64]
    quality: Floats
    probabilities: Floats
    recorded: Floats
    length: Floats

    def __len__(self) -> int:
        return len(self.gain)

    @property
    def medium(self) -> Floats:
        """Quality of the cheapest tier's model, (rows,)."""
        return np.asarray(self.quality[:, 0])

    @property
    def large(self) -> Floats:
        """Quality of the dearest tier's model, (rows,)."""
        return np.asarray(self.quality[:, -1])

    @property
    def large_called(self) -> npt.NDArray[np.bool_]:
        """Whether the decision is for the dearest tier, (rows,)."""
        return np.asarray(self.tier == self.quality.shape[1] - 1)

    @property
    def tier_shares(self) -> tuple[float, ...]:
        """Share of the decisions for each tier, cheapest first."""
        return tuple(float((self.tier == place).mean()) for place in range(self.quality.shape[1]))

    @property
    def obtained(self) -> Floats:
        """Quality of the decided tier's model, (rows,)."""
        return np.asarray(self.quality[np.arange(len(self.tier)), self.tier])

    @property
    def likeliest(self) -> npt.NDArray[np.int64]:
        """Place of the likeliest policy, whatever the operating point, (rows,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


def with_all_outcomes(
    examples: Iterable[Example], models: Sequence[str]
) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Part the rows that every model answered from the others.

    Args:
        examples: Rows with outcomes; streamed.
        models: The models whose outcomes are needed.

    Returns:
        The rows that have all outcomes, and the ids of those that have not.
    """
    whole: list[Example] = []
    left_out: list[str] = []
    for example in examples:
        if all(model in example.outcomes for model in models):
            whole.append(example)
        else:
            left_out.append(example.id)
    return tuple(whole), tuple(left_out)


def score_rows(router: Router, rows: Sequence[Example], models: Sequence[str] = ()) -> Scored:
    """Decide rows at the router's own operating point, and set beside it what was recorded.

    Args:
        router: Decides; its observers are told, as always.
        rows: At least one, each with an outcome of every model.
        models: The models whose outcomes stand for the tiers, cheapest first; empty
            takes those of the router's tiers.

    Raises:
        ConfigError: There are no rows, or not as many models as tiers.
        PredictionError: The policy model fails, or an expected gain is not finite.
        RuleError: A rule of the router fails.
    """
    names = tuple(models) or tuple(tier.model for tier in router.tiers)
    if len(names) != len(router.tiers):
        problem = f"not one model for each of {len(router.tiers)} tiers"
        raise ConfigError("models", str(names), problem, "Name them cheapest first.")
    if not rows:
        raise ConfigError("rows", "none", "there is nothing to decide", "Give rows with recorded outcomes.")
    return set_beside(router, rows, router.route_batch([row.query for row in rows]), names)


def set_beside(
    router: Router, rows: Sequence[Example], decisions: Sequence[Decision], models: Sequence[str]
) -> Scored:
    """Set what was recorded beside decisions that were made already; see `score_rows`."""
    policies = tuple(policy.name for policy in router.matrix.policies)
    tiers = [tier.name for tier in router.tiers]
    recorded = _recorded(router.matrix, policies, rows, models)
    decided = np.array([policies.index(decision.policy) for decision in decisions])
    gain = np.array([decision.expected_gain for decision in decisions], dtype=np.float64)
    if not np.isfinite(gain).all():
        bad = int(np.flatnonzero(~np.isfinite(gain))[0])
        name = type(router.policy_model).__name__
        raise PredictionError(name, f"its expected gain is {gain[bad]} for row {rows[bad].id!r}")
    return Scored(
        gain=gain,
        # Sums of float32 may pass one by a hair.
        confidence=np.clip([decision.confidence for decision in decisions], 0.0, 1.0),
        hit=recorded[np.arange(len(rows)), decided],
        tier=np.array([tiers.index(decision.tier) for decision in decisions], dtype=np.int64),
        quality=np.array([[row.outcomes[model].quality for model in models] for row in rows]),
        probabilities=np.array([decision.prediction.values for decision in decisions]),
        recorded=recorded,
        length=np.array([float(len(row.query.text)) for row in rows]),
    )


def _recorded(
    matrix: Matrix, policies: Sequence[str], rows: Sequence[Example], models: Sequence[str]
) -> Floats:
    """Return the probability of each policy under the record; scores count as independent chances."""
    table = np.zeros((len(rows), len(policies)))
    for at, row in enumerate(rows):
        for cell in itertools.product(*(grade_chances(row.outcomes[model]) for model in models)):
            policy = matrix.policy(tuple(grade for grade, _ in cell)).name
            table[at, policies.index(policy)] += math.prod(chance for _, chance in cell)
    return np.minimum(table, 1.0)


def grade_chances(outcome: Outcome) -> tuple[tuple[Grade, float], ...]:
    """Return the grades that an outcome may stand for, with their chances: a score is a chance of CORRECT."""
    if outcome.grade is not None:
        return ((outcome.grade, 1.0),)
    return ((Grade.CORRECT, outcome.quality), (Grade.INCORRECT, 1.0 - outcome.quality))
