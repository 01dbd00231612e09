"""Rows as a regression takes them: words and shapes, and beside them the encoder's vector, standardised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.calibrate import Judged, labels_for
from routesdk.heads.fitting import Weights, fit_tasks, logits_of, unseen_logits
from routesdk.heads.rows import Rows
from routesdk.heads.solver import Design, fit_logistic
from routesdk.heads.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PENALTIES = (100.0, 300.0, 1000.0, 2500.0, 5000.0, 10000.0)
"""Penalties of the vector that are tried: the larger, the more is left to the words."""

# The ridge of words, as `linear` has it.
_WORD_PENALTY = 1.0
# A number that hardly varies must not weigh the more for it.
_LEAST_SPREAD = 1e-2


@attrs.frozen(eq=False)
class Standard:
    """Mean and spread of the training rows' vectors, (width,) each."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Standard:
        """Measure the training rows."""
        spread = vectors.std(axis=0, dtype=np.float64)
        least = max(_LEAST_SPREAD * float(spread.max(initial=0.0)), 1e-9)
        return cls(vectors.mean(axis=0, dtype=np.float64), np.maximum(spread, least))

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise vectors."""
        return ((vectors - self.mean) / self.spread).astype(np.float32)

    def parted(self, weights: Weights, words: int, penalty: float) -> tuple[Weights, NDArray[np.float32]]:
        """Part weights into those of words and shapes, and those of the vector as the encoder makes it.

        Args:
            weights: Weights of each task: `words` numbers, then the vector's, then the intercept.
            words: Numbers of words and shapes.
            penalty: What the vector's were fitted with.

        Returns:
            Of each task, words, shapes and intercept; and the vector's, (columns, width).
        """
        plain: list[Floats | None] = []
        vectors = []
        for each in weights:
            if each is None:
                plain.append(None)
                continue
            vector = each[words:-1] / (np.sqrt(penalty) * self.spread)
            vectors.append(vector)
            plain.append(np.append(each[:words], each[-1] - vector @ self.mean))
        return plain, np.stack(vectors).astype(np.float32)


@attrs.frozen(eq=False)
class Side:
    """Some rows, those that teach or those that judge.

    Attributes:
        rows: The rows.
        words: Their words and shapes.
        vectors: What the encoder makes of them, standardised, (rows, width).
    """

    rows: Rows
    words: Design
    vectors: NDArray[np.float32]

    def design(self, penalty: float) -> Design:
        """Put the vectors beside the words; a penalty is a scale, the words' being fixed."""
        scaled = self.vectors * np.float32(1.0 / np.sqrt(penalty))
        return attrs.evolve(self.words, dense=np.concatenate([self.words.dense, scaled], axis=1))


@attrs.frozen(kw_only=True, eq=False)
class Material:
    """Rows to learn from, and what judges what was learned.

    Attributes:
        taught: Rows to learn from.
        held: Rows that judge; None for cross-validation.
        folds: (rows,) the fold of each taught row, for cross-validation.
    """

    taught: Side
    held: Side | None
    folds: NDArray[np.integer]

    def fit(self, tasks: Sequence[Task], penalty: float) -> Weights:
        """Fit tasks on all rows that teach."""
        return fit_tasks(self.taught.design(penalty), tasks, _fit)

    def unseen(self, tasks: Sequence[Task], penalty: float) -> Judged:
        """Return logits of rows by weights that were not fitted on them."""
        if self.held is not None:
            logits = logits_of(self.held.design(penalty), tasks, self.fit(tasks, penalty))
            return Judged(self.held.rows, logits)
        design = self.taught.design(penalty)
        return Judged(self.taught.rows, unseen_logits(design, tasks, _fit, self.folds))

    def pick_penalty(self, tasks: Sequence[Task]) -> float:
        """Return the penalty that predicts gains best on unseen rows, or chances where no tiers are named."""
        models = len(self.taught.rows.models)
        judges = self.taught.rows if self.held is None else self.held.rows
        tiered = len(tasks) > 2 * models and len(judges.tiers.rows) > 0
        # Tasks alternate: correct, abstained. Abstaining decides no gain.
        chosen = tasks[2 * models :: 2] if tiered else tasks[: 2 * models : 2]
        error = _gain_error if tiered else _chance_error
        taught = self.taught.rows.models
        return min(PENALTIES, key=lambda penalty: error(self.unseen(chosen, penalty), taught))


def _gain_error(judged: Judged, models: tuple[str, ...]) -> float:
    """Return the mean squared error of the gains between neighbouring tiers."""
    tiers = judged.rows.tiers
    chance = _chances(judged.logits[tiers.rows])
    missed = np.diff(chance, axis=1) - np.diff(tiers.labels[..., 0], axis=1)
    return float(np.nanmean(missed**2))


def _chance_error(judged: Judged, models: tuple[str, ...]) -> float:
    """Return the mean squared error of P(correct) over all models."""
    missed = _chances(judged.logits) - labels_for(models, judged.rows)[..., 0]
    return float(np.nanmean(missed**2))


def _chances(logits: Floats) -> Floats:
    chances: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
    return chances


def _fit(design: Design, target: Floats) -> Floats:
    return fit_logistic(design, target, _WORD_PENALTY)
