"""The trainer `linear`: fits a head a model and a tier, and calibrates them on rows they never saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from routesdk.heads.calibrate import Judged
from routesdk.heads.fitting import fit_tasks, logits_of, unseen_logits
from routesdk.heads.reading import read
from routesdk.heads.rows import read_rows
from routesdk.heads.solver import Design, fit_logistic
from routesdk.heads.task import list_tasks
from routesdk.pipeline.split import folds
from routesdk.plugins.linear import LinearTrainerConfig
from routesdk.plugins.linear.model import STEM
from routesdk.types import Query, TrainJob
from routesdk.words.assembly import Learned, assemble
from routesdk.words.design import Scaling, all_features
from routesdk.words.features import Hasher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NAME = "linear"


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
        rows = read_rows(job.train, job.tiers, trainer=_NAME, read=_read)
        tasks = list_tasks(rows, _NAME)
        hasher = Hasher(self.config.bits)
        found = all_features(hasher, rows.texts)
        scaling = Scaling.of(
            found, 1 << hasher.bits, rarest=self.config.rarest, shape_scale=self.config.shape_scale
        )
        design = scaling.design(found)
        weights = fit_tasks(design, tasks, self._fit)
        if job.validation:
            others = read_rows(job.validation, job.tiers, trainer=_NAME, read=_read)
            unseen = scaling.design(all_features(hasher, others.texts))
            judged = Judged(others, logits_of(unseen, tasks, weights))
        else:
            parts = folds(rows.texts, count=self.config.folds, seed=job.seed)
            judged = Judged(rows, unseen_logits(design, tasks, self._fit, parts.codes))
        heads = assemble(
            Learned(rows, judged, weights),
            scaling,
            job.tiers,
            reference_count=self.config.reference_rows,
            seed=job.seed,
        )
        heads.save(job.output, STEM)
        return job.output

    def _fit(self, design: Design, target: Floats) -> Floats:
        return fit_logistic(design, target, self.config.penalty)


def _read(query: Query) -> str:
    return read(query)[0]
