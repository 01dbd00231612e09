"""Which heads predict for the tiers that are bound, and how their logits are summed and calibrated."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import attrs

from routesdk.heads.head import Head, HeadSet, Output
from routesdk.types import Tier

Blend = tuple[tuple[Head, float], ...]
"""Heads with their shares, which sum to one."""


@attrs.frozen(eq=False)
class Mixed:
    """A calibrated logit as a sum of heads' logits.

    Attributes:
        terms: Outputs with their factors.
        offset: Added to the sum.
        loading: What one unit of hidden difficulty adds.
    """

    terms: tuple[tuple[Output, float], ...]
    offset: float
    loading: float

    @classmethod
    def alone(cls, outputs: Sequence[tuple[Output, float]]) -> Mixed:
        """Mix outputs that are calibrated each by itself."""
        return cls(
            terms=tuple((output, share * output.scale) for output, share in outputs),
            offset=sum(share * output.offset for output, share in outputs),
            loading=sum(share * output.loading for output, share in outputs),
        )


def mix(
    heads: HeadSet, tiers: tuple[Tier, ...], named: bool = True
) -> tuple[tuple[Mixed, ...], tuple[str, ...]]:
    """Pick the heads of the tiers' models, and generic ones for models that were never learned.

    Args:
        heads: All heads.
        tiers: Tiers with their models, cheapest first.
        named: Whether the models are meant; else the tiers in general are.

    Returns:
        The tiers' logits, of correct and then of abstained; and what every batch says.

    Raises:
        ConfigError: A generic head is needed, and there are none.
    """
    found = [heads.model(tier.model) if named else None for tier in tiers]
    learned = [head for head in found if head is not None]
    # A model's own head beside a generic one, or beside one that was taught by other rows, would
    # mostly tell whose rows the query resembles: their difference is no gain.
    if len(learned) == len(tiers) and all(
        heads.pair(cheaper, dearer) is not None for cheaper, dearer in itertools.pairwise(learned)
    ):
        blends: list[Blend] = [((head, 1.0),) for head in learned]
        return _mixed(heads, blends), ()
    blends = [heads.blend(rank / max(1, len(tiers) - 1)) for rank in range(len(tiers))]
    notices = tuple(
        f"{tier.model} was never {'learned' if head is None else 'graded on the same rows'}: "
        f"the generic head of the {tier.name} tier predicts"
        for tier, head in zip(tiers, found, strict=True)
        if named
    )
    return _mixed(heads, blends), notices


def _mixed(heads: HeadSet, blends: Sequence[Blend]) -> tuple[Mixed, ...]:
    """Calibrate the tiers' logits: of correct, then of abstained."""
    whole = [blend[0][0] for blend in blends if len(blend) == 1]
    link = heads.pair(*whole) if len(blends) == len(whole) == 2 else None
    if link is None:
        correct = [Mixed.alone([(head.correct, share) for head, share in blend]) for blend in blends]
        abstained = [Mixed.alone([(head.abstained, share) for head, share in blend]) for blend in blends]
        return (*correct, *abstained)
    mixed = []
    for at in range(2):
        terms = [(head.correct, float(link.correct[at, other])) for other, head in enumerate(whole)]
        mixed.append(Mixed(tuple(terms), float(link.offset[0, at]), float(link.loading[0, at])))
    for at, head in enumerate(whole):
        terms = [(head.abstained, float(link.abstained[at]))]
        mixed.append(Mixed(tuple(terms), float(link.offset[1, at]), float(link.loading[1, at])))
    return tuple(mixed)
