"""What both trainers begin with: prepared rows as tokens, the base model, and an adapter on it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import peft
import transformers

from routesdk.errors import TrainingError
from routesdk.host import PluginHost, attempt
from routesdk.pipeline.oracle.plan import build_matrix
from routesdk.pipeline.prepare import DPOPair, Preparation, SFTRow, prepare
from routesdk.plugins.generative.base import Base, load_base
from routesdk.plugins.generative.codec import Codec, Completion
from routesdk.plugins.generative.origin import find_origin
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
    """Load a base model as its family's recipe has it; packing asks for flash attention.

    Raises:
        TrainingError: It cannot be loaded, or the device cannot hold it so.
    """
    if not family:
        described = _config(name, revision)
        family = str(described.model_type) if described is not None else ""
    packed = config.grouping == "packing" and importlib.util.find_spec("flash_attn") is not None
    base = load_base(
        name,
        revision,
        device=config.device,
        bits=config.qlora.bits,
        precision=config.precision,
        attention="flash_attention_2" if packed else recipe_for(family).attention,
    )
    if base.context_tokens is not None and config.max_tokens > base.context_tokens:
        problem = (
            f"max_tokens = {config.max_tokens}, and {base.record.name!r} reads {base.context_tokens} tokens"
        )
        raise TrainingError("generative", problem, "Lower max_tokens, or take another base model.")
    return base


def adapted(base: Base, config: QLoRAConfig) -> PeftModel:
    """Put a fresh adapter on all linear layers of a base model."""
    lora = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return peft.get_peft_model(base.model, lora)


def encode_rows(codec: Codec, rows: Sequence[SFTRow], loss: str) -> datasets.Dataset:
    """Return rows as tokens and labels: the loss is on the completion, or on the decision alone."""
    columns: dict[str, list[object]] = {"input_ids": [], "labels": []}
    for row in rows:
        prompt = codec.prompt(row.taught.query).tokens
        completion = codec.completed(row.completion)
        tokens, labels = _labelled(completion, loss)
        columns["input_ids"].append([*prompt, *tokens])
        columns["labels"].append([_IGNORED] * len(prompt) + labels)
    return datasets.Dataset.from_dict(columns)


def encode_pairs(codec: Codec, pairs: Sequence[DPOPair]) -> datasets.Dataset:
    """Return pairs as tokens, in the columns that TRL's collator takes."""
    columns: dict[str, list[object]] = {"prompt_ids": [], "chosen_ids": [], "rejected_ids": []}
    for pair in pairs:
        prompt = codec.prompt(pair.taught.query).tokens
        chosen, rejected = codec.completed(pair.chosen).tokens, codec.completed(pair.rejected).tokens
        columns["prompt_ids"].append(list(prompt))
        columns["chosen_ids"].append(list(chosen))
        columns["rejected_ids"].append(list(rejected))
    return datasets.Dataset.from_dict(columns)


def require_empty(folder: Path, trainer: str) -> None:
    """Refuse to write into a folder that holds something: what is there may be a good router.

    Raises:
        TrainingError: The folder is missing, or not empty.
    """
    if not folder.is_dir() or any(folder.iterdir()):
        problem = f"the output folder {folder} is missing or not empty"
        raise TrainingError(trainer, problem, "Give an empty folder that exists.")


def lengths_of(pairs: datasets.Dataset) -> list[int]:
    """Return the tokens of each pair's longer side."""
    return [
        len(pair["prompt_ids"]) + max(len(pair["chosen_ids"]), len(pair["rejected_ids"])) for pair in pairs
    ]


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
    def read() -> transformers.PretrainedConfig:
        origin = find_origin(name, revision)
        return transformers.AutoConfig.from_pretrained(
            origin.place, revision=origin.revision, trust_remote_code=False
        )

    # What is wrong with it is said when the model is loaded.
    return attempt(read)[0]
