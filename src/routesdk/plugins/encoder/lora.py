"""Tunes an encoder on the grades: low-rank updates of its layers under one linear head for all tasks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from routesdk.errors import MissingExtraError, TrainingError
from routesdk.heads.rows import Rows
from routesdk.heads.task import list_tasks
from routesdk.plugins.encoder import INSTALL, EncoderTrainerConfig
from routesdk.plugins.encoder.engine import Engine
from routesdk.plugins.encoder.side import Standard
from routesdk.plugins.encoder.torch_engine import TorchEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Ridge penalty of the head, and steps of its start on the frozen vectors, all of which are cheap. A head
# without it learns these vectors by heart, and the encoder is then tuned to what is not there.
_RIDGE, _HEAD_STEPS = 1000.0, 300
_BUCKET = 16


@attrs.frozen(eq=False)
class _Lesson:
    """Rows to tune on, or to stop by.

    Attributes:
        texts: What the encoder reads, (rows,).
        target: A probability a row and task, (rows, tasks); NaN where a task has no row.
    """

    texts: list[str]
    target: torch.Tensor


def tune(engine: Engine, rows: Rows, others: Rows, config: EncoderTrainerConfig, seed: int) -> Engine:
    """Return the engine with its encoder tuned; the updates are merged into its weights.

    The state that makes the held-out rows likeliest is kept; it may be the one before the first step.

    Args:
        engine: The encoder, in torch.
        rows: What is learned from.
        others: Rows that tell when to stop.
        config: How to tune.
        seed: Seed of the updates' start, of dropout, and of the order of rows.

    Raises:
        TrainingError: The encoder has no transformer that could be tuned, or the loss is no number.
        MissingExtraError: peft is missing.
    """
    if not isinstance(engine, TorchEngine) or engine.model.transformers_model is None:
        raise TrainingError(
            "encoder", "the encoder is no transformer: there is nothing to tune", "Leave it frozen."
        )
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingExtraError("encoder", INSTALL, str(error)) from error
    devices = [engine.model.device] if engine.model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        lessons = _lessons(engine, rows, others)
        head = _started(engine, lessons[0])
        settings = LoraConfig(
            r=config.rank, lora_alpha=config.alpha, target_modules="all-linear", lora_dropout=0.0
        )
        # Its layers are put into the model itself, which the encoder goes on calling.
        with warnings.catch_warnings():
            # What peft asks of transformers is deprecated there, and no business of ours.
            warnings.simplefilter("ignore", FutureWarning)
            wrapped = get_peft_model(engine.model.transformers_model, settings)
        _descend(engine, head, lessons, config, seed)
        wrapped.merge_and_unload()
    engine.model.eval()
    return engine


@attrs.frozen(eq=False)
class _Head:
    """A linear head on standardised vectors."""

    linear: torch.nn.Linear
    mean: torch.Tensor
    spread: torch.Tensor
    rows: int

    def logits(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return a logit a row and task."""
        found: torch.Tensor = self.linear((vectors - self.mean) / self.spread)
        return found

    def cost(self, vectors: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss on some rows, with their share of the ridge penalty."""
        spread_over = 2.0 * self.rows * target.shape[1]
        return _loss(self.logits(vectors), target) + _RIDGE / spread_over * self.linear.weight.square().sum()


def _started(engine: TorchEngine, lesson: _Lesson) -> _Head:
    """Fit a head to the frozen vectors: a random one would first pull the encoder anywhere."""
    found = engine.embed(lesson.texts)
    standard = Standard.of(found)
    device = engine.model.device
    linear = torch.nn.Linear(found.shape[1], lesson.target.shape[1], device=device)
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    mean, spread = (
        torch.tensor(each, dtype=torch.float32, device=device) for each in (standard.mean, standard.spread)
    )
    head = _Head(linear, mean, spread, len(found))
    vectors, target = torch.tensor(found, device=device), lesson.target.to(device)
    optimiser = torch.optim.Adam(linear.parameters(), lr=1e-2)
    for _ in range(_HEAD_STEPS):
        optimiser.zero_grad()
        head.cost(vectors, target).backward()
        optimiser.step()
    return head


def _descend(
    engine: TorchEngine,
    head: _Head,
    lessons: tuple[_Lesson, _Lesson],
    config: EncoderTrainerConfig,
    seed: int,
) -> None:
    """Take steps, pass by pass, while the held-out rows become likelier; then go back to the best state.

    Raises:
        TrainingError: The loss is no number.
    """
    taught, held = lessons
    modules = torch.nn.ModuleList([engine.model, head.linear])
    moving = {name: each for name, each in modules.named_parameters() if each.requires_grad}
    optimiser = torch.optim.Adam(moving.values(), lr=config.learning_rate)
    best, kept = _measure(engine, head, held), _copy(moving)
    order = np.random.default_rng(seed)
    for _ in range(config.epochs):
        modules.train()
        for chosen in _batches(taught.texts, config.batch_size, order):
            optimiser.zero_grad()
            vectors = _vectors(engine, [taught.texts[at] for at in chosen])
            cost = head.cost(vectors, taught.target[chosen].to(vectors.device))
            if not torch.isfinite(cost):
                raise TrainingError("encoder", "the loss of the tuning is no number", "Lower learning_rate.")
            cost.backward()
            torch.nn.utils.clip_grad_norm_(moving.values(), 1.0)
            optimiser.step()
        found = _measure(engine, head, held)
        # Turned around, a loss that is no number would be the best one.
        if not found < best:
            break
        best, kept = found, _copy(moving)
    with torch.no_grad():
        for name, parameter in moving.items():
            parameter.copy_(kept[name])


def _copy(parameters: dict[str, torch.nn.Parameter]) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in parameters.items()}


def _vectors(engine: TorchEngine, texts: Sequence[str]) -> torch.Tensor:
    features = engine.model.preprocess(list(texts), prompt=engine.prompt or None)
    moved = {
        name: value.to(engine.model.device) if isinstance(value, torch.Tensor) else value
        for name, value in features.items()
    }
    vectors: torch.Tensor = engine.model(moved)["sentence_embedding"]
    return vectors


def _measure(engine: TorchEngine, head: _Head, held: _Lesson) -> float:
    """Return the loss on held-out rows."""
    engine.model.eval()
    with torch.inference_mode():
        vectors = torch.tensor(engine.embed(held.texts), device=engine.model.device)
        return float(_loss(head.logits(vectors), held.target.to(vectors.device)))


def _loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy over what is known."""
    known = ~torch.isnan(target)
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.nan_to_num(target), reduction="none"
    )
    return (each * known).sum() / known.sum().clamp(min=1)


