"""The trainer `qlora-dpo`: goes on from SFT, and learns to prefer the right decision to a wrong one."""

from __future__ import annotations

import random
from pathlib import Path

import attrs
import datasets
import transformers
import trl

from routesdk.errors import TrainingError
from routesdk.host import PluginHost
from routesdk.pipeline.prepare import Preparation
from routesdk.plugins.generative.base import Base, serving_bits, serving_precision
from routesdk.plugins.generative.codec import Codec
from routesdk.plugins.generative.finish import carry_out
from routesdk.plugins.generative.material import (
    encode_pairs,
    lengths_of,
    load_for,
    prepare_job,
    require_empty,
    serving_options,
)
from routesdk.plugins.generative.model import with_adapter
from routesdk.plugins.generative.origin import check_base, content_hash, find_base
from routesdk.plugins.generative.run import Guarded, Lengths, arguments
from routesdk.plugins.generative.state import ADAPTER, State, read_state
from routesdk.plugins.generative.watch import Place
from routesdk.tuning import DPOConfig
from routesdk.types import TrainJob

NAME = "qlora-dpo"


class _Trainer(Guarded, trl.DPOTrainer):  # type: ignore[misc]
    """TRL's trainer on pairs that are tokens already: the very ones that are scored."""

    def _prepare_dataset(self, dataset: datasets.Dataset, *_: object) -> datasets.Dataset:
        return dataset


@attrs.frozen
class DPO:
    """Goes on from an adapter that `qlora-sft` trained, which is also its reference.

    Attributes:
        config: How.
        host: Where matrix and analyst are found.
        after: The trainer whose result it starts from.
        policy_model: The policy model that it trains.
    """

    config: DPOConfig
    host: PluginHost = attrs.field(eq=False, repr=False)
    after: str = attrs.field(default="qlora-sft", init=False)
    policy_model: str = attrs.field(default="generative", init=False)

    @property
    def serving_options(self) -> dict[str, object]:
        """Where the base model lies, if it lies on this machine; a checkpoint does not say that."""
        return serving_options(self.config)

    def train(self, job: TrainJob) -> Path:
        """Train, calibrate on validation rows, and save in `job.output`.

        Raises:
            TrainingError: There is no SFT to start from, nothing can be learned from the
                rows, or training broke off; what to do is said.
            CheckpointError: What it is to start from is damaged, or its base model is missing.
            DatasetError: A row cannot be used.
            LeakError: Stored reasons give an answer away.
        """
        require_empty(job.output, NAME)
        started = self._start(job)
        config = attrs.evolve(self.config, order=started.order, max_tokens=started.max_tokens)
        prepared = prepare_job(job, config, self.host, NAME, config.rejected)
        assert job.start is not None
        return carry_out(
            job,
            NAME,
            config=config,
            load=lambda: _load(started, config),
            prepared=prepared,
            build=lambda base, place: self._trainer(job, config, base, prepared, place),
            start=content_hash(job.start / ADAPTER),
        )

    def _start(self, job: TrainJob) -> State:
        if job.start is None or not (job.start / ADAPTER).is_dir():
            fix = "Train `qlora-sft`, and give its output as `start`; `routesdk train` does so by itself."
            raise TrainingError(NAME, "there is no adapter of qlora-sft to start from", fix)
        return read_state(job.start)

    def _trainer(
        self, job: TrainJob, config: DPOConfig, base: Base, prepared: Preparation, place: Place
    ) -> transformers.Trainer:
        codec = Codec(base.tokenizer, prepared.policies, config.order, config.max_tokens)
        pairs = prepared.dpo
        if config.pairs is not None and config.pairs < len(pairs):
            chosen = random.Random(job.seed).sample(range(len(pairs)), config.pairs)
            pairs = tuple(pairs[at] for at in sorted(chosen))
        rows = encode_pairs(codec, pairs)
        lengths = Lengths.of(config, config.epochs, len(rows), base)
        shared = arguments(config, config.epochs, job, base=base, place=place, lengths=lengths)
        transformers.set_seed(job.seed)
        trainer = _Trainer(
            model=with_adapter(base, (job.start or Path()) / ADAPTER, trainable=True).model,
            args=trl.DPOConfig(**shared, beta=config.beta),
            train_dataset=rows,
            eval_dataset=encode_pairs(codec, prepared.dpo_validation),
            processing_class=base.tokenizer,
        )
        if config.grouping == "length":
            trainer.lengths = lengths_of(rows)
        return trainer


def _load(started: State, config: DPOConfig) -> Base:
    """Load the base model that SFT was trained on, and as it was then where the config leaves that open."""
    place, revision = find_base(started.base, config.base_model)
    bits, precision = config.qlora.bits, config.precision
    if bits is None:
        bits = serving_bits(started.bits, config.device)
    if precision == "auto":
        precision = serving_precision(started.precision, config.device)
    alike = attrs.evolve(config, qlora=attrs.evolve(config.qlora, bits=bits), precision=precision)
    base = load_for(alike, place, revision, started.base.family)
    check_base(started.base, base.record)
    return base
