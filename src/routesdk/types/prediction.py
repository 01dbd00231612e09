"""What a policy model says of a query: one prediction, or a batch of them as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import PredictionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUM_TOLERANCE = 1e-4
"""How far probabilities may be from one in sum: wide enough for sums of float32."""


@attrs.frozen
class Prediction:
    """What a policy model expects of one query.

    Attributes:
        policies: The policies' names, in the matrix's order.
        values: Their probabilities, in the same order; they sum to one.
        correct: P(correct) of each tier, cheapest first; empty where the
            policy model knows policies alone.
        gains: Expected gain of each step between neighbouring tiers, in [-1, 1].
        derived: Whether the gains were derived from policy probabilities, not predicted.
    """

    policies: tuple[str, ...]
    values: tuple[float, ...]
    correct: tuple[float, ...]
    gains: tuple[float, ...]
    derived: bool = False

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Policy → probability."""
        return dict(zip(self.policies, self.values, strict=True))

    @property
    def expected_gain(self) -> float:
        """P(dearest tier correct) - P(cheapest tier correct)."""
        return math.fsum(self.gains)


@attrs.frozen(kw_only=True, eq=False)
class PredictionBatch:
    """Predictions of n queries, in exactly one of three forms.

    Attributes:
        cells: (n, 3 ** tiers) joint probabilities over the tiers' grades,
            the dearest tier's grade changing fastest, grades in the order of
            `GRADES`. Two tiers give the nine cells CC, CI, CA, IC, …
        weights: (n, k) weights of a mixture of per-tier products; with `grades`.
        grades: (n, k, tiers, 3) probabilities over grades, per component and tier.
        policies: (n, policies) probabilities over the names in `policy_names`.
        policy_names: The columns of `policies`.
        cut: (n,) whether a query was longer than the policy model reads; None for none.
        notices: What holds for the whole batch, such as a generic head in use.
    """

    cells: NDArray[np.floating] | None = None
    weights: NDArray[np.floating] | None = None
    grades: NDArray[np.floating] | None = None
    policies: NDArray[np.floating] | None = None
    policy_names: tuple[str, ...] = ()
    cut: NDArray[np.bool_] | None = None
    notices: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        given = [name for name in ("cells", "grades", "policies") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PredictionError("?", f"exactly one of cells, grades and policies is needed, not {given}")
        if (self.weights is None) != (self.grades is None):
            raise PredictionError("?", "weights and grades belong together")

    def __len__(self) -> int:
        for array in (self.cells, self.weights, self.policies):
            if array is not None:
                return int(array.shape[0])
        return 0

    def joint(self) -> NDArray[np.floating]:
        """Return (n, 3 ** tiers) probabilities over cells.

        Raises:
            PredictionError: The batch holds policy probabilities alone.
        """
        if self.cells is not None:
            return self.cells
        if self.weights is None or self.grades is None:
            raise PredictionError("?", "a batch of policy probabilities has no cells")
        product = self.grades[:, :, 0, :]
        for tier in range(1, self.grades.shape[2]):
            product = product[..., :, None] * self.grades[:, :, tier, None, :]
            product = product.reshape(*product.shape[:2], -1)
        mixed: NDArray[np.floating] = (self.weights[:, :, None] * product).sum(axis=1)
        return mixed
