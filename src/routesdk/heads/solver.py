"""Ridge-penalised logistic regression on sparse and dense features together, in numpy alone.

Newton's method, its steps found by conjugate gradients: no Hessian is ever formed.
The sums run in a fixed order, so that the same rows give the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEWTON_STEPS = 6
_CONJUGATE_STEPS = 25
# Inexact steps far from the optimum cost nothing in the end (Dembo et al. 1982).
_FORCING = 0.03
_CONVERGED = 2e-2
_FLATTEST = 1e-4


@attrs.frozen(eq=False)
class Design:
    """The rows of a regression: entries of a sparse matrix by row, and dense columns beside them.

    Attributes:
        starts: For each row, (rows,), its first entry; no row is empty.
        columns: (entries,) the column of each.
        values: (entries,) its value.
        dense: (rows, dense columns).
        width: Sparse columns.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    dense: NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def parameters(self) -> int:
        """How many weights there are; the last one is the intercept."""
        return self.width + int(self.dense.shape[1]) + 1

    def times(self, weights: Floats) -> Floats:
        """Return one number a row: the weighted sum of its features."""
        sparse = weights[: self.width].astype(np.float32)
        terms = sparse.take(self.columns) * self.values
        sums: Floats = np.add.reduceat(terms, self.starts).astype(np.float64)
        sums += self.dense @ weights[self.width : -1].astype(np.float32)
        sums += weights[-1]
        return sums

    def transposed_times(self, rows: Floats) -> Floats:
        """Return one number a feature: its sum over the rows, weighted."""
        spread = np.repeat(rows.astype(np.float32), np.diff(self.starts, append=len(self.columns)))
        sums = np.empty(self.parameters)
        sums[: self.width] = np.bincount(self.columns, weights=self.values * spread, minlength=self.width)
        sums[self.width : -1] = rows.astype(np.float32) @ self.dense
        sums[-1] = rows.sum()
        return sums

    def rows(self, chosen: NDArray[np.int64]) -> Design:
        """Return the design of these rows alone."""
        sizes = np.diff(self.starts, append=len(self.columns))[chosen]
        starts = np.cumsum(sizes) - sizes
        entries = np.arange(sizes.sum()) + np.repeat(self.starts[chosen] - starts, sizes)
        return attrs.evolve(
            self,
            starts=starts,
            columns=self.columns[entries],
            values=self.values[entries],
            dense=self.dense[chosen],
        )


def fit_logistic(design: Design, target: Floats, penalty: float) -> Floats:
    """Fit P(target) = s(features @ weights).

    Args:
        design: The rows.
        target: For each row, (rows,), a probability: 0, 1, or between them for soft labels.
        penalty: Weight of half the sum of squared weights, the intercept left out.

    Returns:
        The weights, (parameters,).
    """
    whole, (design, used) = design, _compact(design)
    ridge = np.full(design.parameters, penalty)
    ridge[-1] = 0.0
    weights = np.zeros(design.parameters)
    mean = np.clip(target.mean(), 1e-3, 1.0 - 1e-3)
    weights[-1] = np.log(mean / (1.0 - mean))
    for _ in range(_NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-design.times(weights)))
        curvature = np.maximum(chance * (1.0 - chance), _FLATTEST)
        slope = design.transposed_times(target - chance) - ridge * weights
        step = _newton_step(design, curvature, ridge, slope)
        weights += step
        if np.abs(step).max() < _CONVERGED:
            break
    spread = np.zeros(whole.parameters)
    spread[used] = weights[: design.width]
    spread[whole.width :] = weights[design.width :]
    return spread


def _compact(design: Design) -> tuple[Design, NDArray[np.int64]]:
    """Leave out the sparse columns that no row has: their weights are 0 in any case."""
    held = np.zeros(design.width, dtype=np.bool_)
    held[design.columns] = True
    used = np.flatnonzero(held)
    places = np.cumsum(held) - 1
    return attrs.evolve(design, columns=places[design.columns], width=len(used)), used


def _newton_step(design: Design, curvature: Floats, ridge: Floats, slope: Floats) -> Floats:
    """Solve Hessian @ step = slope by conjugate gradients, up to `_FORCING`."""
    step = np.zeros_like(slope)
    residual, direction = slope.copy(), slope.copy()
    norm = first = float(residual @ residual)
    for _ in range(_CONJUGATE_STEPS):
        if norm <= _FORCING**2 * first or norm == 0.0:
            break
        bent = design.transposed_times(curvature * design.times(direction)) + ridge * direction
        length = norm / float(direction @ bent)
        step += length * direction
        residual -= length * bent
        before, norm = norm, float(residual @ residual)
        direction = residual + (norm / before) * direction
    return step
