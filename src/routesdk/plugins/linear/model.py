"""The policy model `linear`: logistic regressions on hashed words, joined by a hidden difficulty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from routesdk.errors import PredictionError
from routesdk.heads.reading import read
from routesdk.types import Policy, PredictionBatch, Query, Tier
from routesdk.words.bound import BoundHeads
from routesdk.words.features import shared_hasher
from routesdk.words.heads import Heads
from routesdk.words.reason import write_reason

STEM = "linear"
"""Its files are called this."""

# Shared by all single decisions, and read-only so that nobody can change another's.
_WHOLE, _CUT = np.zeros(1, dtype=np.bool_), np.ones(1, dtype=np.bool_)
_WHOLE.flags.writeable = _CUT.flags.writeable = False


class LinearModel:
    """Predicts each tier's grade from the query's words, pairs of words and shape.

    Immutable, and safe to share between threads. Fresh from its factory it is
    untrained, and good for `load` alone.

    Args:
        heads: The weights; None while untrained.
        tiers: The tiers that are bound; empty for the generic ones that were trained.
    """

    def __init__(self, heads: Heads | None = None, tiers: tuple[Tier, ...] = ()) -> None:
        self._heads = heads
        self._tiers = tiers
        self._bound: BoundHeads | None = None
        if heads is not None and (tiers or heads.table.tiers):
            generic = tuple(Tier(head.name, head.name) for head in heads.table.tiers)
            self._bound = BoundHeads.of(heads, tiers or generic, named=bool(tiers))
            self._hasher = shared_hasher(heads.table.bits)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it learned from."""
        return tuple(head.name for head in self._trained().table.models)

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Predict the joint of the tiers' grades for each query.

        Raises:
            PredictionError: It is untrained, or bound to no tiers.
        """
        bound = self._ready()
        if len(queries) == 1:
            text, cut = read(queries[0])
            logits = bound.logits_of_one(self._hasher.single(text))
            return bound.joint.one(logits, _CUT if cut else _WHOLE)
        texts, cuts = [], []
        for query in queries:
            text, cut = read(query)
            texts.append(text)
            cuts.append(cut)
        parts = [np.zeros((0, len(bound.offset)), dtype=np.float32)]
        parts += [bound.logits(found) for found in self._hasher.features(texts)]
        return bound.joint.batch(np.concatenate(parts), np.array(cuts, dtype=np.bool_))

    def explain(self, query: Query, policy: Policy) -> str:
        """Name the expectation and the words that weigh most, for a policy that is decided."""
        text, _ = read(query)
        return write_reason(self._ready(), self._hasher, text, policy)

    def bind(self, tiers: tuple[Tier, ...]) -> LinearModel:
        """Return a copy that predicts for these tiers; see `PolicyModel.bind`.

        Raises:
            ConfigError: A model was never learned, and there is no generic head.
        """
        return LinearModel(self._trained(), tiers)

    def reference(self) -> PredictionBatch | None:
        """Predict the rows that were kept from training for operating points."""
        bound = self._ready()
        if not len(bound.reference):
            return None
        cut = np.zeros(len(bound.reference), dtype=np.bool_)
        return bound.joint.batch(bound.reference, cut)

    def save(self, folder: Path) -> None:
        """Write weights and heads into an existing folder."""
        self._trained().save(folder, STEM)

    def load(self, folder: Path) -> LinearModel:
        """Return the policy model that `save` wrote.

        Raises:
            CheckpointError: A file is missing, truncated, or not of this kind.
        """
        return LinearModel(Heads.load(folder, STEM))

    def _trained(self) -> Heads:
        if self._heads is None:
            raise PredictionError("linear", "it is untrained: load what the trainer `linear` wrote")
        return self._heads

    def _ready(self) -> BoundHeads:
        if self._bound is None:
            self._trained()
            raise PredictionError("linear", "it has no generic heads: bind it to models that it learned from")
        return self._bound
