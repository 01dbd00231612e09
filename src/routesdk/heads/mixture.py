"""How the tiers' grades hang together: one hidden difficulty that all models feel.

Given a query, every model's grade depends on one hidden variable z, which is normal:
P(correct | z) = s(c + z * loading), P(abstained | not correct, z) = s(a + z * abstain
loading), with s the logistic function. Given z, models are independent. So any
number of models has a joint, and a bare product of marginals is the case of loadings 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Gauss-Hermite quadrature; with three nodes in place of five, confidences came out too high.
_ROOTS, _ROOT_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
NODES: Floats = _ROOTS
WEIGHTS: Floats = _ROOT_WEIGHTS / _ROOT_WEIGHTS.sum()

_NODE_WEIGHTS: list[float] = WEIGHTS.tolist()

STEEPEST = 30.0
"""Logits beyond this are cut: the probability is 0 or 1 in all that counts, and nothing overflows."""


def shifts(loading: Floats) -> Floats:
    """Return what the hidden difficulty adds to each logit at each node, (2 * models, nodes)."""
    return loading[:, None] * NODES


def grade_probabilities(logits: NDArray[np.floating], shift: Floats) -> Floats:
    """Return P(grade | node), (rows, models, 3, nodes), in the order correct, incorrect, abstained.

    Args:
        logits: Scaled logits, (rows, 2 * models): of correct, then of abstained where not correct.
        shift: See `shifts`.
    """
    models = len(shift) // 2
    # In place: a batch is read and written many times here.
    chance = np.clip(logits, -STEEPEST, STEEPEST)[:, :, None] + shift
    np.negative(chance, out=chance)
    np.exp(chance, out=chance)
    chance += 1.0
    np.reciprocal(chance, out=chance)
    right, idle = chance[:, :models], chance[:, models:]
    grades = np.empty((len(chance), models, 3, len(NODES)))
    grades[:, :, 0] = right
    wrong = grades[:, :, 1]
    np.subtract(1.0, right, out=wrong)
    passed = grades[:, :, 2]
    np.multiply(wrong, idle, out=passed)
    wrong -= passed
    return grades


def two_tier_cells(grades: Floats) -> Floats:
    """Mix the products of two tiers' grades, (rows, 2, 3, nodes), into nine cells, (rows, 9)."""
    cells: Floats = np.matmul(grades[:, 0] * WEIGHTS, grades[:, 1].transpose(0, 2, 1))
    return cells.reshape(-1, 9)


def one_pair_cells(logits: Sequence[float], shift: Sequence[Sequence[float]]) -> list[float]:
    """Return the nine cells of one query and two tiers: what the two functions above do, for one row.

    Written out in plain numbers, since a dozen operations on arrays of five take twice as long.

    Args:
        logits: Scaled logits: correct and correct, then abstained and abstained.
        shift: `shifts` transposed: for each node, what it adds to the four.
    """
    exp = math.exp
    cheap, dear, cheap_idle, dear_idle = [min(max(logit, -STEEPEST), STEEPEST) for logit in logits]
    cc = ci = ca = ic = ii = ia = ac = ai = aa = 0.0
    for (add_cheap, add_dear, add_cheap_idle, add_dear_idle), weight in zip(
        shift, _NODE_WEIGHTS, strict=True
    ):
        right = weight / (1.0 + exp(-cheap - add_cheap))
        passed = (weight - right) / (1.0 + exp(-cheap_idle - add_cheap_idle))
        wrong = weight - right - passed
        dear_right = 1.0 / (1.0 + exp(-dear - add_dear))
        dear_passed = (1.0 - dear_right) / (1.0 + exp(-dear_idle - add_dear_idle))
        dear_wrong = 1.0 - dear_right - dear_passed
        cc += right * dear_right
        ci += right * dear_wrong
        ca += right * dear_passed
        ic += wrong * dear_right
        ii += wrong * dear_wrong
        ia += wrong * dear_passed
        ac += passed * dear_right
        ai += passed * dear_wrong
        aa += passed * dear_passed
    return [cc, ci, ca, ic, ii, ia, ac, ai, aa]
