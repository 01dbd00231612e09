"""Writes why a query has its policy, from what is expected of the bound tiers."""

from __future__ import annotations

from routesdk.types import Policy, PredictionBatch


def expectation(batch: PredictionBatch, tiers: int, policy: Policy) -> list[str]:
    """Write what the policy means, and how surely the cheapest and the dearest tier are correct.

    Args:
        batch: The prediction of one query.
        tiers: How many tiers are bound.
        policy: What was decided.

    Returns:
        Sentences.
    """
    correct = batch.joint()[0].reshape((3,) * tiers)
    cheap = float(correct[0].sum())
    dear = float(correct[..., 0].sum())
    return [
        policy.description.rstrip(".") + "." if policy.description.strip() else f"{policy.name}.",
        f"Expected correct: the cheapest tier {cheap:.0%}, the dearest {dear:.0%}.",
    ]
