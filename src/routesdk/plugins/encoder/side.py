"""Rows as a regression takes them: words and shapes, and beside them the encoder's vector, standardised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import TrainingError
from routesdk.heads.fitting import Weights
from routesdk.heads.rows import Rows
from routesdk.heads.solver import Design
from routesdk.plugins.encoder.engine import Engine
from routesdk.words.design import Scaling, all_features
from routesdk.words.features import Hasher, shared_hasher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# As `linear` has them: the weight of a text's shape beside its words, and the rarest word with a weight.
_SHAPE_SCALE, _RAREST = 0.03, 2
# A number that hardly varies must not weigh the more for it.
_LEAST_SPREAD = 1e-2


@attrs.frozen(eq=False)
class Standard:
    """Mean and spread of the training rows' vectors, (width,) each."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Standard:
        """Measure the training rows.

        Raises:
            TrainingError: A number is not finite.
        """
        if not np.isfinite(vectors).all():
            fix = "Take another encoder; where it was tuned, lower learning_rate."
            raise TrainingError("encoder", "the encoder makes vectors that are not finite", fix)
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

    def take(self, chosen: NDArray[np.int64]) -> Side:
        """Return some of the rows, each at most once."""
        return Side(self.rows.take(chosen), self.words.rows(chosen), self.vectors[chosen])

    def design(self, penalty: float = 1.0) -> Design:
        """Put the vectors beside the words; a penalty is a scale, the words' being fixed."""
        scaled = self.vectors * np.float32(1.0 / np.sqrt(penalty))
        return attrs.evolve(self.words, dense=np.concatenate([self.words.dense, scaled], axis=1))


@attrs.frozen(kw_only=True, eq=False)
class Ground:
    """What the training rows, without their grades, fix for all rows.

    Attributes:
        engine: The encoder.
        hasher: Finds words.
        scaling: How rare words are, and how shapes spread.
        standard: How vectors spread.
        own: Vectors of the training rows.
    """

    engine: Engine
    hasher: Hasher
    scaling: Scaling
    standard: Standard
    own: NDArray[np.float32]
    _rows: Rows

    @classmethod
    def of(cls, engine: Engine, rows: Rows, bits: int) -> Ground:
        """Measure the training rows."""
        hasher = shared_hasher(bits)
        found = all_features(hasher, rows.texts)
        own = _vectors(engine, rows)
        return cls(
            engine=engine,
            hasher=hasher,
            scaling=Scaling.of(found, 1 << bits, rarest=_RAREST, shape_scale=_SHAPE_SCALE),
            standard=Standard.of(own),
            own=own,
            rows=rows,
        )

    def side(self, rows: Rows) -> Side:
        """Lay rows out; the training rows are not encoded again."""
        vectors = self.own if rows is self._rows else _vectors(self.engine, rows)
        words = self.scaling.design(all_features(self.hasher, rows.texts))
        return Side(rows, words, self.standard.apply(vectors))


def _vectors(engine: Engine, rows: Rows) -> NDArray[np.float32]:
    return engine.embed([engine.reader.read(query)[0] for query in rows.queries])