def _batches(texts: Sequence[str], size: int, order: np.random.Generator) -> list[list[int]]:
    """Draw an order of the rows; within stretches of it, texts of like length go together."""
    drawn = order.permutation(len(texts))
    batches: list[list[int]] = []
    for low in range(0, len(drawn), size * _BUCKET):
        near = sorted(drawn[low : low + size * _BUCKET].tolist(), key=lambda at: len(texts[at]))
        batches += [near[first : first + size] for first in range(0, len(near), size)]
    return [batches[at] for at in order.permutation(len(batches)).tolist()]


def _lessons(engine: TorchEngine, rows: Rows, others: Rows) -> tuple[_Lesson, _Lesson]:
    """Lay out the grades of all models and tiers, but what is the same on all rows that teach."""
    moving = [task.constant is None for task in list_tasks(rows, "encoder")]
    targets = [_targets(each, rows.models, len(moving))[:, moving] for each in (rows, others)]
    texts = [[engine.reader.read(query)[0] for query in each.queries] for each in (rows, others)]
    first, second = (torch.tensor(target, dtype=torch.float32) for target in targets)
    return _Lesson(texts[0], first), _Lesson(texts[1], second)


def _targets(rows: Rows, models: tuple[str, ...], tasks: int) -> NDArray[np.float64]:
    """Return what each task is to say of each row, (rows, tasks); NaN where it is asked nothing."""
    heads = np.full((len(rows.texts), tasks // 2, 3), np.nan)
    for at, model in enumerate(models):
        if model in rows.models:
            heads[:, at] = rows.labels[:, rows.models.index(model)]
    if tasks > 2 * len(models) and len(rows.tiers.rows):
        heads[rows.tiers.rows, len(models) :] = rows.tiers.labels
    right, wrong, passed = np.moveaxis(heads, 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A correct answer is 0 / 0 here: it says nothing of abstaining.
        share = passed / (wrong + passed)
    return np.stack([right, share], axis=2).reshape(len(rows.texts), tasks)
