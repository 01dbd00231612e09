"""What the trainers `qlora-sft` and `qlora-dpo` refuse: each with what to do, and nothing left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import attrs
import pytest

from routesdk.errors import CheckpointError, TrainingError
from routesdk.testing import make_examples, write_dataset
from routesdk.types import Dataset, Grade, Outcome, Policy, TrainJob
from small_model import save_random_model
from tuning import HOST, MODELS, STACK, needed, weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed(*STACK)
    return save_random_model(tmp_path_factory.mktemp("bases") / "base", spread=0.2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("rows") / "rows.jsonl", make_examples(40))


def refused(
    folder: Path, rows: Dataset, trainer: str = "qlora-sft", start: Path | None = None, **settings: object
) -> TrainingError:
    """Train, and return why that was refused; nothing may be left in the output."""
    output = folder / "model"
    output.mkdir(exist_ok=True)
    job = TrainJob(train=(rows,), output=output, work=folder / "work", start=start)
    with pytest.raises(TrainingError) as caught:
        HOST.trainer(trainer, **{"epochs": 0.5, "precision": "float32", **settings}).train(job)
    assert not any(output.iterdir())
    return caught.value


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a machine with a GPU be like one without."""
    torch = needed("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("settings", "problem", "fix"),
    [
        ({"qlora": {"bits": 4}}, "4 bits were asked for, and there is no GPU", "HuggingFaceTB/SmolLM2"),
        ({"qlora": {"bits": 8}, "device": "cpu"}, "8 bits need a GPU", "bits = 16"),
        ({"device": "cuda"}, "torch sees no CUDA device", "device = 'cpu'"),
        ({"device": "cuda:7"}, "torch sees no CUDA device", "device = 'cpu'"),
        ({"batch_size": 6, "micro_batch": 4}, "is no multiple of micro_batch = 4", "Give one that is"),
        ({"grouping": "packing"}, "needs flash attention", "grouping = 'length'"),
        ({"max_tokens": 256}, "of 256 tokens", "Raise max_tokens"),
    ],
)
def test_settings_that_cannot_be_are_refused(  # noqa: PLR0917 - fixtures and a row of the table
    base: Path, rows: Dataset, tmp_path: Path, settings: dict[str, object], problem: str, fix: str
) -> None:
    error = refused(tmp_path, rows, base_model=str(base), **settings)

    assert problem in error.problem
    assert fix in error.fix


def test_a_trainer_without_a_base_model_asks_for_one(rows: Dataset, tmp_path: Path) -> None:
    needed(*STACK)

    error = refused(tmp_path, rows)

    assert "no base_model is given" in error.problem
    assert "google/gemma-2-2b-it" in error.fix


