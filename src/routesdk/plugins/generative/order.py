"""The order of rows in an epoch: rows of like length together, drawn by seed and epoch alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import attrs
import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

_CLOSE = 1e-6


@attrs.frozen
class LengthGrouped:
    """A sampler whose order in an epoch follows from the seed and the epoch.

    That of transformers draws from the generator that dropout draws from, too: after a
    kill its state at the beginning of the epoch is lost, and with it the order.

    Attributes:
        lengths: Tokens of each row.
        rows: Rows of a step.
        seed: Seed of the draws.
        epoch: Tells which epoch it is, with what is done of it behind the point.
    """

    lengths: Sequence[int]
    rows: int
    seed: int
    epoch: Callable[[], float]

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        drawn = torch.Generator()
        drawn.manual_seed(self.seed * 1_000_003 + math.floor(self.epoch() + _CLOSE))
        yield from get_length_grouped_indices(list(self.lengths), self.rows, generator=drawn)
