"""What is to be learned: two logits for each model, and for each tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import TrainingError
from routesdk.heads.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Fewer abstentions, or fewer wrong answers beside them, than this teach their share and no more.
_FEWEST_OF_A_KIND = 30
_FEWEST_ROWS = 20


@attrs.frozen(kw_only=True, eq=False)
class Task:
    """One logit to be learned.

    Attributes:
        rows: Rows that teach it, ascending; a row may stand there twice.
        target: For each, a probability.
        constant: The logit of its mean, where its rows are too alike to learn from.
    """

    rows: NDArray[np.int64]
    target: Floats
    constant: float | None


def list_tasks(rows: Rows, trainer: str) -> list[Task]:
    """List the tasks: correct and abstained for each model, then for each tier.

    Args:
        rows: What is learned from.
        trainer: Name of the trainer, for errors.

    Raises:
        TrainingError: There are too few rows, or all outcomes are alike.
    """
    tasks: list[Task] = []
    everywhere = np.arange(len(rows.texts))
    for model in range(len(rows.models)):
        tasks += _head_tasks(everywhere, rows.labels[:, model])
    for tier in range(rows.tiers.labels.shape[1] if len(rows.tiers.rows) else 0):
        tasks += _head_tasks(rows.tiers.rows, rows.tiers.labels[:, tier])
    _check(rows, tasks, trainer)
    return tasks


def _head_tasks(rows: NDArray[np.int64], labels: Floats) -> tuple[Task, Task]:
    known = ~np.isnan(labels[:, 0])
    rows, labels = rows[known], labels[known]
    right, wrong, passed = labels.T
    constant = (
        None if right.max(initial=0.0) > right.min(initial=1.0) else log_odds(right.sum(), (1 - right).sum())
    )
    unanswered = (wrong + passed) > 0.0
    few = min(passed.sum(), wrong.sum()) < _FEWEST_OF_A_KIND
    share = passed[unanswered] / (wrong + passed)[unanswered]
    return (
        Task(rows=rows, target=right, constant=constant),
        Task(
            rows=rows[unanswered],
            target=share,
            constant=log_odds(passed.sum(), wrong.sum()) if few else None,
        ),
    )


def log_odds(yes: float, no: float) -> float:
    """Return the logit of a share that was counted."""
    # Half a row more on each side: what was never seen is rare, not impossible.
    return float(np.log((yes + 0.5) / (no + 0.5)))


def _check(rows: Rows, tasks: list[Task], trainer: str) -> None:
    graded = int((~np.isnan(rows.labels[..., 0])).any(axis=1).sum())
    if graded < _FEWEST_ROWS:
        fix = f"Give at least {_FEWEST_ROWS} graded rows; some hundreds teach something."
        raise TrainingError(trainer, f"there are {graded} graded rows", fix)
    if all(task.constant is not None for task in tasks):
        fix = "Give rows on which a model is sometimes right and sometimes wrong."
        raise TrainingError(trainer, "every model has the same grade on all of its rows", fix)
