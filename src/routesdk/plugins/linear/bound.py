"""The heads of the tiers that are bound, laid out so that a decision takes few steps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.plugins.linear.features import SHAPES, Features, Single
from routesdk.plugins.linear.heads import Head, Heads, Output
from routesdk.plugins.linear.mixture import (
    WEIGHTS,
    grade_probabilities,
    one_pair_cells,
    shifts,
    two_tier_cells,
)
from routesdk.types import PredictionBatch, Tier

if TYPE_CHECKING:
    from numpy.typing import NDArray

Blend = tuple[tuple[Head, float], ...]
"""Heads with their shares, which sum to one."""


@attrs.frozen(eq=False)
class Mixed:
    """A calibrated logit as a sum of heads' logits.

    Attributes:
        terms: Outputs with their factors.
        offset: Added to the sum.
        loading: What one unit of hidden difficulty adds.
    """

    terms: tuple[tuple[Output, float], ...]
    offset: float
    loading: float

    @classmethod
    def alone(cls, outputs: Sequence[tuple[Output, float]]) -> Mixed:
        """Mix outputs that are calibrated each by itself."""
        return cls(
            terms=tuple((output, share * output.scale) for output, share in outputs),
            offset=sum(share * output.offset for output, share in outputs),
            loading=sum(share * output.loading for output, share in outputs),
        )


@attrs.frozen(kw_only=True, eq=False)
class BoundHeads:
    """Calibrated logits of the bound tiers: first of correct, then of abstained.

    Attributes:
        table: (buckets, 2 * tiers + 1) weights of each bucket, times its rarity; in the last
            column its rarity squared.
        shapes: (`SHAPES`, 2 * tiers) weights of a text's shape.
        offset: (2 * tiers,) added to each logit.
        shift: (2 * tiers, nodes) what the hidden difficulty adds.
        reference: (rows, 2 * tiers) logits of the reference rows.
        notices: What every batch says.
    """

    table: NDArray[np.float32]
    shapes: NDArray[np.float32]
    offset: NDArray[np.float32]
    shift: NDArray[np.float64]
    reference: NDArray[np.float32]
    notices: tuple[str, ...]
    _shift_by_node: list[list[float]] = attrs.field(init=False)
    _offsets: list[float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_offsets", self.offset.tolist())
        object.__setattr__(self, "_shift_by_node", self.shift.T.tolist())

    @classmethod
    def of(cls, heads: Heads, tiers: tuple[Tier, ...], named: bool = True) -> BoundHeads:
        """Pick the heads of the tiers' models, and generic ones for models that were never learned.

        Args:
            heads: All heads.
            tiers: Tiers with their models, cheapest first.
            named: Whether the models are meant; else the tiers in general are.
        """
        found = [heads.model(tier.model) if named else None for tier in tiers]
        learned = [head for head in found if head is not None]
        # A model's own head beside a generic one, or beside one that was taught by other rows, would
        # mostly tell whose rows the query resembles: their difference is no gain.
        if len(learned) == len(tiers) and all(
            heads.pair(cheaper, dearer) is not None for cheaper, dearer in itertools.pairwise(learned)
        ):
            blends: list[Blend] = [((head, 1.0),) for head in learned]
            return cls._laid_out(heads, _mixed(heads, blends), ())
        blends = [heads.blend(rank / max(1, len(tiers) - 1)) for rank in range(len(tiers))]
        notices = [
            f"{tier.model} was never {'learned' if head is None else 'graded on the same rows'}: "
            f"the generic head of the {tier.name} tier predicts"
            for tier, head in zip(tiers, found, strict=True)
            if named
        ]
        return cls._laid_out(heads, _mixed(heads, blends), tuple(notices))

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
            shift=shifts(np.array([each.loading for each in mixed])),
            reference=reference,
            notices=notices,
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

    def batch(
        self, logits: NDArray[np.float32], cut: NDArray[np.bool_] | None, notices: tuple[str, ...]
    ) -> PredictionBatch:
        """Turn logits into the joint of the tiers' grades: nine cells for two tiers, a mixture for more."""
        grades = grade_probabilities(logits, self.shift)
        if grades.shape[1] == 2:
            return PredictionBatch(cells=two_tier_cells(grades), cut=cut, notices=notices)
        weights = np.broadcast_to(WEIGHTS, (len(grades), len(WEIGHTS)))
        return PredictionBatch(weights=weights, grades=grades.transpose(0, 3, 1, 2), cut=cut, notices=notices)

    def one(
        self, logits: list[float], cut: NDArray[np.bool_] | None, notices: tuple[str, ...]
    ) -> PredictionBatch:
        """Turn one text's logits into what `batch` makes of them."""
        if len(logits) != 4:
            return self.batch(np.array([logits], dtype=np.float32), cut, notices)
        cells = np.array([one_pair_cells(logits, self._shift_by_node)])
        return PredictionBatch(cells=cells, cut=cut, notices=notices)


def _mixed(heads: Heads, blends: Sequence[Blend]) -> list[Mixed]:
    """Calibrate the tiers' logits: of correct, then of abstained."""
    whole = [blend[0][0] for blend in blends if len(blend) == 1]
    link = heads.pair(*whole) if len(blends) == len(whole) == 2 else None
    if link is None:
        correct = [Mixed.alone([(head.correct, share) for head, share in blend]) for blend in blends]
        abstained = [Mixed.alone([(head.abstained, share) for head, share in blend]) for blend in blends]
        return [*correct, *abstained]
    mixed = []
    for at in range(2):
        terms = [(head.correct, float(link.correct[at, other])) for other, head in enumerate(whole)]
        mixed.append(Mixed(tuple(terms), float(link.offset[0, at]), float(link.loading[0, at])))
    for at, head in enumerate(whole):
        terms = [(head.abstained, float(link.abstained[at]))]
        mixed.append(Mixed(tuple(terms), float(link.offset[1, at]), float(link.loading[1, at])))
    return mixed
