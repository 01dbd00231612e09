"""From fitted weights to calibrated heads on hashed words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.calibrate import Judged, model_heads, pair_links, tier_heads
from routesdk.heads.fitting import Weights, columns_of, reference_rows
from routesdk.heads.rows import Rows
from routesdk.words.design import Scaling
from routesdk.words.heads import Heads, HeadTable, quantised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@attrs.frozen(eq=False)
class Learned:
    """What came of fitting.

    Attributes:
        rows: What was learned from.
        judged: Rows that were not, with their logits, which calibrate.
        weights: Of each task: of words, then of shapes, and the intercept.
    """

    rows: Rows
    judged: Judged
    weights: Weights


def assemble(
    learned: Learned, scaling: Scaling, tiers: tuple[str, ...], *, reference_count: int, seed: int
) -> Heads:
    """Calibrate the heads, undo the scaling of shapes, and round the weights of words to eight bits.

    Args:
        learned: What came of fitting.
        scaling: What the training rows fixed for all texts.
        tiers: Names of the tiers.
        reference_count: Rows that are kept for operating points, at most.
        seed: Seed of their draw.
    """
    rows, judged = learned.rows, learned.judged
    columns = columns_of(learned.weights)
    width = len(scaling.rarity)
    table = HeadTable(
        bits=width.bit_length() - 1,
        models=model_heads(rows, judged, columns),
        tiers=tier_heads(rows, judged, columns, tiers),
    )
    pairs, links = pair_links(rows, judged, len(table.tiers))
    matrix = np.stack([each for each in learned.weights if each is not None])
    buckets, steps = quantised(matrix[:, :width])
    shapes = matrix[:, width:-1] * scaling.factor
    return Heads(
        table=table,
        buckets=buckets,
        steps=steps,
        shapes=shapes.astype(np.float32),
        bias=(matrix[:, -1] - shapes @ scaling.mean).astype(np.float32),
        rarity=scaling.rarity,
        reference=reference_rows(judged.logits, list(columns), reference_count, seed),
        pairs=pairs,
        links=links,
    )
