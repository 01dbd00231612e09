"""The words of routesdk as types: frozen, without behaviour that would need a dependency."""

from __future__ import annotations

from routesdk.types.answer import BROKEN_OFF, Answer, Chunk, Example, Outcome, Request, Unscored, Verdict
from routesdk.types.decision import (
    Decision,
    OperatingPoint,
    Proposal,
    Refusal,
    RouteContext,
    Stage,
    TraceStep,
)
from routesdk.types.frozen import FrozenMapping, frozen, frozen_throughout
from routesdk.types.money import (
    EXACT,
    NANO_USD,
    Price,
    Reservation,
    Spend,
    Usage,
    from_nano,
    to_nano,
    usd,
)
from routesdk.types.part import PartConfig
from routesdk.types.policy import GRADES, Grade, Label, Policy, Tier, distinct_names, distinct_tiers
from routesdk.types.prediction import Prediction, PredictionBatch
from routesdk.types.query import Message, Query, QueryLike
from routesdk.types.training import Dataset, ShardResult, TrainJob, TrainProgress

__all__ = [
    "BROKEN_OFF",
    "EXACT",
    "GRADES",
    "NANO_USD",
    "Answer",
    "Chunk",
    "Dataset",
    "Decision",
    "Example",
    "FrozenMapping",
    "Grade",
    "Label",
    "Message",
    "OperatingPoint",
    "Outcome",
    "PartConfig",
    "Policy",
    "Prediction",
    "PredictionBatch",
    "Price",
    "Proposal",
    "Query",
    "QueryLike",
    "Refusal",
    "Request",
    "Reservation",
    "RouteContext",
    "ShardResult",
    "Spend",
    "Stage",
    "Tier",
    "TraceStep",
    "TrainJob",
    "TrainProgress",
    "Unscored",
    "Usage",
    "Verdict",
    "distinct_names",
    "distinct_tiers",
    "from_nano",
    "frozen",
    "frozen_throughout",
    "to_nano",
    "usd",
]
