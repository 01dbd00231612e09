"""After training: the best adapter saved, scored as it will be served, and calibrated."""

from __future__ import annotations

import gc
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from routesdk.errors import TrainingError
from routesdk.pipeline.prepare import Preparation
from routesdk.plugins.generative.base import Base, Facts, load_base, serving_bits, serving_precision
from routesdk.plugins.generative.disk import unwritten
from routesdk.plugins.generative.model import Parts, with_adapter
from routesdk.plugins.generative.run import data_hashes, described_run, place_of, work_off
from routesdk.plugins.generative.scaling import Scaling, fit_scaling
from routesdk.plugins.generative.state import ADAPTER, STATE, TOKENIZER, State, write_state
from routesdk.plugins.generative.watch import Place
from routesdk.structure import unstructure
from routesdk.tuning import TuningConfig
from routesdk.types import TrainJob

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import Trainer

_BATCH_TOKENS = 2048
"""Tokens of a batch of validation rows: about those of a pass of training, and no more memory."""

_REFERENCE_ROWS = 2000


def carry_out(
    job: TrainJob,
    trainer: str,
    *,
    config: TuningConfig,
    load: Callable[[], Base],
    prepared: Preparation,
    build: Callable[[Base, Place], Trainer],
    start: str = "",
) -> Path:
    """Train where an earlier run of the same job left off, and finish; see `work_off` and `finish`.

    Args:
        job: The job.
        trainer: The trainer's name.
        config: How.
        load: Loads the base model. It is loaded here so that nobody else holds it: what was
            trained leaves memory before the router is loaded to be calibrated.
        prepared: The rows.
        build: Builds the trainer of TRL on a base model, for a run in this place.
        start: What tells the adapter that it starts from; empty for none.
    """

    def train(scratch: Path) -> tuple[Facts, Place]:
        base = load()
        place = place_of(job, trainer, described_run(job, config, base, start), scratch)
        if not place.is_done():
            try:
                work_off(trainer, lambda: build(base, place), place, job, config)
            finally:
                _let_go(base.model)
            place.mark_done()
        return base.facts, place

    with tempfile.TemporaryDirectory(prefix="routesdk-train-") as scratch:
        facts, place = train(Path(scratch))
        return finish(job, trainer, config=config, base=facts, prepared=prepared, place=place)


def _let_go(model: torch.nn.Module) -> None:
    """Have bitsandbytes forget a model: with what it is told of embeddings, it keeps them for ever."""
    library = sys.modules.get("bitsandbytes")
    if library is None:
        return
    manager = library.optim.GlobalOptimManager.get_instance()
    own = {id(module) for module in model.modules()}
    told = manager.module_weight_config_triple
    told[:] = [entry for entry in told if id(entry[0]) not in own]


def finish(
    job: TrainJob, trainer: str, *, config: TuningConfig, base: Facts, prepared: Preparation, place: Place
) -> Path:
    """Save the best adapter, calibrate it on the validation rows, and return `job.output`.

    The adapter is loaded anew, the way a checkpoint is: what calibrates are the scores
    that will be served, merged weights and their rounding included.

    Raises:
        TrainingError: Something cannot be written; what was trained is kept, and `job.output` is empty.
    """
    finished = False
    try:
        _finish(job, trainer, config, base, prepared, place)
        finished = True
    except Exception as error:
        if not unwritten(error):
            raise
        problem = f"the router cannot be saved in {job.output} ({error}); what was trained is kept"
        raise TrainingError(trainer, problem, "Make room, and run the same again: it goes on.") from error
    finally:
        if not finished:
            for leftover in (ADAPTER, TOKENIZER):
                shutil.rmtree(job.output / leftover, ignore_errors=True)
            (job.output / STATE).unlink(missing_ok=True)
    return job.output


def _finish(  # noqa: PLR0917 - the arguments of its one caller
    job: TrainJob, trainer: str, config: TuningConfig, base: Facts, prepared: Preparation, place: Place
) -> None:
    best = place.best()
    if best is None:
        raise TrainingError(trainer, "no adapter was kept", f"Remove {place.folder}, and train again.")
    adapter, step, loss = best
    _copy_adapter(adapter, job.output / ADAPTER, base.record.name)
    base.tokenizer.save_pretrained(str(job.output / TOKENIZER))
    state = State(
        base=base.record,
        policies=prepared.policies,
        tiers=job.tiers,
        order=config.order,
        max_tokens=config.max_tokens,
        bits=base.bits,
        precision=base.precision,
        calibration=Scaling.none(len(prepared.policies)),
    )
    scores, cut = _scores(base, state, job.output, prepared)
    names = [policy.name for policy in prepared.policies]
    labels = [names.index(row.policy) for row in prepared.validation]
    scaling = fit_scaling(scores, labels, config.calibration)
    values = scaling.probabilities(scores)
    right = values[np.arange(len(labels)), labels]
    state = attrs.evolve(
        state,
        calibration=scaling,
        reference=tuple(tuple(round(float(each), 6) for each in row) for row in values[:_REFERENCE_ROWS]),
        training={
            "trainer": trainer,
            "config": _described(config, base),
            "data_sha256": data_hashes((*job.train, *job.validation)),
            "statistics": prepared.statistics() | {"cut_to_fit": cut},
            "seed": job.seed,
            "best_step": step,
            "validation_loss": loss,
            "validation_log_loss_of_policies": float(-np.log(np.maximum(right, 1e-12)).mean()),
            "validation_accuracy_of_policies": float((values.argmax(axis=1) == labels).mean()),
        },
    )
    write_state(job.output, state)


def _scores(
    base: Facts, state: State, folder: Path, prepared: Preparation
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Return the scores of the validation rows, and how many rows were cut to fit the model's context."""
    gc.collect()
    if base.device.startswith("cuda"):
        torch.cuda.empty_cache()
    clean = load_base(
        base.place,
        base.record.revision or None,
        device=base.device,
        bits=serving_bits(state.bits, base.device),
        precision=serving_precision(state.precision, base.device),
        tokenizer=folder / TOKENIZER,
    )
    served = with_adapter(clean, folder / ADAPTER)
    parts = Parts.of(served, state, _BATCH_TOKENS)
    learned, held = (
        parts.prompts([row.query for row in rows]) for rows in (prepared.train, prepared.validation)
    )
    cut = {
        name: sum(prompt.cut for prompt in prompts)
        for name, prompts in (("train", learned), ("validation", held))
    }
    return parts.scores(held), cut


def _copy_adapter(source: Path, target: Path, base: str) -> None:
    """Copy an adapter without the local path of its base model, which means nothing elsewhere."""
    target.mkdir(parents=True)
    shutil.copyfile(source / "adapter_model.safetensors", target / "adapter_model.safetensors")
    config = json.loads((source / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    (target / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _described(config: TuningConfig, base: Facts) -> dict[str, object]:
    """Return the config without this machine's folders."""
    return unstructure(config) | {"base_model": base.record.name, "device": base.device.partition(":")[0]}
