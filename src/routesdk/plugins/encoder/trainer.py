"""The trainer `encoder`: fits heads on an encoder's vectors and on words, and calibrates them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.reading import read
from routesdk.heads.rows import Rows, read_rows
from routesdk.heads.task import Task, list_tasks
from routesdk.pipeline.split import folds, split
from routesdk.plugins.encoder import EncoderTrainerConfig
from routesdk.plugins.encoder.engine import Engine
from routesdk.plugins.encoder.material import Material
from routesdk.plugins.encoder.onnx_engine import OnnxEngine
from routesdk.plugins.encoder.side import Ground
from routesdk.plugins.encoder.source import NAME, Source, open_source
from routesdk.plugins.encoder.stored import EncoderTable, Trained
from routesdk.types import Query, TrainJob
from routesdk.words.assembly import Learned, assemble
from routesdk.words.features import SHAPES

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class EncoderTrainer:
    """Trains the policy model `encoder`.

    Attributes:
        config: How it fits.
    """

    config: EncoderTrainerConfig = attrs.field(factory=EncoderTrainerConfig)

    def train(self, job: TrainJob) -> Path:
        """Fit, calibrate, and save in `job.output`.

        A frozen encoder is calibrated on the validation rows, or else by cross-validation. A
        tuned one has seen its rows, so that what it says of them is no measure: without
        validation rows, a fifth of the rows is held out, which stops the tuning, picks the
        penalty and calibrates. In the end, the heads are fitted on these rows too.

        Raises:
            TrainingError: There are too few rows, all outcomes are alike, or the encoder cannot be used.
            DatasetError: A row cannot be used.
            MissingExtraError: A package that the encoder needs is missing.
        """
        rows = read_rows(job.train, job.tiers, trainer=NAME, read=_read)
        list_tasks(rows, NAME)
        others = read_rows(job.validation, job.tiers, trainer=NAME, read=_read) if job.validation else None
        source, engine = open_source(self.config)
        held: NDArray[np.bool_] | None = None
        if self.config.tune == "lora":
            taught, stop = rows, others
            if stop is None:
                held = np.isin(np.arange(len(rows.texts)), split(rows.texts, seed=job.seed).rows("test"))
                taught, stop = rows.take(np.flatnonzero(~held)), rows.take(np.flatnonzero(held))
            engine = self._tuned(engine, taught, stop, job.seed)
        self._fitted(job, rows, others, held, source, engine).save(job.output)
        return job.output

    def _tuned(self, engine: Engine, rows: Rows, others: Rows, seed: int) -> Engine:
        from routesdk.plugins.encoder.lora import tune

        return tune(engine, rows, others, self.config, seed)

    def _fitted(  # noqa: PLR0917 - all that training has found
        self,
        job: TrainJob,
        rows: Rows,
        others: Rows | None,
        held: NDArray[np.bool_] | None,
        source: Source,
        engine: Engine,
    ) -> Trained:
        """Fit the heads, those that calibrate and those that are kept."""
        ground = Ground.of(engine, rows, self.config.bits)
        whole = ground.side(rows)
        tasks = known = list_tasks(rows, NAME)
        parts = np.zeros(len(rows.texts), dtype=np.int64)
        if held is not None:
            taught, unseen = whole.take(np.flatnonzero(~held)), whole.take(np.flatnonzero(held))
            tasks, known = _aligned(tasks, list_tasks(taught.rows, NAME))
            material = Material(taught=taught, held=unseen, folds=parts)
        elif others is not None:
            material = Material(taught=whole, held=ground.side(others), folds=parts)
        else:
            parts = folds(rows.texts, count=self.config.folds, seed=job.seed).codes
            material = Material(taught=whole, held=None, folds=parts)
        penalty = self.config.penalty or material.pick_penalty(known)
        judged = material.unseen(known, penalty)
        weights = attrs.evolve(material, taught=whole).fit(tasks, penalty)
        plain, own = ground.standard.parted(weights, (1 << self.config.bits) + SHAPES)
        heads = assemble(
            Learned(rows, judged, plain),
            ground.scaling,
            job.tiers,
            reference_count=self.config.reference_rows,
            seed=job.seed,
        )
        return Trained(table=_table(engine, source, penalty), heads=heads, vectors=own, engine=engine)


def _aligned(tasks: Sequence[Task], others: Sequence[Task]) -> tuple[list[Task], list[Task]]:
    """Let tasks of all rows and of some be constant together: the same ones must have weights."""
    pairs = [
        (one.constant if other.constant is None else other.constant, one, other)
        for one, other in zip(tasks, others, strict=True)
    ]
    return (
        [attrs.evolve(one, constant=constant) for constant, one, _ in pairs],
        [attrs.evolve(other, constant=constant) for constant, _, other in pairs],
    )


def _table(engine: Engine, source: Source, penalty: float) -> EncoderTable:
    return EncoderTable(
        engine=engine.kind,
        max_tokens=engine.max_tokens,
        penalty=penalty,
        hub_id=source.hub_id,
        commit=source.commit,
        pooling=engine.pooling if isinstance(engine, OnnxEngine) else None,
    )


def _read(query: Query) -> str:
    return read(query)[0]
