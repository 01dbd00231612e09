"""What a trainer is given, and what a stage gives back."""

from __future__ import annotations

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
    """

    train: tuple[Dataset, ...]
    output: Path
    validation: tuple[Dataset, ...] = ()
    matrix: str = "nine-cell"
    tiers: tuple[str, ...] = ("medium", "large")
    seed: int = 0


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
