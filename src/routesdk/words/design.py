"""From texts to the design of a regression: rarity, length one, standardised shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.solver import Design
from routesdk.words.features import Features, Hasher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Characters that are rare in training spread little, and must not weigh the more where they abound.
_LEAST_SPREAD = 0.2


@attrs.frozen(kw_only=True, eq=False)
class Scaling:
    """What the training rows fix for all texts.

    Attributes:
        rarity: (buckets,) inverse document frequency.
        kept: (buckets,) whether a bucket may have weight.
        mean: (shapes,) of the shapes.
        factor: (shapes,) that standardises them, times their scale.
    """

    rarity: NDArray[np.float16]
    kept: NDArray[np.bool_]
    mean: NDArray[np.float32]
    factor: NDArray[np.float32]

    @classmethod
    def of(cls, found: Features, buckets: int, *, rarest: int, shape_scale: float) -> Scaling:
        """Measure the training rows."""
        having = np.bincount(found.buckets[found.first > 0.0], minlength=buckets)
        spread = np.maximum(found.shapes.std(axis=0), _LEAST_SPREAD)
        return cls(
            rarity=(1.0 + np.log((1.0 + len(found.starts)) / (1.0 + having))).astype(np.float16),
            kept=having >= rarest,
            mean=found.shapes.mean(axis=0),
            factor=(shape_scale / spread).astype(np.float32),
        )

    def design(self, found: Features) -> Design:
        """Lay out texts for the solver: words of length one, shapes beside them."""
        values = self.rarity[found.buckets].astype(np.float32) * found.first
        sizes = np.diff(found.starts, append=len(found.buckets))
        norms = np.sqrt(np.add.reduceat(values * values, found.starts))
        values /= np.repeat(norms, sizes)
        # Entries may go, but never all of a row's: the mark of its start is in every row.
        kept = self.kept[found.buckets] & (found.first > 0.0)
        left = np.add.reduceat(kept.astype(np.int64), found.starts)
        return Design(
            starts=np.cumsum(left) - left,
            columns=found.buckets[kept],
            values=values[kept],
            dense=(found.shapes - self.mean) * self.factor,
            width=len(self.rarity),
        )


def all_features(hasher: Hasher, texts: Sequence[str]) -> Features:
    """Return the features of all texts as one."""
    parts = list(hasher.features(texts))
    ends = np.cumsum([len(part.buckets) for part in parts])
    starts = [part.starts + end - len(part.buckets) for part, end in zip(parts, ends, strict=True)]
    return Features(
        np.concatenate(starts),
        np.concatenate([part.buckets for part in parts]),
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.shapes for part in parts]),
    )
