"""One preparation: the oracle read, checked, divided, balanced, and written as rows and pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from routesdk.errors import TrainingError
from routesdk.pipeline.prepare.form import DECISION_FIRST
from routesdk.pipeline.prepare.pairs import (
    SQRT,
    UNIFORM,
    DPOPair,
    SFTRow,
    balanced,
    dpo_pairs,
    sft_rows,
    shares,
)
from routesdk.pipeline.prepare.rows import Oracle, Taught, read_oracle, refuse_shared, require_rows
from routesdk.pipeline.split import split
from routesdk.protocols import Analyst, Matrix
from routesdk.types import Dataset, Policy

VALIDATION_SHARE = 0.15
"""Share of rows held out for early stopping and calibration where no validation rows are given."""


@attrs.frozen(kw_only=True)
class Preparation:
    """Everything that a language model is trained on.

    Attributes:
        policies: The policies, in the matrix's order.
        order: Which line of a completion comes first.
        train: Rows that are learned from, each once.
        validation: Rows held out.
        sft: What SFT sees in an epoch: rows of rare policies stand there several times.
        sft_validation: Completions of the rows held out.
        dpo: Pairs of the rows that are learned from.
        dpo_validation: Pairs of the rows held out.
        kept_out: Ids of rows that cannot be used, each with the reason.
        balance: How rows of rare policies are repeated.
    """

    policies: tuple[Policy, ...]
    order: str
    train: tuple[Taught, ...]
    validation: tuple[Taught, ...]
    sft: tuple[SFTRow, ...]
    sft_validation: tuple[SFTRow, ...]
    dpo: tuple[DPOPair, ...]
    dpo_validation: tuple[DPOPair, ...]
    kept_out: tuple[tuple[str, str], ...]
    balance: str

    def statistics(self) -> dict[str, object]:
        """Say how many rows there are of what, before and after balancing, and what was kept out."""
        seen = [row.taught for row in self.sft]
        majority = max(shares(self.train, self.policies).values())
        return {
            "rows": {
                "train": len(self.train),
                "validation": len(self.validation),
                "kept_out": dict(Counter(problem for _, problem in self.kept_out)),
            },
            "policies": {
                policy.name: {
                    "train": sum(row.policy == policy.name for row in self.train),
                    "validation": sum(row.policy == policy.name for row in self.validation),
                    "an_epoch_of_sft": sum(row.policy == policy.name for row in seen),
                    "rejected": sum(pair.rejected_policy == policy.name for pair in self.dpo),
                }
                for policy in self.policies
            },
            "balance": self.balance,
            "always_the_commonest_policy_is_right": majority,
            "sft_rows_an_epoch": len(self.sft),
            "dpo_pairs": len(self.dpo),
            "order": self.order,
        }


def prepare(
    train: Sequence[Dataset],
    validation: Sequence[Dataset],
    *,
    matrix: Matrix,
    analyst: Analyst,
    order: str = DECISION_FIRST,
    balance: str = SQRT,
    rejected: str = UNIFORM,
    validation_share: float = VALIDATION_SHARE,
    seed: int = 0,
    trainer: str = "prepare",
) -> Preparation:
    """Prepare an oracle for training.

    Without validation data, a part of the rows is held out: by the one split
    function, near duplicates together, stratified by policy.

    Args:
        train: Files to learn from, on the train side of a split.
        validation: Files to stop and calibrate on; empty holds out a part of `train`.
        matrix: Turns grades into policies.
        analyst: Writes reasons for rows that have none.
        order: `decision-first` or `reason-first`.
        balance: `none`, `sqrt` or `full`.
        rejected: `uniform` or `prior`.
        validation_share: Share held out where no validation data are given.
        seed: Seed of every draw.
        trainer: Whom errors name.

    Raises:
        DatasetError: A row cannot be used.
        LeakError: Stored reasons give an answer away, or a question is on both sides.
        TrainingError: Nothing can be learned: no rows, or one policy alone.
    """
    oracle = read_oracle(train, matrix, analyst, trainer=trainer)
    require_rows(oracle, [policy.name for policy in matrix.policies], trainer)
    if validation:
        other = read_oracle(validation, matrix, analyst, trainer=trainer)
        refuse_shared(oracle.rows, other.rows)
        learned, held, kept_out = oracle.rows, other.rows, (*oracle.kept_out, *other.kept_out)
    else:
        learned, held = _divided(oracle, validation_share, seed)
        kept_out = oracle.kept_out
    if not held or len({row.policy for row in learned}) < 2:
        problem = f"{len(oracle.rows)} rows are too few to learn from and to hold a part out"
        raise TrainingError(trainer, problem, "Give more rows, or validation rows of their own.")
    policies = matrix.policies
    return Preparation(
        policies=policies,
        order=order,
        train=learned,
        validation=held,
        sft=sft_rows(balanced(learned, balance, seed), policies, order),
        sft_validation=sft_rows(held, policies, order),
        dpo=dpo_pairs(learned, policies, order, rejected=rejected, seed=seed),
        dpo_validation=dpo_pairs(held, policies, order, rejected=rejected, seed=seed),
        kept_out=kept_out,
        balance=balance,
    )


def _divided(oracle: Oracle, share: float, seed: int) -> tuple[tuple[Taught, ...], tuple[Taught, ...]]:
    parts = split(
        [row.query.text for row in oracle.rows],
        [row.policy for row in oracle.rows],
        shares={"train": 1.0 - share, "validation": share},
        seed=seed,
    )
    train, validation = (
        tuple(oracle.rows[at] for at in parts.rows(name).tolist()) for name in ("train", "validation")
    )
    return train, validation
