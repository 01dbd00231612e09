"""Offers the policy model `encoder` and its trainer: heads on a sentence encoder's vectors and on words."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import and_, ge, gt, in_, le, matches_re, min_len, optional

from routesdk.errors import ConfigError
from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, PolicyModel, Trainer

INSTALL = 'pip install "routesdk[encoder]"'
"""What installs everything that the encoder needs."""

DEVICES = r"auto|cpu|mps|cuda(:[0-9]+)?"
"""Devices as torch names them; `auto` takes a GPU where there is one."""


@attrs.frozen(kw_only=True)
class EncoderConfig:
    """Where a trained encoder runs.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`; an encoder in ONNX runs on the CPU.
    """

    device: str = attrs.field(default="auto", validator=matches_re(DEVICES))


@attrs.frozen(kw_only=True)
class EncoderTrainerConfig:
    """How the trainer `encoder` fits.

    Attributes:
        encoder: Folder of a sentence-transformers model with safetensors, or its Hub id.
        revision: Branch, tag or commit, for a Hub id; None for the newest.
        tune: `frozen` leaves the encoder as it is; `lora` tunes it on the grades.
        rank: LoRA rank r.
        alpha: LoRA scale: the update is multiplied by alpha / r.
        epochs: Most passes over the rows; tuning stops as soon as one makes held-out rows no likelier.
        learning_rate: Of the tuning.
        batch_size: Rows a step of the tuning.
        max_tokens: Tokens that are read of a query; None for as many as the encoder was made for.
        penalty: Ridge penalty of the encoder's standardised vector; None picks from a small
            grid the one that predicts best on rows that were not learned from.
        bits: Words and pairs of words are hashed into 2 ** bits buckets.
        folds: Folds of the cross-validation that calibrates, where no validation rows are
            given and the encoder is frozen.
        reference_rows: Rows kept for operating points.
        device: Where the encoder runs while it trains.
        onnx: Whether a frozen encoder runs from an ONNX file that lies in its folder: `auto`
            where there is one, onnxruntime is installed and the device is the CPU; `on`; `off`.
        onnx_file: That file within the folder; empty for `onnx/model.onnx`, or the only one.
        embed_encoder: Whether the checkpoint holds the encoder itself. Otherwise it names its
            Hub id and commit, and loading needs the Hub or its cache; for a frozen one alone.
    """

    encoder: str = attrs.field(default="sentence-transformers/all-MiniLM-L6-v2", validator=min_len(1))
    revision: str | None = None
    tune: str = attrs.field(default="frozen", validator=in_(("frozen", "lora")))
    rank: int = attrs.field(default=16, validator=ge(1))
    alpha: float = attrs.field(default=32.0, validator=gt(0.0))
    epochs: int = attrs.field(default=3, validator=ge(1))
    learning_rate: float = attrs.field(default=2e-4, validator=gt(0.0))
    batch_size: int = attrs.field(default=16, validator=ge(1))
    max_tokens: int | None = attrs.field(default=None, validator=optional(ge(8)))
    penalty: float | None = attrs.field(default=None, validator=optional(gt(0.0)))
    bits: int = attrs.field(default=17, validator=and_(ge(8), le(20)))
    folds: int = attrs.field(default=4, validator=ge(2))
    reference_rows: int = attrs.field(default=2000, validator=ge(1))
    device: str = attrs.field(default="auto", validator=matches_re(DEVICES))
    onnx: str = attrs.field(default="auto", validator=in_(("auto", "on", "off")))
    onnx_file: str = ""
    embed_encoder: bool = True

    def __attrs_post_init__(self) -> None:
        if self.tune == "lora" and not self.embed_encoder:
            problem = "cannot be with tune = 'lora': the Hub has the encoder as it was before"
            raise ConfigError("embed_encoder", "false", problem, "Leave it at true, or take tune = 'frozen'.")


def _model(config: EncoderConfig) -> PolicyModel:
    from routesdk.plugins.encoder.model import EncoderModel

    return EncoderModel(device=config.device)


def _trainer(config: EncoderTrainerConfig) -> Trainer:
    from routesdk.plugins.encoder.trainer import EncoderTrainer

    return EncoderTrainer(config)


@hookimpl
def routesdk_policy_models() -> Iterable[Component[PolicyModel]]:
    """Offer the policy model that asks a sentence encoder."""
    yield Component(
        name="encoder",
        factory=_model,
        config=EncoderConfig,
        summary="Heads on a sentence encoder's vectors and on words; milliseconds a decision.",
        install=INSTALL,
    )


@hookimpl
def routesdk_trainers() -> Iterable[Component[Trainer]]:
    """Offer the trainer of the policy model `encoder`."""
    yield Component(
        name="encoder",
        factory=_trainer,
        config=EncoderTrainerConfig,
        summary="Fits and calibrates heads on a frozen or LoRA-tuned sentence encoder.",
        install=INSTALL,
    )
