"""The policy model `encoder`: logistic regressions on a sentence encoder's vector and on hashed words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import PredictionError
from routesdk.heads.mixed import mix
from routesdk.heads.reading import read
from routesdk.heads.reason import expectation
from routesdk.plugins.encoder.stored import Trained
from routesdk.types import Policy, PredictionBatch, Query, Tier
from routesdk.words.bound import BoundHeads
from routesdk.words.features import shared_hasher
from routesdk.words.reason import heaviest_words

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EncoderModel:
    """Predicts each tier's grade from what an encoder makes of the query, and from its words.

    Immutable, and safe to share between threads. Fresh from its factory it is
    untrained, and good for `load` alone.

    Args:
        trained: The encoder and its heads; None while untrained.
        tiers: The tiers that are bound; empty for the generic ones that were trained.
        device: Where an encoder is loaded: `auto`, or a device as torch names it.
    """

    def __init__(
        self, trained: Trained | None = None, tiers: tuple[Tier, ...] = (), *, device: str = "auto"
    ) -> None:
        self._trained_or_none = trained
        self._tiers = tiers
        self._device = device
        self._bound: BoundHeads | None = None
        if trained is not None and (tiers or trained.heads.table.tiers):
            heads = trained.heads
            named = bool(tiers)
            bound = tiers or tuple(Tier(head.name, head.name) for head in heads.table.tiers)
            self._bound = BoundHeads.of(heads, bound, named)
            self._vectors = _mixed_vectors(trained, bound, named)
            self._hasher = shared_hasher(heads.table.bits)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it learned from."""
        return tuple(head.name for head in self._trained().heads.table.models)

    @property
    def engine(self) -> str:
        """What runs the encoder: `torch` or `onnx`."""
        return self._trained().engine.kind

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Predict the joint of the tiers' grades for each query.

        Raises:
            PredictionError: It is untrained, or bound to no tiers.
        """
        bound, engine = self._ready(), self._trained().engine
        read_by_encoder = [engine.reader.read(query) for query in queries]
        cut = np.array([was_cut for _, was_cut in read_by_encoder], dtype=np.bool_)
        parts = [np.zeros((0, len(bound.offset)), dtype=np.float32)]
        parts += [bound.logits(found) for found in self._hasher.features([read(each)[0] for each in queries])]
        logits = np.concatenate(parts)
        logits += engine.embed([text for text, _ in read_by_encoder]) @ self._vectors
        return bound.joint.batch(logits, cut)

    def explain(self, query: Query, policy: Policy) -> str:
        """Name the expectation and the words that weigh most, for a policy that is decided."""
        bound = self._ready()
        parts = expectation(self.predict([query]), bound.joint.tiers, policy)
        words = heaviest_words(bound, self._hasher, read(query)[0])
        if words:
            # The encoder reads the whole text: what it sees there has no word for it.
            parts.append(f"Of its single words, these weigh most: {', '.join(words)}.")
        return " ".join(parts)

    def bind(self, tiers: tuple[Tier, ...]) -> EncoderModel:
        """Return a copy that predicts for these tiers; see `PolicyModel.bind`.

        Raises:
            ConfigError: A model was never learned, and there is no generic head.
        """
        return EncoderModel(self._trained(), tiers, device=self._device)

    def reference(self) -> PredictionBatch | None:
        """Predict the rows that were kept from training for operating points."""
        bound = self._ready()
        if not len(bound.reference):
            return None
        return bound.joint.batch(bound.reference, np.zeros(len(bound.reference), dtype=np.bool_))

    def save(self, folder: Path) -> None:
        """Write heads and encoder into an existing folder."""
        self._trained().save(folder)

    def load(self, folder: Path) -> EncoderModel:
        """Return the policy model that `save` wrote.

        Raises:
            CheckpointError: A file is missing, truncated, or not of this kind.
            MissingExtraError: A package that the encoder needs is missing.
        """
        return EncoderModel(Trained.load(folder, self._device), device=self._device)

    def _trained(self) -> Trained:
        if self._trained_or_none is None:
            raise PredictionError("encoder", "it is untrained: load what the trainer `encoder` wrote")
        return self._trained_or_none

    def _ready(self) -> BoundHeads:
        if self._bound is None:
            self._trained()
            problem = "it has no generic heads: bind it to models that it learned from"
            raise PredictionError("encoder", problem)
        return self._bound


def _mixed_vectors(trained: Trained, tiers: tuple[Tier, ...], named: bool) -> NDArray[np.float32]:
    """Return the weights of the encoder's vector for the bound tiers' logits, (width, 2 * tiers)."""
    mixed, _ = mix(trained.heads.known, tiers, named)
    weights = np.zeros((trained.vectors.shape[1], len(mixed)), dtype=np.float32)
    for at, each in enumerate(mixed):
        for output, factor in each.terms:
            if output.column is not None:
                weights[:, at] += trained.vectors[output.column] * np.float32(factor)
    return weights
