"""Watches a training run: metrics as JSONL, the best adapter kept, early stop, and states that are whole."""

from __future__ import annotations

import contextlib
import json
import math
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
from transformers import TrainerCallback

from routesdk.dataset import replacing
from routesdk.types import TrainProgress

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import TrainerControl, TrainerState, TrainingArguments

METRICS = "metrics.jsonl"
_STATES = "states"
_WHOLE = "whole.json"
_BEST = "best.json"
_DONE = "done.json"
_FIGURES = ("loss", "learning_rate", "grad_norm", "num_tokens")
_DPO_FIGURES = ("rewards/accuracies", "rewards/margins")


class NotFiniteError(ArithmeticError):
    """The loss of a step, or a gradient, is no number; the weights are still those of the step before."""


@attrs.frozen(kw_only=True)
class _Kept:
    """An adapter that was the best one when it was kept."""

    folder: str
    step: int
    loss: float


@attrs.frozen
class Place:
    """The folder of one run, which outlives a kill.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def metrics(self) -> Path:
        """One line of JSON for every logged step and every evaluation."""
        return self.folder / METRICS

    @property
    def states(self) -> Path:
        """Folder of the states that a killed run goes on from."""
        return self.folder / _STATES

    def is_done(self) -> bool:
        """Whether training came to its end."""
        return (self.folder / _DONE).is_file() and self.best() is not None

    def mark_done(self) -> None:
        """Note that training came to its end; its states are not needed any more."""
        self.settle()
        replace_text(self.folder / _DONE, "{}\n")
        for state in self.states.glob("checkpoint-*"):
            shutil.rmtree(state, ignore_errors=True)
        # TRL's own card of a model that is not shared from here; logs of other tools may lie beside it.
        with contextlib.suppress(OSError):
            (self.states / "README.md").unlink(missing_ok=True)
            self.states.rmdir()

    def last_state(self) -> Path | None:
        """Return the newest state that was written to its end, and remove those that were not."""
        found: list[tuple[int, Path]] = []
        for state in self.states.glob("checkpoint-*"):
            if (state / _WHOLE).is_file():
                found.append((int(state.name.rpartition("-")[2]), state))
            else:
                shutil.rmtree(state, ignore_errors=True)
        return max(found)[1] if found else None

    def best(self) -> tuple[Path, int, float] | None:
        """Return the best adapter so far, its step and its validation loss."""
        for kept in self._kept()[-1:]:
            return self.folder / kept.folder, kept.step, kept.loss
        return None

    def keep_best(self, model: PeftModel, step: int, loss: float) -> None:
        """Save the adapter as the best one; those before stay until a state is saved that knows this one."""
        name = f"best-{step}"
        shutil.rmtree(self.folder / name, ignore_errors=True)
        model.save_pretrained(str(self.folder / name), selected_adapters=["default"])
        before = [kept for kept in self._kept() if kept.step != step]
        self._keep([*before, _Kept(folder=name, step=step, loss=loss)])

    def settle(self) -> None:
        """Remove all adapters but the best one: no run goes back to before it any more."""
        kept = self._kept()
        self._keep(kept[-1:])
        for each in kept[:-1]:
            shutil.rmtree(self.folder / each.folder, ignore_errors=True)

    def rewind(self, step: int) -> list[dict[str, float]]:
        """Leave out of the metrics what comes after a step, and return the rest."""
        if not self.metrics.is_file():
            return []
        kept = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                # The last line of a run that was killed while it wrote.
                continue
            if entry["step"] <= step:
                kept.append(entry)
        replace_text(self.metrics, "".join(json.dumps(entry) + "\n" for entry in kept))
        best = self._kept()
        self._keep([each for each in best if each.step <= step])
        for each in best:
            if each.step > step:
                shutil.rmtree(self.folder / each.folder, ignore_errors=True)
        return kept

    def _kept(self) -> list[_Kept]:
        try:
            known = json.loads((self.folder / _BEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [_Kept(**entry) for entry in known]

    def _keep(self, kept: Sequence[_Kept]) -> None:
        replace_text(self.folder / _BEST, json.dumps([attrs.asdict(each) for each in kept]))


def _all_finite(tensors: list[torch.Tensor]) -> bool:
    # One look for all of them: each look at a GPU's number waits for the GPU.
    return bool(torch.isfinite(torch.stack(torch._foreach_norm(tensors)).sum()))


def replace_text(file: Path, text: str) -> None:
    """Write a small file that is there whole or not at all."""
    with replacing(file) as raw:
        raw.write(text.encode())


class Watch(TrainerCallback):  # type: ignore[misc]
    """Writes metrics, keeps the best adapter, and stops when validation loss no longer falls.

    Args:
        place: The run's folder.
        stage: The trainer's name.
        patience: Evaluations without a better validation loss before it stops.
        model: The model with its adapter.
        listen: Is told where the run stands.
        earlier: Metrics of the run before it was killed.
    """

    def __init__(
        self,
        place: Place,
        stage: str,
        *,
        patience: int,
        model: PeftModel,
        listen: Callable[[TrainProgress], None] | None,
        earlier: list[dict[str, float]],
    ) -> None:
        self._place = place
        self._stage = stage
        self._patience = patience
        self._model = model
        self._listen = listen
        self._began = self._logged = time.monotonic()
        self._first: int | None = None
        self._tokens: float | None = None
        evaluations = [entry for entry in earlier if "eval_loss" in entry]
        losses = [entry["eval_loss"] for entry in evaluations]
        self._validation_loss = losses[-1] if losses else None
        self._evaluated = int(evaluations[-1]["step"]) if evaluations else 0
        self._worse = 0
        self._lowest = math.inf
        for loss in losses:
            self._count(loss)

    @property
    def evaluated(self) -> int:
        """The last step that there was an evaluation at; 0 for none."""
        return self._evaluated

    @property
    def has_lost_patience(self) -> bool:
        """Whether validation loss has not fallen for so long that training is over."""
        return self._worse >= self._patience

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Note where it begins: at a later step where a killed run goes on."""
        self._first = state.global_step
        self._began = self._logged = time.monotonic()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """End the run before a gradient that is no number reaches the weights.

        Raises:
            NotFiniteError: One is none. In float16 the scaler passes such a step over by itself.
        """
        gradients = [each.grad for each in self._model.parameters() if each.grad is not None]
        if not args.fp16 and gradients and not _all_finite(gradients):
            raise NotFiniteError("a gradient")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: object,
    ) -> None:
        """Write a line, and tell who listens."""
        if logs is None or "loss" not in logs:
            return
        now = time.monotonic()
        speed = self._speed(logs.get("num_tokens"), now)
        progress = TrainProgress(
            stage=self._stage,
            step=state.global_step,
            steps=state.max_steps,
            loss=float(logs["loss"]),
            validation_loss=self._validation_loss,
            tokens_per_s=speed,
            memory_mb=memory_mb(),
            seconds_left=self._seconds_left(state, now),
        )
        figures = {name: float(logs[name]) for name in (*_FIGURES, *_DPO_FIGURES) if name in logs}
        figures |= {"memory_mb": progress.memory_mb or 0.0}
        self._write(state, figures if speed is None else figures | {"tokens_per_s": speed})
        if self._listen is not None:
            self._listen(progress)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        **_: object,
    ) -> None:
        """Keep the adapter where it is the best so far; stop where it has long not been."""
        loss = (metrics or {}).get("eval_loss")
        if loss is None or not math.isfinite(loss):
            return
        self._validation_loss = loss
        self._evaluated = state.global_step
        if self._count(loss):
            self._place.keep_best(self._model, state.global_step, loss)
        # Written last: where the line stands, the adapter is kept.
        self._write(state, {"eval_loss": loss})
        if self.has_lost_patience:
            control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Mark a state as whole: transformers calls this when all of its files are written."""
        folder = self._place.states / f"checkpoint-{state.global_step}"
        replace_text(folder / _WHOLE, json.dumps({"step": state.global_step}))
        self._place.settle()

    def _write(self, state: TrainerState, figures: Mapping[str, float]) -> None:
        entry = {"step": state.global_step, "epoch": round(state.epoch or 0.0, 6), **figures}
        with self._place.metrics.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")

    def _count(self, loss: float) -> bool:
        better = loss < self._lowest
        self._worse = 0 if better else self._worse + 1
        self._lowest = min(loss, self._lowest)
        return better

    def _speed(self, tokens: float | None, now: float) -> float | None:
        before, self._tokens = self._tokens, tokens
        took, self._logged = now - self._logged, now
        if tokens is None or before is None or took <= 0.0:
            return None
        return (tokens - before) / took

    def _seconds_left(self, state: TrainerState, now: float) -> float | None:
        done = state.global_step - (self._first or 0)
        return None if done < 1 else (now - self._began) / done * (state.max_steps - state.global_step)


def memory_mb() -> float:
    """Return the peak memory in MiB: of the GPU where it is used, else of this process."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
