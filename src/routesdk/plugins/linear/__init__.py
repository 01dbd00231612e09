"""Offers the policy model `linear` and its trainer: numpy alone, the default of every router."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import and_, ge, gt, le

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, PolicyModel, Trainer


@attrs.frozen(kw_only=True)
class LinearTrainerConfig:
    """How the trainer `linear` fits.

    Attributes:
        bits: Words and pairs of words are hashed into 2 ** bits buckets.
        penalty: Ridge penalty of words and pairs.
        shape_scale: How large a text's shape, standardised, stands beside its words.
        rarest: Words and pairs that fewer rows have than this carry no weight.
        folds: Folds of the cross-validation that calibrates, where no validation rows are given.
        reference_rows: Rows kept for operating points.
    """

    bits: int = attrs.field(default=17, validator=and_(ge(8), le(20)))
    penalty: float = attrs.field(default=1.0, validator=gt(0.0))
    shape_scale: float = attrs.field(default=0.03, validator=gt(0.0))
    rarest: int = attrs.field(default=2, validator=ge(1))
    folds: int = attrs.field(default=4, validator=ge(2))
    reference_rows: int = attrs.field(default=2000, validator=ge(1))


def _model() -> PolicyModel:
    from routesdk.plugins.linear.model import LinearModel

    return LinearModel()


def _trainer(config: LinearTrainerConfig) -> Trainer:
    from routesdk.plugins.linear.trainer import LinearTrainer

    return LinearTrainer(config)


@hookimpl
def routesdk_policy_models() -> Iterable[Component[PolicyModel]]:
    """Offer the policy model that needs numpy alone."""
    yield Component(
        name="linear",
        factory=_model,
        summary="Hashed words and pairs of words, one logistic head a model; numpy alone.",
    )


@hookimpl
def routesdk_trainers() -> Iterable[Component[Trainer]]:
    """Offer the trainer of the policy model `linear`."""
    yield Component(
        name="linear",
        factory=_trainer,
        config=LinearTrainerConfig,
        summary="Fits and calibrates the policy model `linear`; numpy alone, minutes on a laptop.",
    )
