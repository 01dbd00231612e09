"""From an oracle to what a language model is trained on: SFT rows and DPO pairs, checked and counted."""

from __future__ import annotations

from routesdk.pipeline.prepare.form import (
    DECISION_FIRST,
    FORM_VERSION,
    ORDERS,
    POLICY_MARK,
    REASON_FIRST,
    REASON_MARK,
    Written,
    one_line,
    read_completion,
    write_completion,
)
from routesdk.pipeline.prepare.pairs import (
    BALANCES,
    REJECTED,
    DPOPair,
    SFTRow,
    balanced,
    dpo_pairs,
    reason_for,
    sft_rows,
    shares,
)
from routesdk.pipeline.prepare.preparation import Preparation, prepare
from routesdk.pipeline.prepare.prompt import PROMPT_VERSION, Asked, ask, instruction, plain, turns
from routesdk.pipeline.prepare.rows import Oracle, Taught, read_oracle, refuse_shared, require_rows
from routesdk.pipeline.prepare.store import Stored, write_preparation

__all__ = [
    "BALANCES",
    "DECISION_FIRST",
    "FORM_VERSION",
    "ORDERS",
    "POLICY_MARK",
    "PROMPT_VERSION",
    "REASON_FIRST",
    "REASON_MARK",
    "REJECTED",
    "Asked",
    "DPOPair",
    "Oracle",
    "Preparation",
    "SFTRow",
    "Stored",
    "Taught",
    "Written",
    "ask",
    "balanced",
    "dpo_pairs",
    "instruction",
    "one_line",
    "plain",
    "prepare",
    "read_completion",
    "read_oracle",
    "reason_for",
    "refuse_shared",
    "require_rows",
    "sft_rows",
    "shares",
    "turns",
    "write_completion",
    "write_preparation",
]
