"""The trainers `qlora-sft` and `qlora-dpo` with random weights: what they promise, learn, and leave."""

from __future__ import annotations

import json
import math
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from routesdk.config import TrainConfig
from routesdk.pipeline.training import links
from routesdk.structure import structure
from routesdk.testing import check_trainer, make_examples, write_dataset
from routesdk.tuning import DPOConfig, SFTConfig
from routesdk.types import Dataset, PartConfig, Query, TrainJob, TrainProgress
from small_model import save_random_model
from tuning import HOST, STACK, needed, weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from routesdk.plugins.generative.model import GenerativeModel

pytestmark = pytest.mark.slow

SMALL: Mapping[str, object] = {"precision": "float32", "epochs": 0.3, "batch_size": 8}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed(*STACK)
    return save_random_model(tmp_path_factory.mktemp("bases") / "base", spread=0.2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("rows") / "rows.jsonl", make_examples(48))


@attrs.frozen
class Done:
    """A training that came to its end."""

    folder: Path
    output: Path
    heard: list[TrainProgress]

    @property
    def place(self) -> Path:
        (found,) = (self.folder / "work").iterdir()
        return found

    @property
    def metrics(self) -> list[dict[str, float]]:
        return [json.loads(line) for line in (self.place / "metrics.jsonl").read_text().splitlines()]

    @property
    def losses(self) -> list[float]:
        return [entry["loss"] for entry in self.metrics if "loss" in entry]

    @property
    def training(self) -> dict[str, object]:
        state = json.loads((self.output / "generative.json").read_text())
        return cast("dict[str, object]", state["training"])


def train(
    folder: Path, rows: Dataset, trainer: str = "qlora-sft", start: Path | None = None, **settings: object
) -> Done:
    output = folder / "model"
    output.mkdir(parents=True)
    done = Done(folder, output, [])
    job = TrainJob(train=(rows,), output=output, start=start, work=folder / "work", listen=done.heard.append)
    HOST.trainer(trainer, **{**SMALL, **settings}).train(job)
    return done


