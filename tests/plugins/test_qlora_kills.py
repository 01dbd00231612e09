"""Trainings that are killed, or find the disk full, and go on as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from routesdk.testing import make_examples, write_dataset
from small_model import save_random_model
from tuning import STACK, Run, needed, weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sft(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An undisturbed run of two epochs, of six steps or more each, with three states an epoch."""
    needed(*STACK)
    folder = tmp_path_factory.mktemp("gemma")
    base = save_random_model(folder / "base", family="Gemma2", spread=0.2, layers=3)
    rows = write_dataset(folder / "rows.jsonl", make_examples(60)).path
    settings = {
        "base_model": str(base),
        "precision": "float32",
        "epochs": 2.0,
        "batch_size": 8,
        "micro_batch": 4,
        "saves": 3,
        "evaluations": 2,
        "patience": 50,
        "learning_rate": 2e-3,
    }
    run = Run(folder=folder / "whole", rows=rows, settings=settings)
    assert run.finish() == {}
    return run


def state_was_saved(run: Run) -> bool:
    return bool(run.states(whole=True)) and run.last_step() == run.states(whole=True)[-1]


def between_states(run: Run) -> bool:
    whole = run.states(whole=True)
    return bool(whole) and not run.states(whole=False) and run.last_step() > whole[-1]


def state_is_being_written(run: Run) -> bool:
    return bool(run.states(whole=True)) and bool(run.states(whole=False))


def in_the_second_epoch(run: Run) -> bool:
    whole = run.states(whole=True)
    return bool(whole) and run.epoch_of(whole[-1]) > 1.0 and run.last_step() > whole[-1]


@pytest.mark.parametrize(
    "moment", [state_was_saved, between_states, state_is_being_written, in_the_second_epoch]
)
def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(
    sft: Run, tmp_path: Path, moment: Callable[[Run], bool]
) -> None:
    run = attrs.evolve(sft, folder=tmp_path)
    run.kill_when(moment)
    reached = run.states(whole=True)
    assert reached
    assert not any(run.output.iterdir())

    assert run.finish() == {}

    assert run.course() == sft.course()
    assert run.state() == sft.state()
    adapters = [each.output / "adapter" / "adapter_model.safetensors" for each in (run, sft)]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()
    assert not (run.place / "states").exists()


def test_a_killed_dpo_goes_on_and_ends_like_one_that_was_not(sft: Run, tmp_path: Path) -> None:
    settings = {**sft.settings, "epochs": 1.0, "learning_rate": 1e-4}
    whole = attrs.evolve(
        sft, folder=tmp_path / "whole", trainer="qlora-dpo", start=sft.output, settings=settings
    )
    killed = attrs.evolve(whole, folder=tmp_path / "killed")
    assert whole.finish() == {}
    killed.kill_when(between_states)

    assert killed.finish() == {}

    assert len(killed.course()) >= 6
    assert killed.course() == whole.course()
    assert killed.state() == whole.state()


@pytest.mark.parametrize("share", [0.5, 1.5], ids=["adapter", "optimiser"])
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(
    sft: Run, tmp_path: Path, share: float
) -> None:
    run = attrs.evolve(sft, folder=tmp_path)
    run.kill_when(state_was_saved)
    (reached,) = run.states(whole=True)
    adapter = run.place / "states" / f"checkpoint-{reached}" / "adapter_model.safetensors"
    # The optimiser's state is twice as large as the adapter.
    room = int(share * adapter.stat().st_size)

    failed = run.finish(largest_file=room)

    assert failed["error"] == "TrainingError"
    assert "the disk is full" in failed["text"]
    assert f"step {reached} is kept in {run.place}" in failed["text"]
    assert failed["text"].endswith("Make room, and run the same again: it goes on.")
    assert run.states(whole=True) == [reached]
    assert not any(run.output.iterdir())
    weights(adapter.parent)

    assert run.finish() == {}
    assert run.course() == sft.course()
    assert run.state() == sft.state()
