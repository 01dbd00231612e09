"""Rows as a regression takes them: words and shapes, and beside them the encoder's vector, standardised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from routesdk.heads.calibrate import Judged, companions, labels_for
from routesdk.heads.fitting import Weights, fit_tasks, logits_of
from routesdk.heads.rows import Rows
from routesdk.heads.solver import Design, fit_logistic
from routesdk.heads.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Penalties of the vector that are tried: the larger, the more is left to the words."""

Groups: TypeAlias = Sequence[Sequence[int]]
"""Numbers of heads that go together."""

# What a vector says of a question's difficulty is the same for all models, and well founded. Where it
# parts one model from another, there is little to learn from: that is held down so much more. Chosen by
# cross-validation within the train parts of four pairs, where it ranked gains better on each of them.
_APART = 10.0
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

    def parted(self, weights: Weights, words: int) -> tuple[Weights, NDArray[np.float32]]:
        """Part weights into those of words and shapes, and those of the vector as the encoder makes it.

        Args:
            weights: Weights of each task: `words` numbers, then the vector's, then the intercept.
            words: Numbers of words and shapes.

        Returns:
            Of each task, words, shapes and intercept; and the vector's, (columns, width).
        """
        plain: list[Floats | None] = []
        vectors = []
        for each in weights:
            if each is None:
                plain.append(None)
                continue
            vector = each[words:-1] / self.spread
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

    def design(self, penalty: float = 1.0) -> Design:
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

    def fit(
        self,
        tasks: Sequence[Task],
        penalty: float,
        *,
        groups: Groups | None = None,
        seen: NDArray[np.bool_] | None = None,
    ) -> list[Floats | None]:
        """Fit tasks, two a head; heads of a group share what the vector says of all of them.

        Args:
            tasks: Correct and abstained of each head.
            penalty: Of the vector.
            groups: Heads that were graded on the same rows; None for those of all models and tiers.
            seen: (rows,) which rows may be learned from; None for all.
        """
        weights = self._fit(tasks, penalty, seen)
        correct = self._fit(tasks[::2], _APART * penalty, seen)
        for group in self._groups(len(tasks) // 2) if groups is None else groups:
            known = [(head, one) for head in group if (one := correct[head]) is not None]
            shared = [one for head, _ in known if (one := weights[2 * head]) is not None]
            if len(known) < 2 or len(shared) < len(known):
                continue
            move = np.mean(shared, axis=0) - np.mean([one for _, one in known], axis=0)
            for head, one in known:
                weights[2 * head] = one + move
        return weights

    def unseen(self, tasks: Sequence[Task], penalty: float, groups: Groups | None = None) -> Judged:
        """Return logits of rows by weights that were not fitted on them."""
        if self.held is not None:
            weights = self.fit(tasks, penalty, groups=groups)
            return Judged(self.held.rows, logits_of(self.held.design(), tasks, weights))
        design = self.taught.design()
        logits = np.zeros((len(design), len(tasks)))
        for fold in np.unique(self.folds).tolist():
            held = self.folds == fold
            chosen = np.flatnonzero(held)
            weights = self.fit(tasks, penalty, groups=groups, seen=~held)
            logits[chosen] = logits_of(design.rows(chosen), tasks, weights)
        return Judged(self.taught.rows, logits)

    def pick_penalty(self, tasks: Sequence[Task]) -> float:
        """Return the penalty under which the correct answers of unseen rows are likeliest."""
        models = self.taught.rows.models
        judges = self.taught.rows if self.held is None else self.held.rows
        tiered = len(tasks) > 2 * len(models) and len(judges.tiers.rows) > 0
        first = 2 * len(models)
        # The tiers stand for all of their models; abstaining has too few rows to choose by.
        chosen = tasks[first:] if tiered else tasks[:first]
        plain = [task if at % 2 == 0 else attrs.evolve(task, constant=0.0) for at, task in enumerate(chosen)]

        def surprise(penalty: float) -> float:
            together = [list(range(len(plain) // 2))] if tiered else None
            judged = self.unseen(plain, penalty, together)
            if not tiered:
                return _surprise(judged.logits, labels_for(models, judged.rows))
            return _surprise(judged.logits[judged.rows.tiers.rows], judged.rows.tiers.labels)

        return min(PENALTIES, key=surprise)

    def _fit(
        self, tasks: Sequence[Task], penalty: float, seen: NDArray[np.bool_] | None
    ) -> list[Floats | None]:
        """Fit each task by itself; the weights are those of vectors without a scale."""
        weights = fit_tasks(self.taught.design(penalty), tasks, _logistic, seen)
        width = self.taught.vectors.shape[1]
        for each in weights:
            if each is not None:
                each[-1 - width : -1] /= np.sqrt(penalty)
        return weights

    def _groups(self, heads: int) -> Groups:
        """Group the heads that were graded on the same rows: models, and the tiers."""
        models = len(self.taught.rows.models)
        return [*companions(self.taught.rows.labels), list(range(models, heads))]


def _surprise(logits: Floats, labels: Floats) -> float:
    """Return the mean cross-entropy of correct answers, (rows, heads, 3), where they are known."""
    logit = np.clip(logits[:, ::2], -30.0, 30.0)
    right = labels[..., 0]
    return float(np.nanmean(np.logaddexp(0.0, logit) - right * logit))


def _logistic(design: Design, target: Floats) -> Floats:
    return fit_logistic(design, target, _WORD_PENALTY)
