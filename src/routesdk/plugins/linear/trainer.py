"""The trainer `linear`: fits a head a model and a tier, and calibrates them on rows they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from routesdk.pipeline.split import folds
from routesdk.plugins.linear import LinearTrainerConfig
from routesdk.plugins.linear.calibrate import Judged, model_heads, pair_links, tier_heads
from routesdk.plugins.linear.design import Scaling, all_features
from routesdk.plugins.linear.features import Hasher
from routesdk.plugins.linear.heads import LINK, Heads, HeadTable, quantised
from routesdk.plugins.linear.rows import Rows, read_rows
from routesdk.plugins.linear.solver import Design, fit_logistic
from routesdk.plugins.linear.tasks import Task, list_tasks, log_odds
from routesdk.types import TrainJob

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Weights: TypeAlias = "Sequence[Floats | None]"
"""Weights of each task; None where it is constant on the rows that were seen."""


@attrs.frozen
class LinearTrainer:
    """Trains the policy model `linear` with numpy alone.

    Attributes:
        config: How it fits.
    """

    config: LinearTrainerConfig = attrs.field(factory=LinearTrainerConfig)

    def train(self, job: TrainJob) -> Path:
        """Fit, calibrate, and save in `job.output`.

        Without validation rows, calibration uses predictions from cross-validation,
        near-duplicates kept in one fold.

        Raises:
            TrainingError: There are too few rows, or all outcomes are alike.
            DatasetError: A row cannot be used.
        """
        rows = read_rows(job.train, job.tiers)
        tasks = list_tasks(rows)
        hasher = Hasher(self.config.bits)
        found = all_features(hasher, rows.texts)
        scaling = Scaling.of(
            found, 1 << hasher.bits, rarest=self.config.rarest, shape_scale=self.config.shape_scale
        )
        design = scaling.design(found)
        weights = self._fit(design, tasks, None)
        if job.validation:
            others = read_rows(job.validation, job.tiers)
            unseen = scaling.design(all_features(hasher, others.texts))
            judged = Judged(others, _logits(unseen, tasks, weights))
        else:
            judged = Judged(rows, self._unseen_logits(rows, design, tasks, job.seed))
        columns = _columns(weights)
        table = HeadTable(
            bits=self.config.bits,
            models=model_heads(rows, judged, columns),
            tiers=tier_heads(rows, judged, columns, job.tiers),
        )
        pairs = pair_links(rows, judged, len(table.tiers))
        chosen = np.random.default_rng(job.seed).permutation(len(judged.logits))
        reference = judged.logits[np.sort(chosen[: self.config.reference_rows])]
        heads = _rounded(table, weights, scaling, reference[:, list(columns)])
        attrs.evolve(heads, pairs=pairs[0], links=pairs[1]).save(job.output)
        return job.output

    def _fit(
        self, design: Design, tasks: Sequence[Task], seen: NDArray[np.bool_] | None
    ) -> list[Floats | None]:
        """Fit all tasks, on all of their rows or on those that may be seen."""
        fitted: list[Floats | None] = []
        for task in tasks:
            chosen = slice(None) if seen is None else seen[task.rows]
            target = task.target[chosen]
            if task.constant is not None or not len(target) or target.min() == target.max():
                fitted.append(None)
                continue
            part = design.rows(task.rows[chosen])
            fitted.append(fit_logistic(part, target, self.config.penalty))
        return fitted

    def _unseen_logits(self, rows: Rows, design: Design, tasks: Sequence[Task], seed: int) -> Floats:
        """Predict each row from the rows of the other folds."""
        parts = folds(rows.texts, count=self.config.folds, seed=seed)
        logits = np.zeros((len(rows.texts), len(tasks)))
        for fold in range(self.config.folds):
            held = parts.codes == fold
            if held.any():
                chosen = np.flatnonzero(held)
                logits[chosen] = _logits(design.rows(chosen), tasks, self._fit(design, tasks, ~held))
        return logits


def _columns(weights: Weights) -> dict[int, int]:
    """Number the tasks that have weights: task → column."""
    kept = [task for task, each in enumerate(weights) if each is not None]
    return {task: column for column, task in enumerate(kept)}


def _rounded(table: HeadTable, weights: Weights, scaling: Scaling, reference: Floats) -> Heads:
    """Undo the scaling of shapes, and round the weights of words to eight bits."""
    matrix = np.stack([each for each in weights if each is not None])
    width = len(scaling.rarity)
    buckets, steps = quantised(matrix[:, :width])
    shapes = matrix[:, width:-1] * scaling.factor
    return Heads(
        table=table,
        buckets=buckets,
        steps=steps,
        shapes=shapes.astype(np.float32),
        bias=(matrix[:, -1] - shapes @ scaling.mean).astype(np.float32),
        rarity=scaling.rarity,
        reference=reference.astype(np.float16),
        pairs=np.zeros((0, 2), dtype=np.int16),
        links=np.zeros((0, LINK), dtype=np.float32),
    )


def _logits(design: Design, tasks: Sequence[Task], weights: Weights) -> Floats:
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
