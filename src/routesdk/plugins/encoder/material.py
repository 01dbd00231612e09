"""Fits heads on words and on the encoder's vector together, and says how they do on unseen rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from routesdk.heads.calibrate import Judged, companions, labels_for
from routesdk.heads.fitting import fit_tasks, logits_of
from routesdk.heads.solver import Design, fit_logistic
from routesdk.heads.task import Task
from routesdk.plugins.encoder.side import Side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Penalties of the vector that are tried: the larger, the more is left to the words."""

Groups: TypeAlias = Sequence[Sequence[int]]
"""Numbers of heads that go together."""

# What a vector says of a question's difficulty is the same for all models, and well founded. Where it
# parts one model from another, there is little to learn from: that is held down so much more. Chosen by
# cross-validation within the train parts of four pairs, of one split: on each, it ranked gains better
# than the smaller penalty alone.
_APART = 10.0
# The ridge of words, as `linear` has it.
_WORD_PENALTY = 1.0


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
