"""Fits every task of a training run, on all rows or on those of other folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, TypeVar

import numpy as np

from routesdk.heads.task import Task, log_odds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Weights: TypeAlias = "Sequence[Floats | None]"
"""Weights of each task; None where it is constant on the rows that were seen."""


class Design(Protocol):
    """The features of some rows, in whatever form suits a policy model."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """Return the features of these rows alone."""
        ...

    def times(self, weights: Floats) -> Floats:
        """Return one number a row: the weighted sum of its features."""
        ...


D = TypeVar("D", bound=Design)

Fit: TypeAlias = "Callable[[D, Floats], Floats]"
"""From rows and a target for each, a probability, to weights."""


def fit_tasks(
    design: D, tasks: Sequence[Task], fit: Fit[D], seen: NDArray[np.bool_] | None = None
) -> list[Floats | None]:
    """Fit all tasks, on all of their rows or on those that may be seen.

    Args:
        design: Features of all rows.
        tasks: What is to be learned.
        fit: Fits one task.
        seen: (rows,) which rows may be learned from; None for all.
    """
    fitted: list[Floats | None] = []
    for task in tasks:
        chosen = slice(None) if seen is None else seen[task.rows]
        target = task.target[chosen]
        if task.constant is not None or not len(target) or target.min() == target.max():
            fitted.append(None)
            continue
        fitted.append(fit(design.rows(task.rows[chosen]), target))
    return fitted


def unseen_logits(design: D, tasks: Sequence[Task], fit: Fit[D], folds: NDArray[np.integer]) -> Floats:
    """Predict each row from the rows of the other folds, (rows, tasks).

    Args:
        design: Features of all rows.
        tasks: What is to be learned.
        fit: Fits one task.
        folds: (rows,) the fold of each; near-duplicates belong in one.
    """
    logits = np.zeros((len(design), len(tasks)))
    for fold in np.unique(folds).tolist():
        held = folds == fold
        chosen = np.flatnonzero(held)
        logits[chosen] = logits_of(design.rows(chosen), tasks, fit_tasks(design, tasks, fit, ~held))
    return logits


def logits_of(design: Design, tasks: Sequence[Task], weights: Weights) -> Floats:
    """Return the logits of all tasks, (rows, tasks)."""
    logits = np.empty((len(design), len(tasks)))
    for column, (task, weight) in enumerate(zip(tasks, weights, strict=True)):
        if weight is not None:
            logits[:, column] = design.times(weight)
        elif task.constant is not None:
            logits[:, column] = task.constant
        else:
            logits[:, column] = log_odds(task.target.sum(), (1.0 - task.target).sum())
    return logits


def columns_of(weights: Weights) -> dict[int, int]:
    """Number the tasks that have weights: task → column."""
    kept = [task for task, each in enumerate(weights) if each is not None]
    return {task: column for column, task in enumerate(kept)}


def reference_rows(logits: Floats, columns: Sequence[int], count: int, seed: int) -> NDArray[np.float16]:
    """Keep the logits of some rows, drawn by the seed, for operating points: (rows, columns).

    Args:
        logits: Logits of rows that the heads did not learn from, (rows, tasks).
        columns: The tasks that have weights, in the order of their columns.
        count: How many rows at most.
        seed: Seed of the draw.
    """
    chosen = np.random.default_rng(seed).permutation(len(logits))
    kept: NDArray[np.float16] = logits[np.sort(chosen[:count])][:, list(columns)].astype(np.float16)
    return kept
