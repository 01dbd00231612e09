"""Training rows from taught rows: completions for SFT, chosen and rejected ones for DPO, classes balanced."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from routesdk.pipeline.prepare.form import write_completion
from routesdk.pipeline.prepare.rows import Taught
from routesdk.types import Policy

NONE, SQRT, FULL = "none", "sqrt", "full"
BALANCES = (NONE, SQRT, FULL)
"""How rows of rare policies are repeated: not at all, by the square root of their rarity, or in full."""

UNIFORM, PRIOR = "uniform", "prior"
REJECTED = (UNIFORM, PRIOR)
"""How the wrong policy of a pair is drawn: all alike, or as often as the rows have them."""

_POWERS = {NONE: 0.0, SQRT: 0.5, FULL: 1.0}


@attrs.frozen(kw_only=True)
class SFTRow:
    """A row of supervised fine-tuning.

    Attributes:
        taught: The row of the oracle that it comes from.
        completion: The decision and its reason, in the strict form.
    """

    taught: Taught
    completion: str


@attrs.frozen(kw_only=True)
class DPOPair:
    """A row of preference optimisation.

    Attributes:
        taught: The row of the oracle that it comes from.
        chosen: The right decision with its reason.
        rejected: A wrong one, with a reason that fits it.
        rejected_policy: The policy of the rejected one.
    """

    taught: Taught
    chosen: str
    rejected: str
    rejected_policy: str


def reason_for(taught: Taught, policy: Policy) -> str:
    """Write the reason of a decision: what the analyst found in the query, and what follows by the policy.

    The analysis is about the query and holds whatever was decided; the second half
    is the policy's own description. So a rejected completion has a reason that fits
    its policy, and is wrong in the decision and in what follows, not in its words.
    """
    analysis = taught.analysis.rstrip()
    stop = "" if analysis.endswith((".", "!", "?", "。")) else "."
    return f"{analysis}{stop} Therefore: {policy.description}"


def sft_rows(rows: Sequence[Taught], policies: Sequence[Policy], order: str) -> tuple[SFTRow, ...]:
    """Write each row's completion; in the order of the rows."""
    named = {policy.name: policy for policy in policies}
    return tuple(
        SFTRow(taught=row, completion=write_completion(row.policy, reason_for(row, named[row.policy]), order))
        for row in rows
    )


def dpo_pairs(
    rows: Sequence[Taught],
    policies: Sequence[Policy],
    order: str,
    *,
    rejected: str = UNIFORM,
    seed: int = 0,
) -> tuple[DPOPair, ...]:
    """Pair each row's right decision with a wrong one.

    What is drawn for a row depends on the seed and on its id alone: other rows do not change it.

    Args:
        rows: The rows.
        policies: All policies.
        order: Order of the lines.
        rejected: One of `REJECTED`.
        seed: Seed of the draws.
    """
    named = {policy.name: policy for policy in policies}
    counts = Counter(row.policy for row in rows)
    pairs = []
    for row in rows:
        wrong = [policy for policy in policies if policy.name != row.policy]
        # A policy that no row has can be drawn all the same, if seldom: its score must be learned, too.
        weights = [1.0 if rejected == UNIFORM else counts[policy.name] + 1.0 for policy in wrong]
        drawn = random.Random(f"{seed}:{row.id}").choices(wrong, weights)[0]
        pairs.append(
            DPOPair(
                taught=row,
                chosen=write_completion(row.policy, reason_for(row, named[row.policy]), order),
                rejected=write_completion(drawn.name, reason_for(row, drawn), order),
                rejected_policy=drawn.name,
            )
        )
    return tuple(pairs)


def balanced(rows: Sequence[Taught], balance: str, seed: int) -> tuple[Taught, ...]:
    """Repeat rows of rarer policies, so that training sees them oftener.

    Each row stands there at least once. A row's repetitions are its policy's factor
    (rows of the commonest policy / rows of its own) to the power of 0, 1/2 or 1,
    whole or one more: who gets one more is drawn.

    Args:
        rows: The rows.
        balance: One of `BALANCES`.
        seed: Seed of the draws.
    """
    counts = Counter(row.policy for row in rows)
    most = max(counts.values(), default=0)
    repeated: list[Taught] = []
    for row in rows:
        factor = (most / counts[row.policy]) ** _POWERS[balance]
        more = random.Random(f"{seed}:{row.id}:again").random() < factor % 1.0
        repeated += [row] * (int(factor) + more)
    return tuple(repeated)


def shares(rows: Sequence[Taught], policies: Sequence[Policy]) -> Mapping[str, float]:
    """Return the share of rows of each policy, 0 to 1; all 0 where there are no rows."""
    counts = Counter(row.policy for row in rows)
    return {policy.name: counts[policy.name] / max(1, len(rows)) for policy in policies}
