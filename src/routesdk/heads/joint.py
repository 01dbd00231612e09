"""From the bound tiers' calibrated logits to the joint of their grades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.mixed import Mixed
from routesdk.heads.mixture import WEIGHTS, grade_probabilities, one_pair_cells, shifts, two_tier_cells
from routesdk.types import PredictionBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class Joint:
    """What the bound tiers' grades have in common.

    Attributes:
        shift: (2 * tiers, nodes) what the hidden difficulty adds to each logit.
        notices: What every batch says.
    """

    shift: NDArray[np.float64]
    notices: tuple[str, ...]
    _shift_by_node: list[list[float]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_shift_by_node", self.shift.T.tolist())

    @classmethod
    def of(cls, mixed: Sequence[Mixed], notices: tuple[str, ...]) -> Joint:
        """Take the loadings of the tiers' logits; see `mix`."""
        return cls(shift=shifts(np.array([each.loading for each in mixed])), notices=notices)

    @property
    def tiers(self) -> int:
        """How many tiers are bound."""
        return len(self.shift) // 2

    def batch(self, logits: NDArray[np.floating], cut: NDArray[np.bool_] | None) -> PredictionBatch:
        """Return nine cells a query for two tiers, a mixture of the tiers' products for more.

        Args:
            logits: Calibrated logits, (rows, 2 * tiers): of correct, then of abstained.
            cut: (rows,) whether a query was read in part alone.
        """
        grades = grade_probabilities(logits, self.shift)
        if grades.shape[1] == 2:
            return PredictionBatch(cells=two_tier_cells(grades), cut=cut, notices=self.notices)
        weights = np.broadcast_to(WEIGHTS, (len(grades), len(WEIGHTS)))
        return PredictionBatch(
            weights=weights, grades=grades.transpose(0, 3, 1, 2), cut=cut, notices=self.notices
        )

    def one(self, logits: list[float], cut: NDArray[np.bool_] | None) -> PredictionBatch:
        """Turn one query's logits into what `batch` makes of them, in fewer steps."""
        if len(logits) != 4:
            return self.batch(np.array([logits], dtype=np.float32), cut)
        cells = np.array([one_pair_cells(logits, self._shift_by_node)])
        return PredictionBatch(cells=cells, cut=cut, notices=self.notices)
