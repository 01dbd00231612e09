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
from routesdk.plugins.encoder.material import Material, Side, Standard
from routesdk.plugins.encoder.onnx_engine import OnnxEngine
from routesdk.plugins.encoder.source import NAME, Source, open_source
from routesdk.plugins.encoder.stored import EncoderTable, Trained
from routesdk.types import Query, TrainJob
from routesdk.words.assembly import Learned, assemble
from routesdk.words.design import Scaling, all_features
from routesdk.words.features import SHAPES, shared_hasher

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As `linear` has them: the weight of a text's shape beside its words, and the rarest word with a weight.
_SHAPE_SCALE, _RAREST = 0.03, 2


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
        penalty and calibrates.

        Raises:
            TrainingError: There are too few rows, all outcomes are alike, or the encoder cannot be used.
            DatasetError: A row cannot be used.
            MissingExtraError: A package that the encoder needs is missing.
        """
        rows = read_rows(job.train, job.tiers, trainer=NAME, read=_read)
        list_tasks(rows, NAME)
        others = read_rows(job.validation, job.tiers, trainer=NAME, read=_read) if job.validation else None
        if others is None and self.config.tune == "lora":
            parts = split(rows.texts, seed=job.seed)
            rows, others = rows.take(parts.rows("train")), rows.take(parts.rows("test"))
        tasks = list_tasks(rows, NAME)
        source, engine = open_source(self.config)
        if self.config.tune == "lora":
            assert others is not None
            engine = self._tuned(engine, rows, others, job.seed)
        self._fitted(job, rows, others, tasks, source, engine).save(job.output)
        return job.output

    def _tuned(self, engine: Engine, rows: Rows, others: Rows, seed: int) -> Engine:
        from routesdk.plugins.encoder.lora import tune

        return tune(engine, rows, others, self.config, seed)

    def _fitted(  # noqa: PLR0917 - all that training has found
        self,
        job: TrainJob,
        rows: Rows,
        others: Rows | None,
        tasks: Sequence[Task],
        source: Source,
        engine: Engine,
    ) -> Trained:
        hasher, buckets = shared_hasher(self.config.bits), 1 << self.config.bits
        found = all_features(hasher, rows.texts)
        scaling = Scaling.of(found, buckets, rarest=_RAREST, shape_scale=_SHAPE_SCALE)
        vectors = _vectors(engine, rows)
        standard = Standard.of(vectors)
        held = None
        parts = np.zeros(0, dtype=np.int64)
        if others is None:
            parts = folds(rows.texts, count=self.config.folds, seed=job.seed).codes
        else:
            words = scaling.design(all_features(hasher, others.texts))
            held = Side(others, words, standard.apply(_vectors(engine, others)))
        taught = Side(rows, scaling.design(found), standard.apply(vectors))
        material = Material(taught=taught, held=held, folds=parts)
        penalty = self.config.penalty or material.pick_penalty(tasks)
        judged = material.unseen(tasks, penalty)
        plain, own = standard.parted(material.fit(tasks, penalty), buckets + SHAPES)
        heads = assemble(
            Learned(rows, judged, plain),
            scaling,
            job.tiers,
            reference_count=self.config.reference_rows,
            seed=job.seed,
        )
        return Trained(table=_table(engine, source, penalty), heads=heads, vectors=own, engine=engine)


def _table(engine: Engine, source: Source, penalty: float) -> EncoderTable:
    return EncoderTable(
        engine=engine.kind,
        max_tokens=engine.max_tokens,
        penalty=penalty,
        hub_id=source.hub_id,
        commit=source.commit,
        pooling=engine.pooling if isinstance(engine, OnnxEngine) else None,
    )


def _vectors(engine: Engine, rows: Rows) -> NDArray[np.float32]:
    return engine.embed([engine.reader.read(query)[0] for query in rows.queries])


def _read(query: Query) -> str:
    return read(query)[0]
