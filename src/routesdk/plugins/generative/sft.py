"""The trainer `qlora-sft`: a causal language model learns to write the decision and its reason."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import attrs
import torch
import transformers
import trl

from routesdk.errors import TrainingError
from routesdk.host import PluginHost
from routesdk.pipeline.prepare import Preparation
from routesdk.plugins.generative.base import Base
from routesdk.plugins.generative.codec import Codec
from routesdk.plugins.generative.finish import carry_out
from routesdk.plugins.generative.material import (
    adapted,
    encode_rows,
    load_for,
    prepare_job,
    refuse_packing,
    require_empty,
    serving_options,
)
from routesdk.plugins.generative.run import Guarded, Lengths, arguments
from routesdk.plugins.generative.sharing import MASK, SharedPrefix, can_share, masked
from routesdk.plugins.generative.watch import Place
from routesdk.tuning import SFTConfig
from routesdk.types import TrainJob

NAME = "qlora-sft"


class _Trainer(Guarded, trl.SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, which ends where a loss is no number, and takes rows that share their beginning."""

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *arguments: object, **named: object
    ) -> torch.Tensor:
        """Compute the loss of a pass."""
        mask = inputs.pop(MASK, None)
        with nullcontext() if mask is None else masked(model, mask):
            loss: torch.Tensor = super().compute_loss(model, inputs, *arguments, **named)
        return loss


@attrs.frozen
class SFT:
    """Fine-tunes an adapter of a causal language model.

    Attributes:
        config: How.
        host: Where matrix and analyst are found.
        policy_model: The policy model that it trains.
    """

    config: SFTConfig
    host: PluginHost = attrs.field(eq=False, repr=False)
    policy_model: str = attrs.field(default="generative", init=False)

    @property
    def serving_options(self) -> dict[str, object]:
        """Where the base model lies, if it lies on this machine; a checkpoint does not say that."""
        return serving_options(self.config)

    def train(self, job: TrainJob) -> Path:
        """Train, calibrate on validation rows, and save in `job.output`.

        Raises:
            TrainingError: Nothing can be learned from the rows, the base model cannot be
                used, or training broke off; what to do is said.
            DatasetError: A row cannot be used.
            LeakError: Stored reasons give an answer away.
        """
        require_empty(job.output, NAME)
        prepared = prepare_job(job, self.config, self.host, NAME)
        if not self.config.base_model:
            fix = "Name a folder or a Hub id, such as google/gemma-2-2b-it."
            raise TrainingError(NAME, "no base_model is given", fix)
        name, revision = self.config.base_model, self.config.revision
        return carry_out(
            job,
            NAME,
            config=self.config,
            load=lambda: load_for(self.config, name, revision),
            prepared=prepared,
            build=lambda base, place: self._trainer(job, base, prepared, place),
        )

    def _trainer(
        self, job: TrainJob, base: Base, prepared: Preparation, place: Place
    ) -> transformers.Trainer:
        codec = Codec(base.tokenizer, prepared.policies, self.config.order, self.config.max_tokens)
        rows = encode_rows(codec, prepared.sft, self.config.loss)
        lengths = Lengths.of(self.config, self.config.epochs, len(rows), base)
        shared = arguments(self.config, self.config.epochs, job, base=base, place=place, lengths=lengths)
        packing = self.config.grouping == "packing"
        if packing:
            refuse_packing(base, NAME)
            shared["max_length"] = self.config.max_tokens
        held = encode_rows(codec, prepared.sft_validation, self.config.loss)
        prefix = codec.common_prefix()
        everything = [*rows["input_ids"], *held["input_ids"]]
        sharing = (
            self.config.share_prefix
            and not packing
            and can_share(base.model, prefix, everything, lengths.micro_batch)
        )
        if sharing:
            # A pass of validation rows is one sequence as well.
            shared["per_device_eval_batch_size"] = lengths.micro_batch
        transformers.set_seed(job.seed)
        trainer = _Trainer(
            model=adapted(base, self.config.qlora),
            data_collator=SharedPrefix(prefix, base.model.dtype) if sharing else None,
            args=trl.SFTConfig(
                **shared,
                packing=packing,
                eval_packing=False,
                dataset_kwargs={"skip_prepare_dataset": not packing},
            ),
            train_dataset=rows,
            eval_dataset=held,
            processing_class=base.tokenizer,
        )
        if self.config.grouping == "length":
            trainer.lengths = [len(tokens) for tokens in rows["input_ids"]]
        return trainer
