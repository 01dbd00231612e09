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

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Gauss-Hermite quadrature with five nodes is exact for polynomials of z up to degree 9.
_ROOTS, _ROOT_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
NODES: Floats = _ROOTS
WEIGHTS: Floats = _ROOT_WEIGHTS / _ROOT_WEIGHTS.sum()

_NODE_WEIGHTS: list[float] = WEIGHTS.tolist()

# Beyond these a probability is 0 or 1 in all its digits, and the exponential may overflow.
_STEEPEST = 30.0

_STEPS = 400
_RATE = 0.05
_SMALLEST = 1e-9
# A pull towards the logits as they came: a few graded rows must not turn a head over.
_PRIOR = 2.0


@attrs.frozen(kw_only=True, eq=False)
class Link:
    """From a model's two logits to its grades, given the hidden difficulty; one entry a model.

    Attributes:
        scale: Factors of the logits, (2, models): correct, abstained.
        offset: Added to them, (2, models).
        loading: What the hidden difficulty adds, (2, models).
    """

    scale: Floats
    offset: Floats
    loading: Floats


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
    chance = np.clip(logits, -_STEEPEST, _STEEPEST)[:, :, None] + shift
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
    cheap, dear, cheap_idle, dear_idle = [min(max(logit, -_STEEPEST), _STEEPEST) for logit in logits]
    cells = [0.0] * 9
    for (add_cheap, add_dear, add_cheap_idle, add_dear_idle), weight in zip(
        shift, _NODE_WEIGHTS, strict=True
    ):
        right = 1.0 / (1.0 + exp(-cheap - add_cheap))
        passed = (1.0 - right) / (1.0 + exp(-cheap_idle - add_cheap_idle))
        dear_right = 1.0 / (1.0 + exp(-dear - add_dear))
        dear_passed = (1.0 - dear_right) / (1.0 + exp(-dear_idle - add_dear_idle))
        dear_wrong = 1.0 - dear_right - dear_passed
        at = 0
        for share in (right * weight, (1.0 - right - passed) * weight, passed * weight):
            cells[at] += share * dear_right
            cells[at + 1] += share * dear_wrong
            cells[at + 2] += share * dear_passed
            at += 3
    return cells


def fit_link(logits: Floats, labels: Floats) -> Link:
    """Find the link under which the grades of all rows are likeliest together.

    Args:
        logits: Out-of-sample logits, (rows, 2, models).
        labels: Probabilities of the grades, (rows, models, 3); NaN where a model was not graded.
    """
    known = ~np.isnan(labels[..., 0])
    target = np.where(known[..., None], labels, 0.0)
    shape = logits.shape[1:]
    parameters = np.stack([np.ones(shape), np.zeros(shape), np.ones(shape)])
    # Those who abstain on what is hard load the other way.
    parameters[2, 1] = -0.5
    start, mean, spread = parameters.copy(), np.zeros_like(parameters), np.zeros_like(parameters)
    for step in range(1, _STEPS + 1):
        slope = _slope(parameters, logits, target) - _PRIOR * (parameters - start)
        # Adam: the scales of the three kinds of parameters differ too much for plain ascent.
        mean = 0.9 * mean + 0.1 * slope
        spread = 0.99 * spread + 0.01 * slope**2
        rate = _RATE * (1.0 - step / (_STEPS + 1))
        corrected = mean / (1 - 0.9**step) / (np.sqrt(spread / (1 - 0.99**step)) + 1e-8)
        parameters = parameters + rate * corrected
    return Link(scale=parameters[0], offset=parameters[1], loading=parameters[2])


def _slope(parameters: Floats, logits: Floats, target: Floats) -> Floats:
    """Return the gradient of the log likelihood in scale, offset and loading, (3, 2, models)."""
    scale, offset, loading = parameters
    # (rows, nodes, 2, models)
    shifted = (scale * logits + offset)[:, None] + NODES[:, None, None] * loading
    chance = 1.0 / (1.0 + np.exp(-shifted))
    right, idle = chance[:, :, 0], chance[:, :, 1]
    won, lost, passed = (target[:, None, :, grade] for grade in range(3))
    likelihood = (
        won * np.log(right + _SMALLEST)
        + (lost + passed) * np.log(1 - right + _SMALLEST)
        + passed * np.log(idle + _SMALLEST)
        + lost * np.log(1 - idle + _SMALLEST)
    ).sum(axis=2)
    likelihood += np.log(WEIGHTS)
    likelihood -= likelihood.max(axis=1, keepdims=True)
    share = np.exp(likelihood)
    share /= share.sum(axis=1, keepdims=True)
    pull = np.empty_like(shifted)
    pull[:, :, 0] = won - (won + lost + passed) * right
    pull[:, :, 1] = passed - (lost + passed) * idle
    pull *= share[:, :, None, None]
    over_nodes = pull.sum(axis=1)
    return np.stack(
        [
            (over_nodes * logits).sum(axis=0),
            over_nodes.sum(axis=0),
            np.einsum("rnkm,n->km", pull, NODES),
        ]
    )
