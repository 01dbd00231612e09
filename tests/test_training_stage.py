"""Training through an executor: what is packed, what comes back, and what is refused on the way."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from routesdk import Component, PluginHost, Router, hookimpl
from routesdk.config import TrainConfig
from routesdk.dataset import write_examples
from routesdk.errors import CheckpointError, ConfigError, StageError
from routesdk.pipeline.training import STAGE, pack_job, run_job, train, unpack_result
from routesdk.protocols import Executor
from routesdk.testing import MODELS, make_examples, make_host
from routesdk.tuning import SFTConfig
from routesdk.types import PartConfig, ShardResult

HOST = PluginHost(entry_points=False)
ROWS = make_examples(90)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """A training for another machine: its files lie in folders of this one."""
    write_examples(tmp_path / "oracle.jsonl", ROWS[:60])
    write_examples(tmp_path / "held.jsonl", ROWS[60:])
    tiers = [{"name": "medium", "model": MODELS[0]}, {"name": "large", "model": MODELS[1]}]
    manifest = {"config": {"tiers": tiers}}
    (tmp_path / "oracle.manifest.json").write_text(json.dumps(manifest))
    return TrainConfig(
        data=(tmp_path / "oracle.jsonl",),
        validation=(tmp_path / "held.jsonl",),
        output=tmp_path / "router",
        work=tmp_path / "work",
        trainer=PartConfig("linear", {"bits": 10}),
        compare=(),
        executor=PartConfig("elsewhere"),
    )


@attrs.define
class Elsewhere:
    """An executor that works on copies in a folder of its own, as another machine would."""

    folder: Path
    fate: str = "done"
    asked: list[tuple[str, bytes]] = attrs.field(factory=list)

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        for shard in shard_files:
            self.asked.append((stage_name, shard.read_bytes()))
            if self.fate == "fails":
                yield ShardResult(shard, None, "MemoryError: the GPU is too small")
            elif self.fate == "done":
                self.folder.mkdir(exist_ok=True)
                there = Path(shutil.copy(shard, self.folder))
                yield ShardResult(shard, run_job(there))

    @hookimpl
    def routesdk_executors(self) -> Iterable[Component[Executor]]:
        yield Component(name="elsewhere", factory=lambda: self, summary="For tests.")


def test_the_same_job_is_the_same_bytes_and_names_no_folder_of_this_machine(
    config: TrainConfig, tmp_path: Path
) -> None:
    first, second = (pack_job(config, tmp_path / f"{name}.zip") for name in ("one", "two"))

    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as packed:
        assert sorted(packed.namelist()) == [
            "data/0-oracle.jsonl",
            "data/0-oracle.manifest.json",
            "train.json",
            "validation/0-held.jsonl",
        ]
        assert not any(str(tmp_path).encode() in packed.read(name) for name in packed.namelist())


def test_a_training_elsewhere_gives_what_one_here_does(config: TrainConfig, tmp_path: Path) -> None:
    executor = Elsewhere(tmp_path / "there")
    there = train(config, host=make_host(executor))
    local = attrs.evolve(
        config,
        executor=PartConfig("local"),
        output=tmp_path / "local",
        work=tmp_path / "local-work",
    )
    here = train(local, host=HOST)

    assert [name for name, _ in executor.asked] == [STAGE]
    routers = [Router.from_pretrained(each.folder, host=HOST) for each in (there, here)]
    for row in ROWS[:40]:
        decisions = [router.route(row.query) for router in routers]
        assert decisions[0].model == decisions[1].model
        assert decisions[0].prediction == decisions[1].prediction
    assert there.folder == config.output
    assert [each.accuracy for each in there.payoff.candidates] == [
        each.accuracy for each in here.payoff.candidates
    ]
    assert there.verdict.advice == here.verdict.advice
    assert (config.work / "payoff.json").is_file()
    assert not (config.output / "payoff.json").exists()


def test_a_result_replaces_an_older_checkpoint(config: TrainConfig, tmp_path: Path) -> None:
    host = make_host(Elsewhere(tmp_path / "there"))
    first = Router.from_pretrained(train(config, host=host).folder, host=HOST)

    again = train(attrs.evolve(config, trainer=PartConfig("linear", {"bits": 11})), host=host)

    assert Router.from_pretrained(again.folder, host=HOST).checkpoint_id != first.checkpoint_id


def test_a_result_does_not_replace_what_is_no_checkpoint(config: TrainConfig, tmp_path: Path) -> None:
    config.output.mkdir()
    (config.output / "thesis.txt").write_text("years of work")

    with pytest.raises(ConfigError, match="holds something that is no checkpoint"):
        train(config, host=make_host(Elsewhere(tmp_path / "there")))

    assert [path.name for path in config.output.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("fate", "said"), [("fails", "the GPU is too small"), ("silent", "the executor gave no result")]
)
def test_an_executor_that_fails_is_named_with_its_reason(
    config: TrainConfig, tmp_path: Path, fate: str, said: str
) -> None:
    with pytest.raises(StageError, match=said) as caught:
        train(config, host=make_host(Elsewhere(tmp_path / "there", fate)))

    assert caught.value.stage == STAGE
    assert not config.output.exists()


@pytest.mark.parametrize(
    "where", ["base_model", "sft.base_model", "trainer.options.encoder", "options.encoder.encoder"]
)
def test_a_model_in_a_folder_of_this_machine_is_refused(
    config: TrainConfig, tmp_path: Path, where: str
) -> None:
    folder = str(tmp_path)
    changes: dict[str, dict[str, object]] = {
        "base_model": {"base_model": folder},
        "sft.base_model": {"sft": SFTConfig(base_model=folder)},
        "trainer.options.encoder": {"trainer": PartConfig("encoder", {"encoder": folder})},
        "options.encoder.encoder": {"options": {"encoder": {"encoder": folder}}},
    }
    change = changes[where]

    with pytest.raises(ConfigError, match="is a folder of this machine") as caught:
        train(attrs.evolve(config, **change), host=make_host(Elsewhere(tmp_path / "there")))

    assert f"train.{where} " in str(caught.value)
    assert "executor = 'local'" in caught.value.fix


def test_files_that_are_missing_are_named(config: TrainConfig, tmp_path: Path) -> None:
    lost = attrs.evolve(config, data=(tmp_path / "lost.jsonl",))

    with pytest.raises(ConfigError, match=r"lost\.jsonl"):
        pack_job(lost, tmp_path / "job.zip")


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "data/../../evil.txt"])
@pytest.mark.parametrize("side", ["job", "result"])
def test_a_file_that_leads_out_of_its_folder_is_refused(
    config: TrainConfig, tmp_path: Path, name: str, side: str
) -> None:
    file = tmp_path / "deep" / "evil.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(name, "evil")

    with pytest.raises(ConfigError, match="leads out of its folder"):
        run_job(file) if side == "job" else unpack_result(file, config)

    assert not list(tmp_path.rglob("evil.txt"))


@pytest.mark.parametrize("damage", ["cut", "empty", "edited"])
def test_a_damaged_result_is_refused_and_the_older_checkpoint_stays(
    config: TrainConfig, tmp_path: Path, damage: str
) -> None:
    train(config, host=make_host(Elsewhere(tmp_path / "there")))
    before = (config.output / "router.json").read_bytes()
    (result,) = (tmp_path / "there").glob("*.trained.zip")
    if damage == "cut":
        result.write_bytes(result.read_bytes()[:-100])
    else:
        with zipfile.ZipFile(result) as packed:
            contents = {name: packed.read(name) for name in packed.namelist()}
        with zipfile.ZipFile(result, "w") as packed:
            for name, content in contents.items() if damage == "edited" else ():
                packed.writestr(name, content + b" " * name.endswith("linear.safetensors"))

    with pytest.raises((ConfigError, CheckpointError)):
        unpack_result(result, config)

    assert (config.output / "router.json").read_bytes() == before
    assert Router.from_pretrained(config.output, host=HOST).route("Why?").model in MODELS