@pytest.fixture(scope="module")
def sft(base: Path, rows: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One pass over the rows."""
    return train(tmp_path_factory.mktemp("sft"), rows, base_model=str(base), epochs=1.0, learning_rate=3e-3)


@pytest.fixture(scope="module")
def dpo(base: Path, sft: Done, rows: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One pass over the pairs, from the adapter of SFT."""
    folder = tmp_path_factory.mktemp("dpo")
    settings = {"base_model": str(base), "epochs": 1.0, "learning_rate": 1e-3, "qlora": {"dropout": 0.0}}
    return train(folder, rows, "qlora-dpo", start=sft.output, **settings)


def test_sft_keeps_the_contract_of_a_trainer(base: Path, rows: Dataset, tmp_path: Path) -> None:
    trainer = HOST.trainer("qlora-sft", base_model=str(base), **SMALL)
    model = HOST.policy_model("generative", base_model=str(base))

    check_trainer(trainer, model, job=TrainJob(train=(rows,), output=tmp_path), tolerance=1e-4)


def test_dpo_keeps_the_contract_of_a_trainer(base: Path, sft: Done, rows: Dataset, tmp_path: Path) -> None:
    trainer = HOST.trainer("qlora-dpo", base_model=str(base), pairs=8, **SMALL)
    model = HOST.policy_model("generative", base_model=str(base))
    job = TrainJob(train=(rows,), output=tmp_path, start=sft.output)

    check_trainer(trainer, model, job=job, tolerance=1e-4)


@pytest.mark.parametrize("trainer", ["qlora-sft", "qlora-dpo"])
def test_what_the_table_of_dpo_leaves_open_is_as_in_that_of_sft(trainer: str, base: Path) -> None:
    said = {"base_model": str(base), "device": "cpu"}
    if trainer == "qlora-sft":
        config = TrainConfig(trainer=PartConfig(trainer, said), compare=("qlora-dpo",))
    else:
        config = TrainConfig(trainer=PartConfig(trainer), sft=SFTConfig(**said), compare=())  # type: ignore[arg-type]

    found = {link.name: getattr(link.trainer, "config") for link in links(config, HOST)}  # noqa: B009

    assert {name: (each.base_model, each.device) for name, each in found.items()} == {
        "qlora-sft": (str(base), "cpu"),
        "qlora-dpo": (str(base), "cpu"),
    }


@pytest.mark.parametrize(
    ("trained", "said", "loaded"),
    [
        ((16, "float32"), {}, (16, "float32")),
        ((4, "float16"), {}, (4, "float16")),
        ((4, "float16"), {"precision": "bfloat16", "qlora": {"bits": 8}}, (8, "bfloat16")),
        ((4, "bfloat16"), {"device": "cpu"}, (16, "auto")),
    ],
)
def test_dpo_loads_the_base_model_as_sft_had_it(
    trained: tuple[int, str],
    said: dict[str, object],
    loaded: tuple[int, str],
    sft: Done,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from routesdk.plugins.generative import dpo
    from routesdk.plugins.generative.state import read_state

    class LoadedError(Exception):
        pass

    def load(config: DPOConfig, *_: object) -> None:
        raise LoadedError(config.qlora.bits, config.precision)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(dpo, "load_for", load)
    state = attrs.evolve(read_state(sft.output), bits=trained[0], precision=trained[1])

    with pytest.raises(LoadedError) as caught:
        dpo._load(state, structure({"base_model": "elsewhere", **said}, DPOConfig, where="dpo"))

    assert caught.value.args == loaded


@pytest.mark.parametrize("optimiser", ["adamw_torch", "adamw_8bit"])
@pytest.mark.parametrize("trainer", ["qlora-sft", "qlora-dpo"])
def test_what_was_trained_leaves_memory_before_the_router_is_loaded(  # noqa: PLR0917 - fixtures
    trainer: str,
    optimiser: str,
    base: Path,
    sft: Done,
    rows: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed("bitsandbytes")
    from routesdk.plugins.generative import dpo, finish, material, run
    from routesdk.plugins.generative import sft as tuned
    from routesdk.plugins.generative.base import Base, load_base

    trained: list[weakref.ref[torch.nn.Module]] = []
    held: list[bool] = []

    def arguments(*given: object, **named: object) -> dict[str, object]:
        # On a GPU an optimiser of bitsandbytes is taken, which keeps what it is told of embeddings.
        return {**run.arguments(*given, **named), "optim": optimiser}  # type: ignore[arg-type]

    def first(*arguments: object, **named: object) -> Base:
        loaded = load_base(*arguments, **named)  # type: ignore[arg-type]
        trained.extend(weakref.ref(each) for each in loaded.model.modules())
        return loaded

    def second(*arguments: object, **named: object) -> Base:
        held.append(any(each() is not None for each in trained))
        return load_base(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(material, "load_base", first)
    monkeypatch.setattr(finish, "load_base", second)
    for module in (tuned, dpo):
        monkeypatch.setattr(module, "arguments", arguments)
    start = sft.output if trainer == "qlora-dpo" else None

    train(tmp_path, rows, trainer, start, base_model=str(base))

    assert held == [False]


def test_every_step_is_a_line_of_metrics_and_is_told_to_who_listens(sft: Done) -> None:
    lines = [entry for entry in sft.metrics if "loss" in entry]

    assert [entry["step"] for entry in lines] == list(range(1, len(lines) + 1))
    for entry in lines:
        assert math.isfinite(entry["loss"])
        assert entry["learning_rate"] >= 0.0
        assert entry["memory_mb"] > 10.0
    assert [each.step for each in sft.heard] == [entry["step"] for entry in lines]
    assert [each.loss for each in sft.heard] == sft.losses
    assert {each.stage for each in sft.heard} == {"qlora-sft"}
    assert {each.steps for each in sft.heard} == {len(lines)}
    assert sft.heard[-1].seconds_left == 0.0
    evaluated = [entry["step"] for entry in sft.metrics if "eval_loss" in entry]
    assert len(evaluated) == len(set(evaluated)) >= 2


def test_training_lowers_the_loss(sft: Done) -> None:
    assert sft.losses[-1] < sft.losses[0] - 0.1


def test_a_router_says_what_it_was_trained_with_and_on(sft: Done, base: Path) -> None:
    model = cast("GenerativeModel", HOST.policy_model("generative", base_model=str(base)).load(sft.output))
    told = model.details()

    assert told["trainer"] == "qlora-sft"
    assert len(sft.training["data_sha256"]) == 1  # type: ignore[arg-type]
    assert '"learning_rate": 0.003' in told["config"]
    assert str(base.parent) not in json.dumps(told)


def test_the_first_loss_of_dpo_is_that_of_its_reference(dpo: Done) -> None:
    # Before the first step policy and reference are one: -log(sigmoid(0)).
    assert dpo.losses[0] == pytest.approx(math.log(2.0), abs=1e-5)
    assert dpo.losses[-1] < dpo.losses[0]


def test_dpo_leaves_its_reference_out_and_the_start_as_it_was(dpo: Done, sft: Done) -> None:
    assert sorted(path.name for path in (dpo.output / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert not [path for path in dpo.output.rglob("*") if "ref" in path.name]
    assert weights(dpo.output / "adapter") == weights(sft.output / "adapter")
    assert not any("ref" in name.split(".") for name in weights(dpo.output / "adapter"))
    adapters = [each.output / "adapter" / "adapter_model.safetensors" for each in (dpo, sft)]
    assert adapters[0].read_bytes() != adapters[1].read_bytes()


def test_dpo_takes_as_many_pairs_as_it_is_told_to(
    base: Path, sft: Done, rows: Dataset, tmp_path: Path
) -> None:
    settings = {"base_model": str(base), "pairs": 16, "epochs": 1.0, "batch_size": 8}

    done = train(tmp_path, rows, "qlora-dpo", start=sft.output, **settings)

    assert len(done.losses) == 2


def test_a_rising_validation_loss_stops_training_and_the_best_adapter_is_kept(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    settings = {"epochs": 6.0, "learning_rate": 0.5, "evaluations": 2, "patience": 1, "warmup_share": 0.3}

    done = train(tmp_path, rows, base_model=str(base), **settings)

    evaluations = {entry["step"]: entry["eval_loss"] for entry in done.metrics if "eval_loss" in entry}
    best = min(evaluations, key=lambda step: evaluations[step])
    *_, before, last = evaluations
    assert (done.training["best_step"], done.training["validation_loss"]) == (best, evaluations[best])
    assert best == before < last
    assert last < done.heard[0].steps
    assert [path.name for path in done.place.glob("best-*")] == [f"best-{best}"]
    saved = done.output / "adapter" / "adapter_model.safetensors"
    assert saved.read_bytes() == (done.place / f"best-{best}" / "adapter_model.safetensors").read_bytes()


def test_a_row_longer_than_the_context_is_cut_counted_and_learned_from(base: Path, tmp_path: Path) -> None:
    examples = list(make_examples(40))
    examples[5] = attrs.evolve(examples[5], query=Query("Which river? " + "Tell more. " * 300))
    long = write_dataset(tmp_path / "rows.jsonl", examples)

    done = train(tmp_path / "long", long, base_model=str(base), epochs=1.0)

    statistics = cast("dict[str, dict[str, object]]", done.training["statistics"])
    assert sum(cast("dict[str, int]", statistics["cut_to_fit"]).values()) == 1
    counted = cast("dict[str, int]", statistics["rows"])
    assert counted["train"] + counted["validation"] == 40
    assert all(math.isfinite(loss) for loss in done.losses)


@pytest.mark.parametrize("family", ["Llama", "Gemma2", "Gemma3Text"])
def test_rows_that_share_their_beginning_have_the_loss_and_gradients_of_rows_side_by_side(
    tmp_path: Path, family: str
) -> None:
    needed(*STACK)
    folder = save_random_model(tmp_path / "base", family=family, spread=0.2)
    model, prefix, encoded = _encoded(folder)
    shared = _gradients(model, _shared_pass(model, prefix, encoded))
    side_by_side = _gradients(model, _padded_pass(model, encoded))

    assert shared[0] == pytest.approx(side_by_side[0], rel=1e-5)
    assert shared[1].keys() == side_by_side[1].keys()
    for name, gradient in shared[1].items():
        scale = float(side_by_side[1][name].abs().max())
        assert float((gradient - side_by_side[1][name]).abs().max()) <= 1e-3 * scale + 1e-7, name


def _encoded(folder: Path) -> tuple[PreTrainedModel, tuple[int, ...], list[dict[str, list[int]]]]:
    from routesdk.pipeline.prepare import Taught, sft_rows
    from routesdk.plugins.generative.codec import Codec
    from routesdk.plugins.generative.material import encode_rows, load_for
    from routesdk.plugins.generative.sharing import can_share
    from routesdk.tuning import SFTConfig

    base = load_for(SFTConfig(precision="float32"), str(folder), None)
    policies = HOST.matrix("nine-cell").policies
    codec = Codec(base.tokenizer, policies, "decision-first", 1024)
    taught = [
        Taught(id=f"{at}", query=Query("Why " * (at + 1)), policy=policy.name, analysis="So.", gains=(0.0,))
        for at, policy in enumerate(policies)
    ]
    rows = list(encode_rows(codec, sft_rows(taught, policies, "decision-first"), "completion"))
    prefix = codec.common_prefix()
    tokens = [row["input_ids"] for row in rows]
    assert can_share(base.model, prefix, tokens, len(rows))
    window = max(map(len, tokens)) - 1
    base.model.config.sliding_window, kept = window, getattr(base.model.config, "sliding_window", None)
    assert not can_share(base.model, prefix, tokens, len(rows))
    base.model.config.sliding_window = kept
    assert not can_share(base.model, prefix, tokens * 600, 1800)
    return base.model, prefix, rows


def _shared_pass(
    model: PreTrainedModel, prefix: tuple[int, ...], rows: list[dict[str, list[int]]]
) -> torch.Tensor:
    from routesdk.plugins.generative.sharing import MASK, SharedPrefix, masked

    batch = SharedPrefix(prefix, model.dtype)(rows)
    with masked(model, batch.pop(MASK)):
        loss: torch.Tensor = model(**batch).loss
    return loss


def _padded_pass(model: PreTrainedModel, rows: list[dict[str, list[int]]]) -> torch.Tensor:
    import torch

    width = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": 0, "labels": -100}
    batch = {
        name: torch.tensor([row[name] + [fill[name]] * (width - len(row[name])) for row in rows])
        for name in fill
    }
    mask = torch.tensor([[at < len(row["input_ids"]) for at in range(width)] for row in rows]).long()
    loss: torch.Tensor = model(**batch, attention_mask=mask).loss
    return loss


def _gradients(model: PreTrainedModel, loss: torch.Tensor) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss.backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    return float(loss.detach()), gradients


def test_training_that_shares_the_beginning_takes_the_same_course(
    base: Path, rows: Dataset, tmp_path: Path
) -> None:
    settings = {"base_model": str(base), "epochs": 0.7, "qlora": {"dropout": 0.0}}
    shared, padded = (
        train(tmp_path / str(sharing), rows, share_prefix=sharing, **settings) for sharing in (True, False)
    )

    assert len(shared.losses) >= 4
    assert shared.losses == pytest.approx(padded.losses, abs=1e-4)
