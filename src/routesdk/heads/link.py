"""Finds how models' logits become their grades: scales, offsets, and what the hidden difficulty adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.mixture import NODES, STEEPEST, WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS = 40
_HALVINGS = 12
_ENOUGH = 1e-3
# A pull towards the logits as they came: a few graded rows must not turn a head over.
_PRIOR = 5.0


@attrs.frozen(kw_only=True, eq=False)
class Link:
    """From models' logits to their grades, given the hidden difficulty.

    Attributes:
        correct: Weight of each model's logit of correct in each one's, (models, models).
        abstained: Factors of the logits of abstaining, (models,).
        offset: Added to the logits, (2, models): correct, abstained.
        loading: What one unit of hidden difficulty adds, (2, models).
    """

    correct: Floats
    abstained: Floats
    offset: Floats
    loading: Floats


@attrs.frozen(eq=False)
class _Problem:
    """Logits, (rows, 2, models), what became of them, and which parameters may move."""

    logits: Floats
    won: Floats
    lost: Floats
    passed: Floats
    free: NDArray[np.bool_]
    start: Floats


def fit_link(logits: Floats, labels: Floats, *, crossed: bool = False) -> Link:
    """Find the link under which the grades of all rows are likeliest together.

    Args:
        logits: Logits of rows that the heads did not learn from, (rows, 2, models).
        labels: Probabilities of the grades, (rows, models, 3); NaN where a model was not graded.
        crossed: Whether one model's logit may speak for another's grade. What two heads
            have in common is surer than where they differ, so that gains come out too
            large where each head is calibrated by itself.

    Source: Berndt, Hall, Hall and Hausman, Estimation and Inference in Nonlinear
        Structural Models (1974), for steps by the outer product of gradients.
    """
    problem = _problem(logits, labels, crossed)
    found = problem.start
    value, slopes = _likelihood(problem, found)
    for _ in range(_STEPS):
        slope = slopes.sum(axis=0) - _PRIOR * (found - problem.start)[problem.free]
        bend = slopes.T @ slopes + _PRIOR * np.eye(len(slope))
        step = np.zeros_like(found)
        step[problem.free] = np.linalg.solve(bend, slope)
        before = value
        for _ in range(_HALVINGS):
            value, slopes = _likelihood(problem, found + step)
            if value >= before:
                break
            step *= 0.5
        else:
            break
        found = found + step
        if value - before < _ENOUGH:
            break
    models = logits.shape[2]
    matrix = found[: models**2].reshape(models, models)
    rest = found[models**2 :].reshape(5, models)
    return Link(correct=matrix, abstained=rest[0], offset=rest[1:3], loading=rest[3:])


def _problem(logits: Floats, labels: Floats, crossed: bool) -> _Problem:
    known = ~np.isnan(labels[..., 0])
    won, lost, passed = np.moveaxis(np.where(known[..., None], labels, 0.0), 2, 0)
    models = logits.shape[2]
    own = np.eye(models, dtype=bool)
    # Models that never abstain, or always, teach nothing of it.
    shy = np.full(models, bool(passed.any()))
    free = np.concatenate(
        [(own | crossed).ravel(), shy, np.ones(models, bool), shy, np.ones(models, bool), shy]
    )
    # Those who abstain on what is hard load the other way.
    ones, zeros = np.ones(models), np.zeros(models)
    start = np.concatenate([own.ravel(), ones, zeros, zeros, ones, -0.5 * shy])
    return _Problem(logits, won, lost, passed, free, start)


def _likelihood(problem: _Problem, found: Floats) -> tuple[float, Floats]:
    """Return the penalised log likelihood, and each row's gradient in the free parameters."""
    right, idle = problem.logits[:, 0], problem.logits[:, 1]
    models = right.shape[1]
    matrix = found[: models**2].reshape(models, models)
    scale, *offset_and_loading = found[models**2 :].reshape(5, models)
    base = right @ matrix.T + offset_and_loading[0]
    said, pull = _moved(base, offset_and_loading[2], problem.won, problem.lost + problem.passed)
    pulls = [pull]
    if problem.passed.any():
        shyness = idle * scale + offset_and_loading[1]
        more, pull = _moved(shyness, offset_and_loading[3], problem.passed, problem.lost)
        said += more
        pulls.append(pull)
    said += np.log(WEIGHTS)
    top = said.max(axis=1, keepdims=True)
    share = np.exp(said - top)
    total = share.sum(axis=1, keepdims=True)
    share /= total
    # Averages over the hidden difficulty, given the grades: (rows, models), and times the node.
    means = [np.einsum("nk,nkm->nm", share, each) for each in pulls]
    tilts = [np.einsum("nk,k,nkm->nm", share, NODES, each) for each in pulls]
    crossing = np.einsum("nm,nu->nmu", means[0], right).reshape(len(right), -1)
    if len(means) == 1:
        none = np.zeros_like(means[0])
        means.append(none)
        tilts.append(none)
    slopes = np.concatenate([crossing, means[1] * idle, means[0], means[1], tilts[0], tilts[1]], axis=1)
    away = (found - problem.start)[problem.free]
    value = float((np.log(total) + top).sum()) - 0.5 * _PRIOR * float(away @ away)
    return value, slopes[:, problem.free]


def _moved(base: Floats, loading: Floats, yes: Floats, no: Floats) -> tuple[Floats, Floats]:
    """Return the log likelihood of each node, (rows, nodes), and its slopes in the logits."""
    logits = np.clip(base[:, None] + NODES[:, None] * loading, -STEEPEST, STEEPEST)
    odds = np.exp(logits)
    known = (yes + no)[:, None]
    said = (yes[:, None] * logits - known * np.log1p(odds)).sum(axis=2)
    return said, yes[:, None] - known * (odds / (1.0 + odds))
