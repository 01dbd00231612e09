"""What a trainer is given, and what a stage gives back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Dataset:
    """A file of examples with outcomes, and the models that play its tiers.

    Attributes:
        name: What reports call it.
        path: JSONL (`.jsonl` or `.jsonl.gz`), one example a line, as the
            `recorded` benchmark reads it.
        tiers: Models of this file that stand for the tiers, cheapest first;
            they teach the generic tiers. Empty: every model is learned, no tier.
    """

    name: str
    path: Path
    tiers: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class TrainProgress:
    """Where a training run stands.

    Attributes:
        stage: What is being done, such as `qlora-sft`.
        step: Optimiser steps that are done.
        steps: Optimiser steps in all.
        loss: Training loss of the last steps; None before the first.
        validation_loss: The latest one; None before the first.
        tokens_per_s: Tokens a second, padding left out; None where nothing counts them.
        memory_mb: Peak memory in MiB: of the GPU where there is one, else of the process.
        seconds_left: Estimate of the time left; None before there is one.
    """

    stage: str
    step: int
    steps: int
    loss: float | None = None
    validation_loss: float | None = None
    tokens_per_s: float | None = None
    memory_mb: float | None = None
    seconds_left: float | None = None


@attrs.frozen(kw_only=True)
class TrainJob:
    """Everything that one training run reads and writes.

    Attributes:
        train: Rows to learn from; already on the train side of a split.
        output: Folder that the trained policy model is saved in.
        validation: Rows for early stopping and calibration; empty lets the
            trainer hold out a part of `train`.
        matrix: Name of the matrix that turns grades into policies.
        tiers: Names of the tiers, cheapest first.
        seed: Seed of every random choice.
        start: Folder of a trained policy model to go on from, for trainers that do: `qlora-dpo`
            starts from what `qlora-sft` wrote.
        work: Folder of the run's state and metrics, which outlives a kill: the same job with
            the same folder goes on where it was. None for a temporary one.
        listen: Is told where the run stands.
    """

    train: tuple[Dataset, ...]
    output: Path
    validation: tuple[Dataset, ...] = ()
    matrix: str = "nine-cell"
    tiers: tuple[str, ...] = ("medium", "large")
    seed: int = 0
    start: Path | None = None
    work: Path | None = None
    listen: Callable[[TrainProgress], None] | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class ShardResult:
    """What became of one shard of a stage.

    Attributes:
        shard: The file that went in.
        output: The file that came out; None where the stage failed.
        error: Why it failed; empty where it did not.
    """

    shard: Path
    output: Path | None
    error: str = ""
