"""What both trainers begin with: prepared rows as tokens, the base model, and an adapter on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import peft
import transformers

from routesdk.errors import TrainingError
from routesdk.host import PluginHost
from routesdk.pipeline.oracle.plan import build_matrix
from routesdk.pipeline.prepare import DPOPair, Preparation, SFTRow, prepare
from routesdk.plugins.generative.base import Base, load_base
from routesdk.plugins.generative.codec import Codec, Completion
from routesdk.plugins.generative.recipe import recipe_for
from routesdk.tuning import QLoRAConfig, TuningConfig
from routesdk.types import PartConfig, TrainJob

if TYPE_CHECKING:
    from peft import PeftModel

_IGNORED = -100
_FUSED = ("flash_attention_2", "flash_attention_3", "kernels-community")


def prepare_job(
    job: TrainJob, config: TuningConfig, host: PluginHost, trainer: str, rejected: str = "uniform"
) -> Preparation:
    """Read, check and divide the rows of a job.

    Raises:
        TrainingError: Nothing can be learned from them.
        DatasetError: A row cannot be used.
        LeakError: Stored reasons give an answer away, or a question is on both sides.
    """
    return prepare(
        job.train,
        job.validation,
        matrix=build_matrix(PartConfig(job.matrix), host, job.tiers),
        analyst=host.analyst("heuristic"),
        order=config.order,
        balance=config.balance,
        rejected=rejected,
        seed=job.seed,
        trainer=trainer,
    )


def load_for(config: TuningConfig, name: str, revision: str | None, family: str = "") -> Base:
    """Load a base model as its family's recipe has it.

    Raises:
        TrainingError: It cannot be loaded, or the device cannot hold it so.
    """
    if not family:
        described = _config(name, revision)
        family = str(described.model_type) if described is not None else ""
    return load_base(
        name,
        revision,
        device=config.device,
        bits=config.qlora.bits,
        precision=config.precision,
        attention=recipe_for(family).attention,
    )


def adapted(base: Base, config: QLoRAConfig, *, checkpointing: bool) -> PeftModel:
    """Put a fresh adapter on all linear layers of a base model."""
    model = ready(base, checkpointing=checkpointing)
    lora = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return peft.get_peft_model(model, lora)


def ready(base: Base, *, checkpointing: bool) -> transformers.PreTrainedModel:
    """Make a quantised base model fit to be trained on."""
    if base.bits == 16:
        return base.model
    return peft.prepare_model_for_kbit_training(base.model, use_gradient_checkpointing=checkpointing)


def encode_rows(codec: Codec, rows: Sequence[SFTRow], loss: str) -> datasets.Dataset:
    """Return rows as tokens and labels: the loss is on the completion, or on the decision alone."""
    columns: dict[str, list[object]] = {"input_ids": [], "labels": [], "length": []}
    for row in rows:
        prompt = codec.prompt(row.taught.query).tokens
        completion = codec.completed(row.completion)
        tokens, labels = _labelled(completion, loss)
        columns["input_ids"].append([*prompt, *tokens])
        columns["labels"].append([_IGNORED] * len(prompt) + labels)
        columns["length"].append(len(prompt) + len(tokens))
    return datasets.Dataset.from_dict(columns)


def encode_pairs(codec: Codec, pairs: Sequence[DPOPair]) -> datasets.Dataset:
    """Return pairs as tokens, in the columns that TRL's collator takes."""
    columns: dict[str, list[object]] = {"prompt_ids": [], "chosen_ids": [], "rejected_ids": [], "length": []}
    for pair in pairs:
        prompt = codec.prompt(pair.taught.query).tokens
        chosen, rejected = codec.completed(pair.chosen).tokens, codec.completed(pair.rejected).tokens
        columns["prompt_ids"].append(list(prompt))
        columns["chosen_ids"].append(list(chosen))
        columns["rejected_ids"].append(list(rejected))
        columns["length"].append(len(prompt) + max(len(chosen), len(rejected)))
    return datasets.Dataset.from_dict(columns)


def serving_options(config: TuningConfig) -> dict[str, object]:
    """Return the policy model's options on this machine."""
    here = config.base_model is not None and Path(config.base_model).expanduser().is_dir()
    return {"device": config.device} | ({"base_model": config.base_model} if here else {})


def refuse_packing(base: Base, trainer: str) -> None:
    """Refuse to pack rows where attention would reach from one into the next.

    Raises:
        TrainingError: The attention in use knows no borders between packed rows.
    """
    used = str(base.model.config._attn_implementation)
    if not used.startswith(_FUSED):
        problem = f"grouping = 'packing' needs flash attention, and {base.record.name!r} runs with {used!r}"
        raise TrainingError(trainer, problem, "Install flash-attn on a GPU, or take grouping = 'length'.")


def _labelled(completion: Completion, loss: str) -> tuple[list[int], list[int]]:
    tokens = list(completion.tokens)
    if loss == "completion":
        return tokens, tokens
    # What follows the decision is not even read: no loss stands there.
    end = max(at for at, decides in enumerate(completion.decision) if decides) + 1
    labels = [
        token if decides else _IGNORED for token, decides in zip(tokens, completion.decision, strict=True)
    ]
    return tokens[:end], labels[:end]


def _config(name: str, revision: str | None) -> transformers.PretrainedConfig | None:
    from routesdk.host import attempt

    def read() -> transformers.PretrainedConfig:
        return transformers.AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)

    # What is wrong with it is said when the model is loaded.
    return attempt(read)[0]
