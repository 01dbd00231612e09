"""Heads of models and of tiers, and how each two of them are calibrated with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINK = 14
"""Numbers that calibrate a pair of heads."""


@attrs.frozen(kw_only=True)
class Output:
    """One logit of a head, and how it is calibrated where it stands by itself.

    Attributes:
        column: Column of the weights; None where the logit is the same for all queries.
        constant: That logit, where it is.
        scale: Factor that makes the logit calibrated.
        offset: Added to it.
        loading: What one unit of hidden difficulty adds.
    """

    column: int | None
    constant: float = 0.0
    scale: float
    offset: float
    loading: float


@attrs.frozen(kw_only=True)
class Head:
    """What is known of one model, or of a tier in general.

    Attributes:
        name: The model, or the tier.
        correct: The logit of a correct answer.
        abstained: The logit of abstaining, where the answer is not correct.
    """

    name: str
    correct: Output
    abstained: Output


@attrs.frozen(eq=False)
class PairLink:
    """How two heads are calibrated with each other.

    Attributes:
        correct: Weight of each head's logit of correct in each one's, (2, 2).
        abstained: Factors of the logits of abstaining, (2,).
        offset: Added to the logits, (2, 2): correct, abstained.
        loading: What one unit of hidden difficulty adds, (2, 2).
    """

    correct: NDArray[np.floating]
    abstained: NDArray[np.floating]
    offset: NDArray[np.floating]
    loading: NDArray[np.floating]

    @classmethod
    def read(cls, link: NDArray[np.float32]) -> PairLink:
        """Read a row of `HeadSet.links`."""
        shaped = link.astype(np.float64)
        return cls(
            shaped[:4].reshape(2, 2), shaped[4:6], shaped[6:10].reshape(2, 2), shaped[10:].reshape(2, 2)
        )

    def turned(self) -> PairLink:
        """Return the same for the two heads in the other order."""
        return PairLink(
            self.correct[::-1, ::-1], self.abstained[::-1], self.offset[:, ::-1], self.loading[:, ::-1]
        )


@attrs.frozen(kw_only=True, eq=False)
class HeadSet:
    """All heads that were trained together.

    Attributes:
        models: Heads of the models that were learned.
        tiers: Generic heads, cheapest first; empty where no data set named its tiers.
        pairs: (pairs, 2) numbers of two heads that were calibrated with each other.
        links: (pairs, `LINK`) how: see `PairLink`.
    """

    models: tuple[Head, ...]
    tiers: tuple[Head, ...]
    pairs: NDArray[np.int16]
    links: NDArray[np.float32]

    def model(self, name: str) -> Head | None:
        """Return the head of a model; None where it was never learned."""
        return next((head for head in self.models if head.name == name), None)

    def pair(self, one: Head, other: Head) -> PairLink | None:
        """Return how two heads were calibrated with each other; None where they were not."""
        heads = (*self.models, *self.tiers)
        wanted = heads.index(one), heads.index(other)
        for (first, second), link in zip(self.pairs.tolist(), self.links, strict=True):
            if wanted == (first, second):
                return PairLink.read(link)
            if wanted == (second, first):
                return PairLink.read(link).turned()
        return None

    def blend(self, place: float) -> tuple[tuple[Head, float], ...]:
        """Return the generic heads around a place on the price ladder, with their shares.

        Args:
            place: From 0, the cheapest tier, to 1, the dearest.

        Raises:
            ConfigError: There are no generic heads.
        """
        tiers = self.tiers
        if not tiers:
            known = ", ".join(head.name for head in self.models)
            raise ConfigError(
                "tiers", "a model that was never learned", "no generic head was trained", f"Learned: {known}."
            )
        at = place * (len(tiers) - 1)
        low = min(int(at), len(tiers) - 1)
        high = min(low + 1, len(tiers) - 1)
        share = at - low
        if share == 0.0:
            return ((tiers[low], 1.0),)
        return ((tiers[low], 1.0 - share), (tiers[high], share))
