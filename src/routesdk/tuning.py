"""How language models are tuned: the configs of the trainers `qlora-sft` and `qlora-dpo`."""

from __future__ import annotations

import math

import attrs
from attrs.validators import and_, ge, gt, in_, le, lt, matches_re, optional

from routesdk._checked import checked, named

_DEVICES = r"auto|cpu|cuda(:[0-9]+)?"


@attrs.frozen(kw_only=True, field_transformer=checked)
class QLoRAConfig:
    """Adapter and quantisation settings that SFT and DPO share.

    Attributes:
        rank: LoRA rank r; factors are A (r, d_in) and B (d_out, r).
        alpha: Update scale; the product BA is multiplied by alpha / r.
        dropout: Share of adapter inputs dropped while training.
        bits: Bits per frozen base weight: 4 (NF4, double quantisation), 8, or 16 for no
            quantisation. None takes 4 on a CUDA device and 16 elsewhere.

    Source: Dettmers et al., QLoRA (arXiv:2305.14314), for 4-bit NF4 and adapters on all linear layers.
    """

    rank: int = attrs.field(default=16, validator=ge(1))
    alpha: float = attrs.field(default=32.0, validator=[gt(0.0), lt(math.inf)])
    dropout: float = attrs.field(default=0.05, validator=[ge(0.0), lt(1.0)])
    bits: int | None = attrs.field(default=None, validator=optional(in_((4, 8, 16))))


@attrs.frozen(kw_only=True, field_transformer=checked)
class TuningConfig:
    """What supervised fine-tuning and preference optimisation have in common.

    Where a field is None, the base model's family decides; `routesdk.plugins.generative`
    has a recipe for Gemma 2 and 3, Qwen 2.5, Phi 3.5 and SmolLM2, and one for all others.

    Attributes:
        base_model: Folder or Hub id of a causal language model; needed.
        revision: Branch, tag or commit of the base model on the Hub.
        qlora: Adapter settings.
        learning_rate: Peak step size of the cosine schedule.
        batch_size: Rows per optimiser step.
        micro_batch: Rows per pass; gradients of batch_size / micro_batch passes are summed.
        max_tokens: Longest prompt and completion in tokens; longer conversations lose their oldest turns.
        warmup_share: Share of the steps in which the step size rises.
        weight_decay: AdamW's weight decay.
        max_grad_norm: Gradients are scaled down to this norm.
        grouping: `length` puts rows of like length together, `packing` several rows into one
            sequence (SFT alone; needs attention that keeps them apart), `none` neither.
        gradient_checkpointing: Whether activations are computed again in the backward pass,
            which saves memory; None does so on CUDA devices.
        precision: Type that is computed in; `auto` takes bfloat16 where the device has it.
        device: `auto` takes a CUDA device where there is one.
        order: `decision-first`, so that one pass over the prompt decides, or `reason-first`.
        balance: How rows of rare policies are repeated: `none`, `sqrt` or `full`.
        evaluations: How often an epoch the validation loss is measured.
        patience: Evaluations without a better validation loss before training stops.
        saves: How often an epoch the state is saved that a killed run goes on from.
        calibration: `vector` (a scale and an offset for each policy) or `temperature`.
        report_to: Whom metrics go to beside the JSONL file.
    """

    base_model: str | None = attrs.field(default=None, validator=optional(named))
    revision: str | None = attrs.field(default=None, validator=optional(named))
    qlora: QLoRAConfig = attrs.field(factory=QLoRAConfig)
    learning_rate: float | None = attrs.field(default=None, validator=optional(and_(gt(0.0), lt(math.inf))))
    batch_size: int = attrs.field(default=16, validator=ge(1))
    micro_batch: int | None = attrs.field(default=None, validator=optional(ge(1)))
    max_tokens: int = attrs.field(default=1024, validator=ge(64))
    warmup_share: float = attrs.field(default=0.05, validator=[ge(0.0), lt(1.0)])
    weight_decay: float = attrs.field(default=0.0, validator=[ge(0.0), lt(math.inf)])
    max_grad_norm: float = attrs.field(default=1.0, validator=[gt(0.0), lt(math.inf)])
    grouping: str = attrs.field(default="length", validator=in_(("length", "packing", "none")))
    gradient_checkpointing: bool | None = None
    precision: str = attrs.field(default="auto", validator=in_(("auto", "bfloat16", "float16", "float32")))
    device: str = attrs.field(default="auto", validator=matches_re(_DEVICES))
    order: str = attrs.field(default="decision-first", validator=in_(("decision-first", "reason-first")))
    balance: str = attrs.field(default="sqrt", validator=in_(("none", "sqrt", "full")))
    evaluations: int = attrs.field(default=2, validator=ge(1))
    patience: int = attrs.field(default=3, validator=ge(1))
    saves: int = attrs.field(default=4, validator=ge(1))
    calibration: str = attrs.field(default="vector", validator=in_(("vector", "temperature")))
    report_to: str = attrs.field(default="none", validator=in_(("none", "trackio", "tensorboard")))


@attrs.frozen(kw_only=True, field_transformer=checked)
class SFTConfig(TuningConfig):
    """Supervised fine-tuning: the trainer `qlora-sft`.

    Attributes:
        epochs: Passes over the rows.
        loss: `completion` learns decision and reason, `decision` the decision alone: faster,
            and such a router explains itself badly.
        share_prefix: Whether the beginning that all prompts share is computed once a pass: the
            same loss for half the work. Attention that takes no such mask does without.
    """

    epochs: float = attrs.field(default=3.0, validator=[gt(0.0), lt(math.inf)])
    loss: str = attrs.field(default="completion", validator=in_(("completion", "decision")))
    share_prefix: bool = True


@attrs.frozen(kw_only=True, field_transformer=checked)
class DPOConfig(TuningConfig):
    """Direct preference optimisation, starting from the SFT adapter, which is its reference: `qlora-dpo`.

    Base model, order, length and adapter come from the SFT that it starts from, and so do device,
    bits and precision where they are left open.

    Attributes:
        epochs: Passes over the pairs.
        learning_rate: Peak step size; a small part of SFT's, for larger ones make decisions worse
            while the margins grow.
        beta: Strength of the pull towards the SFT adapter.
        rejected: How the wrong policy of a pair is drawn: `uniform`, or by its share of the rows: `prior`.
        pairs: Pairs to take at the most, chosen by the seed; None for all.

    Source: Rafailov et al., DPO (arXiv:2305.18290), for beta = 0.1.
    """

    epochs: float = attrs.field(default=1.0, validator=[gt(0.0), lt(math.inf)])
    learning_rate: float = attrs.field(default=5e-6, validator=[gt(0.0), lt(math.inf)])
    beta: float = attrs.field(default=0.1, validator=[gt(0.0), lt(math.inf)])
    rejected: str = attrs.field(default="uniform", validator=in_(("uniform", "prior")))
    pairs: int | None = attrs.field(default=None, validator=optional(and_(ge(2), le(10_000_000))))
