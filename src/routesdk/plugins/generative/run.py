"""One run of a TRL trainer: its arguments, going on after a kill, and what can go wrong said clearly."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import torch
from transformers import PrinterCallback

from routesdk.errors import TrainingError
from routesdk.pipeline.prepare import FORM_VERSION, PROMPT_VERSION
from routesdk.plugins.generative.base import Base
from routesdk.plugins.generative.disk import unwritten
from routesdk.plugins.generative.order import LengthGrouped
from routesdk.plugins.generative.recipe import rows_a_pass, step_size
from routesdk.plugins.generative.watch import NotFiniteError, Place, Watch
from routesdk.structure import unstructure
from routesdk.tuning import TuningConfig
from routesdk.types import Dataset, TrainJob

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Trainer, TrainerState, TrainingArguments

_LOGGED = 400
"""Lines of training metrics a run has at the most, about."""

_LAST_GOOD = "last-good"


class Guarded:
    """A mixin of trainers: a loss that is no number ends a run before it reaches the weights.

    Attributes:
        lengths: Tokens of each row, where rows of like length are to stand together.
    """

    args: TrainingArguments
    state: TrainerState
    lengths: Sequence[int] = ()

    def _get_train_sampler(self, *arguments: object, **named: object) -> object:
        if not self.lengths:
            return super()._get_train_sampler(*arguments, **named)  # type: ignore[misc]
        rows = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGrouped(self.lengths, rows, self.args.seed, lambda: self.state.epoch or 0.0)

    def training_step(self, *arguments: object, **named: object) -> torch.Tensor:
        """Compute one pass, and look at its loss."""
        loss: torch.Tensor = super().training_step(*arguments, **named)  # type: ignore[misc]
        if not torch.isfinite(loss):
            raise NotFiniteError("the loss")
        return loss


@attrs.frozen(kw_only=True)
class Lengths:
    """How many steps there are, and when what is done.

    Attributes:
        micro_batch: Rows a pass.
        passes: Passes a step.
        log: Steps between two lines of metrics.
        evaluate: Steps between two evaluations.
        save: Steps between two states.
    """

    micro_batch: int
    passes: int
    log: int
    evaluate: int
    save: int

    @classmethod
    def of(cls, config: TuningConfig, epochs: float, rows: int, base: Base) -> Lengths:
        """Lay a run out.

        Raises:
            TrainingError: The rows of a pass do not divide those of a step.
        """
        micro = config.micro_batch or rows_a_pass(base.record.family, config.batch_size, base.device)
        if config.batch_size % micro:
            problem = f"batch_size = {config.batch_size} is no multiple of micro_batch = {micro}"
            raise TrainingError("generative", problem, "Give one that is.")
        steps = math.ceil(rows / config.batch_size)
        log = max(1, round(steps * epochs / _LOGGED))

        def every(times: int) -> int:
            # A multiple of the logging interval, or losses between two lines would be lost in a kill.
            return max(1, round(steps / times / log)) * log

        return cls(
            micro_batch=micro,
            passes=config.batch_size // micro,
            log=log,
            evaluate=every(config.evaluations),
            save=every(config.saves),
        )


def place_of(job: TrainJob, trainer: str, described: Mapping[str, object], scratch: Path) -> Place:
    """Return the folder of a run: the same job gets the same one, another job another.

    Args:
        job: The job.
        trainer: The trainer's name.
        described: Everything that the result depends on.
        scratch: Where it is if the job names no folder.
    """
    text = json.dumps(described, sort_keys=True, default=str)
    name = f"{trainer}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    folder = (job.work or scratch) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8")
    return Place(folder)


def data_hashes(datasets: tuple[Dataset, ...]) -> dict[str, str]:
    """Return the SHA-256 of each file, by its data set's name."""
    found = {}
    for dataset in datasets:
        with dataset.path.open("rb") as stream:
            found[dataset.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def described_run(job: TrainJob, config: TuningConfig, base: Base, start: str = "") -> dict[str, object]:
    """Return everything that a run's result depends on."""
    return {
        "versions": [PROMPT_VERSION, FORM_VERSION],
        "config": unstructure(config) | {"base_model": base.record.name, "device": base.device},
        "base": base.record.fingerprint,
        "bits": base.bits,
        "train": data_hashes(job.train),
        "validation": data_hashes(job.validation),
        "tiers": [dataset.tiers for dataset in job.train],
        "matrix": job.matrix,
        "seed": job.seed,
        "start": start,
    }


def arguments(
    config: TuningConfig, epochs: float, job: TrainJob, *, base: Base, place: Place, lengths: Lengths
) -> dict[str, object]:
    """Return what both of TRL's configs take."""
    precision = base.precision
    on_gpu = base.device.startswith("cuda")
    if config.report_to != "none" and importlib.util.find_spec(config.report_to) is None:
        problem = f"report_to = {config.report_to!r}, and that package is not installed"
        fix = f"Run `pip install {config.report_to}`, or leave it out: metrics.jsonl is written anyway."
        raise TrainingError("generative", problem, fix)
    asked = config.gradient_checkpointing
    checkpointing = on_gpu if asked is None else asked
    rate = config.learning_rate or step_size(base.record.parameters)
    return {
        "output_dir": str(place.states),
        "num_train_epochs": epochs,
        "learning_rate": rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": config.warmup_share,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "per_device_train_batch_size": lengths.micro_batch,
        "per_device_eval_batch_size": lengths.micro_batch * (4 if on_gpu else 1),
        "gradient_accumulation_steps": lengths.passes,
        "gradient_checkpointing": checkpointing,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "optim": "paged_adamw_8bit" if on_gpu and base.bits < 16 else "adamw_torch",
        "logging_steps": lengths.log,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps",
        "eval_steps": lengths.evaluate,
        "save_strategy": "steps",
        "save_steps": lengths.save,
        "save_total_limit": 2,
        "seed": job.seed,
        "data_seed": job.seed,
        "disable_tqdm": True,
        "report_to": config.report_to,
        "log_level": "error",
        "max_length": None,
    }


def work_off(
    name: str,
    build: Callable[[], Trainer],
    place: Place,
    job: TrainJob,
    config: TuningConfig,
) -> None:
    """Train to the end, from the last whole state where there is one; the best adapter is kept in `place`.

    Raises:
        TrainingError: The loss became no number, memory ran out, or the disk is full; what to
            change is said, and what was reached stays.
    """
    with _no_noise():
        trainer = build()
    trainer.remove_callback(PrinterCallback)
    model = cast("PeftModel", trainer.model)
    state = place.last_state()
    step = int(state.name.rpartition("-")[2]) if state is not None else 0
    watch = Watch(
        place,
        name,
        patience=config.patience,
        model=model,
        listen=job.listen,
        earlier=place.rewind(step),
    )
    trainer.add_callback(watch)
    with _troubles(name, trainer, place, config), _no_noise():
        if not watch.has_lost_patience:
            trainer.train(resume_from_checkpoint=None if state is None else str(state))
        if watch.evaluated < trainer.state.global_step:
            # The last steps count, too.
            trainer.evaluate()
    if place.best() is None:
        problem = "the validation loss is no number from the beginning"
        raise TrainingError(name, problem, _not_a_number(config, trainer))


@contextmanager
def _troubles(name: str, trainer: Trainer, place: Place, config: TuningConfig) -> Iterator[None]:
    try:
        yield
    except NotFiniteError as error:
        step = trainer.state.global_step
        kept = place.folder / _LAST_GOOD
        trainer.model.save_pretrained(str(kept), selected_adapters=["default"])
        problem = f"{error} is no number at step {step + 1}; the adapter of step {step} is kept in {kept}"
        raise TrainingError(name, problem, _not_a_number(config, trainer)) from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        problem = f"memory ran out at step {trainer.state.global_step + 1} ({_first(error)})"
        fix = "Lower micro_batch or max_tokens, set gradient_checkpointing, or take fewer bits."
        raise TrainingError(name, problem, fix) from error
    except Exception as error:
        # Tokenizers raise nothing more particular where a disk is full.
        what = unwritten(error)
        if not what:
            raise
        last = place.last_state()
        reached = f"{last.name.replace('checkpoint-', 'step ')} is kept" if last else "no step was saved yet"
        problem = f"{what} ({_first(error)}); {reached} in {place.folder}"
        raise TrainingError(name, problem, "Make room, and run the same again: it goes on.") from error


def _first(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def _not_a_number(config: TuningConfig, trainer: Trainer) -> str:
    rate = trainer.args.learning_rate
    return f"Lower learning_rate (it is {rate:g}) or max_grad_norm, or set precision = 'float32'."


@contextmanager
def _no_noise() -> Iterator[None]:
    """Leave out warnings of the libraries about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
