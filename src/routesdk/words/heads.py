"""Heads on hashed words: one a model and one a tier, their weights in eight bits; and their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.files import Shapes, columns_in, read_arrays, read_table, write_heads
from routesdk.heads.head import Head, HeadSet
from routesdk.words.features import SHAPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1

_ARRAYS = ("buckets", "steps", "shapes", "bias", "rarity", "reference", "pairs", "links")


@attrs.frozen(kw_only=True)
class HeadTable:
    """Everything about the heads that is no array.

    Attributes:
        format: Version of this form.
        bits: Buckets are 2 ** bits.
        models: Heads of the models that were learned.
        tiers: Generic heads, cheapest first; empty where no data set named its tiers.
    """

    format: int = FORMAT
    bits: int
    models: tuple[Head, ...]
    tiers: tuple[Head, ...]

    @property
    def heads(self) -> tuple[Head, ...]:
        """All heads: the models', then the tiers'."""
        return (*self.models, *self.tiers)


@attrs.frozen(kw_only=True, eq=False)
class Heads:
    """All heads with their weights.

    Attributes:
        table: What is no array.
        buckets: (columns, 2 ** bits) weights of hashed words and pairs, int8.
        steps: (columns,) what one unit of `buckets` is worth.
        shapes: (columns, `SHAPES`) weights of a text's shape.
        bias: (columns,) intercepts.
        rarity: (2 ** bits,) inverse document frequency of each bucket.
        reference: (rows, columns) logits of rows that the heads did not learn from.
        pairs: (pairs, 2) numbers of two heads that were calibrated with each other.
        links: (pairs, `LINK`) how: see `routesdk.heads.head.PairLink`.
    """

    table: HeadTable
    buckets: NDArray[np.int8]
    steps: NDArray[np.float32]
    shapes: NDArray[np.float32]
    bias: NDArray[np.float32]
    rarity: NDArray[np.float16]
    reference: NDArray[np.float16]
    pairs: NDArray[np.int16]
    links: NDArray[np.float32]

    @property
    def known(self) -> HeadSet:
        """The heads themselves, without their weights."""
        return HeadSet(models=self.table.models, tiers=self.table.tiers, pairs=self.pairs, links=self.links)

    def save(self, folder: Path, stem: str) -> None:
        """Write two files into a folder, `stem`.json and `stem`.safetensors."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        write_heads(self.table, folder / f"{stem}.json", arrays, folder / f"{stem}.safetensors")

    @classmethod
    def load(cls, folder: Path, stem: str) -> Heads:
        """Read what `save` wrote.

        Raises:
            CheckpointError: A file is missing, truncated, or not of this kind.
        """
        what = "the heads of a policy model"
        table = read_table(folder / f"{stem}.json", HeadTable, newest=FORMAT, what=what)
        arrays = read_arrays(folder / f"{stem}.safetensors", _shapes(table), table.heads)
        return cls(
            table=table,
            buckets=arrays["buckets"],
            steps=arrays["steps"],
            shapes=arrays["shapes"],
            bias=arrays["bias"],
            rarity=arrays["rarity"],
            reference=arrays["reference"],
            pairs=arrays["pairs"],
            links=arrays["links"],
        )


def quantised(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round weights, (columns, buckets), to eight bits a column, and say what one unit is worth."""
    steps = np.maximum(np.abs(weights).max(axis=1), 1e-12) / 127.0
    return np.rint(weights / steps[:, None]).astype(np.int8), steps.astype(np.float32)


def _shapes(table: HeadTable) -> Shapes:
    columns, buckets = columns_in(table.heads), 1 << table.bits
    return {
        "buckets": ((columns, buckets), np.int8),
        "steps": ((columns,), np.float32),
        "shapes": ((columns, SHAPES), np.float32),
        "bias": ((columns,), np.float32),
        "rarity": ((buckets,), np.float16),
        "reference": ((None, columns), np.float16),
    }
