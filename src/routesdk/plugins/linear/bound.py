"""The heads of the tiers that are bound, laid out so that a decision takes few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.plugins.linear.features import SHAPES, Features
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


@attrs.frozen(kw_only=True, eq=False)
class BoundHeads:
    """Calibrated logits of the bound tiers: first of correct, then of abstained.

    Attributes:
        table: (buckets, 2 * tiers + 1) weights of each bucket; its rarity in the last column.
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

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_shift_by_node", self.shift.T.tolist())

    @classmethod
    def of(cls, heads: Heads, tiers: tuple[Tier, ...], named: bool = True) -> BoundHeads:
        """Pick the heads of the tiers' models, and generic ones for models that were never learned.

        Args:
            heads: All heads.
            tiers: Tiers with their models, cheapest first.
            named: Whether the models are meant; else the tiers in general are.
        """
        blends: list[Blend] = []
        notices: list[str] = []
        for rank, tier in enumerate(tiers):
            head = heads.model(tier.model) if named else None
            if head is not None:
                blends.append(((head, 1.0),))
                continue
            blends.append(heads.blend(rank / max(1, len(tiers) - 1)))
            if named:
                notices.append(
                    f"{tier.model} was never learned: the generic head of the {tier.name} tier predicts"
                )
        outputs = [[(head.correct, share) for head, share in blend] for blend in blends]
        outputs += [[(head.abstained, share) for head, share in blend] for blend in blends]
        return cls._laid_out(heads, outputs, tuple(notices))

    @classmethod
    def _laid_out(
        cls, heads: Heads, outputs: Sequence[Sequence[tuple[Output, float]]], notices: tuple[str, ...]
    ) -> BoundHeads:
        width = len(outputs)
        table = np.zeros((heads.buckets.shape[1], width + 1), dtype=np.float32)
        shapes = np.zeros((SHAPES, width), dtype=np.float32)
        offset, loading = np.zeros(width), np.zeros(width)
        reference = np.zeros((len(heads.reference), width), dtype=np.float32)
        for at, blend in enumerate(outputs):
            for output, share in blend:
                offset[at] += share * output.offset
                loading[at] += share * output.loading
                if output.column is None:
                    continue
                factor = share * output.scale
                # Calibration is linear in the logit, so it is done here once and for all.
                table[:, at] += heads.buckets[output.column] * np.float32(factor * heads.steps[output.column])
                shapes[:, at] += heads.shapes[output.column] * np.float32(factor)
                offset[at] += factor * heads.bias[output.column]
                reference[:, at] += heads.reference[:, output.column] * np.float32(factor)
            reference[:, at] += sum(share * output.offset for output, share in blend)
        table[:, -1] = heads.rarity
        return cls(
            table=table,
            shapes=shapes,
            offset=offset.astype(np.float32),
            shift=shifts(loading),
            reference=reference,
            notices=notices,
        )

    def logits(self, found: Features) -> NDArray[np.float32]:
        """Return the calibrated logits of some texts, (texts, 2 * tiers)."""
        rows = self.table.take(found.buckets, axis=0)
        values = rows[:, -1] * found.first
        if len(found.starts) == 1:
            logits: NDArray[np.float32] = values.dot(rows)[None, :-1]
            logits *= float(values.dot(values)) ** -0.5
        else:
            rows *= values[:, None]
            sums = np.add.reduceat(rows, found.starts, axis=0)
            sizes = np.sqrt(np.add.reduceat(values * values, found.starts))
            sums /= sizes[:, None]
            logits = sums[:, :-1]
        logits += found.shapes @ self.shapes
        logits += self.offset
        return logits

    def batch(
        self, logits: NDArray[np.float32], cut: NDArray[np.bool_] | None, notices: tuple[str, ...]
    ) -> PredictionBatch:
        """Turn logits into the joint of the tiers' grades: nine cells for two tiers, a mixture for more."""
        if logits.shape == (1, 4):
            cells = np.array([one_pair_cells(logits[0].tolist(), self._shift_by_node)])
            return PredictionBatch(cells=cells, cut=cut, notices=notices)
        grades = grade_probabilities(logits, self.shift)
        if grades.shape[1] == 2:
            return PredictionBatch(cells=two_tier_cells(grades), cut=cut, notices=notices)
        weights = np.broadcast_to(WEIGHTS, (len(grades), len(WEIGHTS)))
        return PredictionBatch(weights=weights, grades=grades.transpose(0, 3, 1, 2), cut=cut, notices=notices)