@pytest.mark.parametrize("kind", ["nowhere", "empty", "pickled", "tokenizer", "hub"])
def test_what_is_no_base_model_is_named(base: Path, rows: Dataset, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "base"
    if kind == "empty":
        folder.mkdir()
    elif kind == "pickled":
        _pickle(base, folder)
    elif kind == "tokenizer":
        shutil.copytree(base, folder)
        (folder / "tokenizer.json").write_text("no JSON")
    # Offline, nothing of the Hub is there.
    name = "routesdk-tests/no-such-model" if kind == "hub" else str(folder)

    error = refused(tmp_path, rows, base_model=name)

    assert repr(name) in error.problem
    assert "Hub" in error.fix


def _pickle(base: Path, folder: Path) -> None:
    """Copy a model whose weights are pickled alone; reading them would run what they say."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(base, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_a_tokenizer_without_a_token_that_ends_a_text_is_refused(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(base, folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["eos_token"]
    file.write_text(json.dumps(config))

    error = refused(tmp_path, rows, base_model=str(folder))

    assert "names no token that ends a text" in error.problem


@pytest.mark.parametrize("kind", ["empty", "one policy", "scores"])
def test_rows_that_teach_nothing_are_refused(base: Path, tmp_path: Path, kind: str) -> None:
    outcomes = {
        "one policy": {model: Outcome(model=model, grade=Grade.CORRECT) for model in MODELS},
        "scores": {model: Outcome(model=model, score=0.5) for model in MODELS},
    }
    examples = [attrs.evolve(row, outcomes=outcomes.get(kind, {})) for row in make_examples(30)]
    rows = write_dataset(tmp_path / "rows.jsonl", [] if kind == "empty" else examples)

    error = refused(tmp_path, rows, base_model=str(base))

    said = {
        "empty": "there is no row to learn from",
        "one policy": "all 30 rows have the policy 'Standard_Query'",
        "scores": "is a score, not a grade",
    }
    assert said[kind] in error.problem
    assert not (tmp_path / "work").exists()


def test_policies_whose_names_have_the_same_tokens_are_refused(base: Path) -> None:
    import transformers

    from routesdk.plugins.generative.codec import Codec

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    # A lone surrogate has no UTF-8: both names are the same text to a tokenizer.
    names = ("Hard\ud800", "Hard\ud801")
    policies = [Policy(name=name, description="Hard.", tier="large") for name in names]

    with pytest.raises(TrainingError, match="tells the policies' names apart") as caught:
        Codec(tokenizer, policies, "decision-first", 1024)

    assert "ASCII" in caught.value.fix


def test_dpo_without_anything_to_start_from_says_what_to_do(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "start").mkdir()

    for start in (None, tmp_path / "nowhere", tmp_path / "start"):
        error = refused(tmp_path, rows, "qlora-dpo", start=start)
        assert "no adapter of qlora-sft to start from" in error.problem
        assert "Train `qlora-sft`" in error.fix


@pytest.mark.parametrize("trouble", ["loss", "gradient"])
def test_what_is_no_number_ends_the_run_before_it_reaches_the_weights(
    base: Path, rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    import torch

    from routesdk.plugins.generative import sft

    passes = []

    class Broken(sft._Trainer):
        def compute_loss(self, *arguments: object, **named: object) -> torch.Tensor:
            loss: torch.Tensor = super().compute_loss(*arguments, **named)
            if not self.model.training:
                return loss
            passes.append(loss)
            if len(passes) < 3:
                return loss
            # The root's slope at zero is infinite, and nothing times infinity is no number.
            return loss * float("nan") if trouble == "loss" else loss + torch.sqrt(loss * 0.0)

    monkeypatch.setattr(sft, "_Trainer", Broken)
    error = refused(
        tmp_path,
        rows,
        base_model=str(base),
        epochs=2.0,
        batch_size=8,
        micro_batch=8,
        learning_rate=1e-3,
    )

    (place,) = (tmp_path / "work").iterdir()
    kept = place / "last-good"
    wanted = f"is no number at step 3; the adapter of step 2 is kept in {kept}"
    assert error.problem.endswith(wanted), error.problem
    assert trouble in error.problem
    assert error.fix.startswith("Lower learning_rate (it is 0.001)")
    assert weights(kept)


@pytest.mark.parametrize("moment", ["state", "router"])
def test_a_disk_that_is_full_when_the_tokenizer_is_saved_is_said(
    base: Path, rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    import transformers

    save = transformers.PreTrainedTokenizerFast.save_pretrained

    def save_on_full_disk(self: object, folder: str, *arguments: object, **named: object) -> object:
        if ("checkpoint-" in folder) == (moment == "state"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / "tokenizer.json").symlink_to("/dev/full")
        return save(self, folder, *arguments, **named)

    monkeypatch.setattr(transformers.PreTrainedTokenizerFast, "save_pretrained", save_on_full_disk)

    error = refused(tmp_path, rows, base_model=str(base), batch_size=8)

    assert "No space left on device" in error.problem
    assert ("no step was saved yet" if moment == "state" else "what was trained is kept") in error.problem
    assert error.fix == "Make room, and run the same again: it goes on."


def test_a_gpu_that_is_not_there_is_named(
    base: Path, rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = needed("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    error = refused(tmp_path, rows, base_model=str(base), device="cuda:2")

    assert "device = 'cuda:2', and torch sees 2 CUDA devices here" in error.problem


def test_a_base_model_that_memory_cannot_hold_is_no_missing_one(
    base: Path, rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = needed("torch")
    transformers = needed("transformers")

    def load(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load)

    error = refused(tmp_path, rows, base_model=str(base))

    assert "memory ran out while the base model" in error.problem
    assert "Take fewer bits" in error.fix


def test_a_step_size_that_is_far_too_large_ends_in_an_error_and_not_in_a_router(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    error = refused(tmp_path, rows, base_model=str(base), epochs=4.0, batch_size=8, learning_rate=1e30)

    assert "is no number" in error.problem
    assert "Lower learning_rate (it is 1e+30)" in error.fix


def test_dpo_on_another_base_model_is_refused(base: Path, rows: Dataset, tmp_path: Path) -> None:
    other = save_random_model(tmp_path / "elsewhere" / "base", spread=0.2, layers=3)
    start = tmp_path / "sft"
    start.mkdir()
    sft = HOST.trainer("qlora-sft", base_model=str(base), epochs=0.3, precision="float32")
    sft.train(TrainJob(train=(rows,), output=start))
    output = tmp_path / "model"
    output.mkdir()
    dpo = HOST.trainer("qlora-dpo", base_model=str(other), precision="float32")

    with pytest.raises(CheckpointError, match="is not the base model 'base' that the adapter was trained on"):
        dpo.train(TrainJob(train=(rows,), output=output, start=start))

    assert not any(output.iterdir())
