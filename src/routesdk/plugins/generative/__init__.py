"""Offers the policy model `generative` and its trainers `qlora-sft` and `qlora-dpo`."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import ge, in_, matches_re, optional

from routesdk.hookspecs import hookimpl
from routesdk.host import PluginHost
from routesdk.protocols import Component, PolicyModel, Trainer
from routesdk.tuning import DPOConfig, SFTConfig

_LOCAL = 'pip install "routesdk[local]"'
_TRAIN = 'pip install "routesdk[train]"'


@attrs.frozen(kw_only=True)
class GenerativeConfig:
    """Where and how a generative router runs; a checkpoint saves none of it.

    Attributes:
        base_model: Folder of the base model, where the checkpoint's adapter was trained on a
            folder, or a copy of it lies on this machine; None takes what the checkpoint names.
        device: `auto` takes a CUDA device where there is one.
        bits: Bits per base weight: 4, 8 or 16, into which an adapter is merged; None takes those
            of the training on a GPU, and 16 on a CPU.
        batch_tokens: Tokens of a batch at the most, padding included.
    """

    base_model: str | None = None
    device: str = attrs.field(default="auto", validator=matches_re(r"auto|cpu|cuda(:[0-9]+)?"))
    bits: int | None = attrs.field(default=None, validator=optional(in_((4, 8, 16))))
    batch_tokens: int = attrs.field(default=8192, validator=ge(64))


def _model(config: GenerativeConfig) -> PolicyModel:
    from routesdk.plugins.generative.model import GenerativeModel

    return GenerativeModel(config)


def _sft(config: SFTConfig, host: PluginHost) -> Trainer:
    from routesdk.plugins.generative.sft import SFT

    return SFT(config, host)


def _dpo(config: DPOConfig, host: PluginHost) -> Trainer:
    from routesdk.plugins.generative.dpo import DPO

    return DPO(config, host)


@hookimpl
def routesdk_policy_models() -> Iterable[Component[PolicyModel]]:
    """Offer the policy model that is a causal language model."""
    yield Component(
        name="generative",
        factory=_model,
        config=GenerativeConfig,
        summary="A causal language model that scores the policies' names, and explains itself.",
        install=_LOCAL,
    )


@hookimpl
def routesdk_trainers() -> Iterable[Component[Trainer]]:
    """Offer supervised fine-tuning and preference optimisation."""
    yield Component(
        name="qlora-sft",
        factory=_sft,
        config=SFTConfig,
        summary="Fine-tunes a causal language model to write the policy and its reason (QLoRA).",
        install=_TRAIN,
    )
    yield Component(
        name="qlora-dpo",
        factory=_dpo,
        config=DPOConfig,
        summary="Goes on from qlora-sft by preference optimisation (DPO).",
        install=_TRAIN,
    )
