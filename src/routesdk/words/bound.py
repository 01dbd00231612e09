"""The heads of the tiers that are bound, laid out so that a decision takes few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.joint import Joint
from routesdk.heads.mixed import Mixed, mix
from routesdk.types import Tier
from routesdk.words.features import SHAPES, Features, Single
from routesdk.words.heads import Heads

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class BoundHeads:
    """Calibrated logits of the bound tiers: first of correct, then of abstained.

    Attributes:
        table: (buckets, 2 * tiers + 1) weights of each bucket, times its rarity; in the last
            column its rarity squared.
        shapes: (`SHAPES`, 2 * tiers) weights of a text's shape.
        offset: (2 * tiers,) added to each logit.
        reference: (rows, 2 * tiers) logits of the reference rows.
        joint: What makes cells of logits.
    """

    table: NDArray[np.float32]
    shapes: NDArray[np.float32]
    offset: NDArray[np.float32]
    reference: NDArray[np.float32]
    joint: Joint
    _offsets: list[float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_offsets", self.offset.tolist())

    @classmethod
    def of(cls, heads: Heads, tiers: tuple[Tier, ...], named: bool = True) -> BoundHeads:
        """Pick the heads of the tiers' models, and generic ones for models that were never learned.

        Args:
            heads: All heads.
            tiers: Tiers with their models, cheapest first.
            named: Whether the models are meant; else the tiers in general are.
        """
        mixed, notices = mix(heads.known, tiers, named)
        return cls._laid_out(heads, mixed, notices)

    @classmethod
    def _laid_out(cls, heads: Heads, mixed: Sequence[Mixed], notices: tuple[str, ...]) -> BoundHeads:
        width = len(mixed)
        table = np.zeros((heads.buckets.shape[1], width + 1), dtype=np.float32)
        shapes = np.zeros((SHAPES, width), dtype=np.float32)
        offset = np.array([each.offset for each in mixed])
        reference = np.tile(offset.astype(np.float32), (len(heads.reference), 1))
        for at, each in enumerate(mixed):
            for output, factor in each.terms:
                if output.column is None:
                    offset[at] += factor * output.constant
                    reference[:, at] += factor * output.constant
                    continue
                # Calibration is linear in the logits, so it is done here once and for all.
                table[:, at] += heads.buckets[output.column] * np.float32(factor * heads.steps[output.column])
                shapes[:, at] += heads.shapes[output.column] * np.float32(factor)
                offset[at] += factor * heads.bias[output.column]
                reference[:, at] += heads.reference[:, output.column] * np.float32(factor)
        rarity = heads.rarity.astype(np.float32)
        table[:, -1] = rarity
        table *= rarity[:, None]
        return cls(
            table=table,
            shapes=shapes,
            offset=offset.astype(np.float32),
            reference=reference,
            joint=Joint.of(mixed, notices),
        )

    def logits(self, found: Features) -> NDArray[np.float32]:
        """Return the calibrated logits of some texts, (texts, 2 * tiers)."""
        rows = self.table.take(found.buckets, axis=0)
        rows *= found.first[:, None]
        sums = np.add.reduceat(rows, found.starts, axis=0)
        logits: NDArray[np.float32] = sums[:, :-1]
        # Words and pairs have length one together, however long the text is.
        logits /= np.sqrt(sums[:, -1:])
        logits += found.shapes @ self.shapes
        logits += self.offset
        return logits

    def logits_of_one(self, found: Single) -> list[float]:
        """Return the calibrated logits of one text: as `logits` does, with few operations."""
        *sums, square = np.add.reduce(self.table.take(found.buckets, axis=0), axis=0).tolist()
        shaped = found.shape.dot(self.shapes).tolist()
        scale = square**-0.5
        return [
            words * scale + shape + offset
            for words, shape, offset in zip(sums, shaped, self._offsets, strict=True)
        ]
