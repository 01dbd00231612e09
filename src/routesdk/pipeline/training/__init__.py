"""Training: from an oracle to a checkpoint, with a table that says whether it was worth it."""

from __future__ import annotations

from routesdk.pipeline.training.chain import Link, links
from routesdk.pipeline.training.compare import Comparison, compare_bases
from routesdk.pipeline.training.data import TrainingData, divide_data
from routesdk.pipeline.training.stage import STAGE, Finished, pack_job, run_job, train, unpack_result
from routesdk.pipeline.training.train import PAYOFF, Trained, policy_gains, train_router

__all__ = [
    "PAYOFF",
    "STAGE",
    "Comparison",
    "Finished",
    "Link",
    "Trained",
    "TrainingData",
    "compare_bases",
    "divide_data",
    "links",
    "pack_job",
    "policy_gains",
    "run_job",
    "train",
    "train_router",
    "unpack_result",
]
