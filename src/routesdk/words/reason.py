"""Writes why a query has its policy: what is expected of the tiers, and which words weigh most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.heads.reason import expectation
from routesdk.types import Policy
from routesdk.words.features import Hasher

if TYPE_CHECKING:
    from routesdk.words.bound import BoundHeads

_WORDS = 3
_SHORTEST = 3


def write_reason(bound: BoundHeads, hasher: Hasher, text: str, policy: Policy) -> str:
    """Write a reason in two or three sentences.

    Args:
        bound: The heads of the bound tiers.
        hasher: Turns the text into features.
        text: What was read of the query.
        policy: What was decided.
    """
    batch = bound.joint.one(bound.logits_of_one(hasher.single(text)), None)
    parts = expectation(batch, bound.joint.tiers, policy)
    words = heaviest_words(bound, hasher, text)
    if words:
        parts.append(f"What weighs most for this: {', '.join(words)}.")
    return " ".join(parts)


def heaviest_words(bound: BoundHeads, hasher: Hasher, text: str) -> list[str]:
    """Return the words, quoted, that move the dearest tier's advantage most, the heaviest first."""
    tiers = bound.joint.tiers
    found = {word: bucket for word, bucket in hasher.words(text) if len(word) >= _SHORTEST}
    if not found:
        return []
    rows = bound.table[list(found.values())]
    pull = np.abs(rows[:, tiers - 1] - rows[:, 0])
    order = np.argsort(-pull, kind="stable")[:_WORDS]
    words = list(found)
    return [f"“{words[at]}”" for at in order.tolist() if pull[at] > 0.0 and words[at].isprintable()]
