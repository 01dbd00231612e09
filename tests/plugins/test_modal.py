"""Stages go to Modal and come back: its own client and container code, and its service on loopback."""

from __future__ import annotations

import json
import os
import threading
import zipfile
from pathlib import Path

import attrs
import pytest

from routesdk import Router
from routesdk.config import TrainConfig
from routesdk.dataset import write_examples
from routesdk.errors import ExecutorError, StageError
from routesdk.host import PluginHost
from routesdk.pipeline.away import note
from routesdk.pipeline.routing import RoutingJob, pack_job
from routesdk.pipeline.training import train
from routesdk.plugins.serverless import work
from routesdk.plugins.serverless.config import ModalConfig
from routesdk.protocols import Executor, RemoteExecutor
from routesdk.testing import MODELS, check_executor, make_examples
from routesdk.types import PartConfig

if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
    pytest.importorskip("modal", reason="modal is not installed")


from modal_server import ModalServer, until
from routesdk.plugins.serverless.build import Deployment
from routesdk.plugins.serverless.courier import Courier

pytestmark = pytest.mark.slow

SHOUT = "routesdk.testing.stages:shout"


def executor(**options: object) -> Executor:
    return PluginHost(entry_points=False).executor("modal", **options)


def write(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{number}.txt" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def home(file: Path) -> Path:
    """Return where the output of `shout` comes home to."""
    return file.with_name(f"{file.name}.out") / f"{file.stem}.out"


def test_the_executor_keeps_its_contract(modal_service: ModalServer) -> None:
    built = executor()

    assert isinstance(built, RemoteExecutor)
    check_executor(built)
    assert len(modal_service.asked("AppCreate")) == len(modal_service.asked("AppClientDisconnect")) > 0


@pytest.mark.parametrize("version", [1, 2])
def test_files_come_and_go_whole_whatever_kind_of_volume_there_is(
    modal_service: ModalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    monkeypatch.setattr(modal_service, "volume_version", version)
    # More than a block of Modal's with version 2; with version 1, larger ones go to another store.
    size = 9_000_000 if version == 2 else 4_000_000
    text = "".join(f"line {number}\n" for number in range(size // 10))[:size]
    files = write(tmp_path, text, "")

    results = {each.shard: each for each in executor(data_volume=f"kind-{version}").map(SHOUT, files)}

    outputs = [results[file].output for file in files]
    assert [None if output is None else output.read_text() for output in outputs] == [text.upper(), ""]


def test_what_an_earlier_call_finished_is_fetched_and_not_run_again(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    files = write(tmp_path, "once", "twice", "twice", "this shard fails")
    results = {each.shard: each for each in executor().map(SHOUT, files)}
    first = len(modal_service.asked("FunctionMap"))
    for file in files:
        home(file).unlink(missing_ok=True)

    again = {each.shard: each for each in executor().map(SHOUT, files)}

    assert again == results
    assert [home(file).exists() for file in files] == [True, True, True, False]
    assert home(files[1]).read_text() == "TWICE"
    # The one that failed is tried again.
    assert (first, len(modal_service.asked("FunctionMap"))) == (4, 5)
    list(executor(resume=False).map(SHOUT, files[:1]))
    assert len(modal_service.asked("FunctionMap")) == 6


def test_a_machine_that_is_taken_away_leaves_its_work_to_the_next(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    taken: list[Path] = []

    def preempt(data: Path) -> bool:
        if not taken and any(file.read_text() for file in data.glob("runs/*/in/0.txt.work/tries")):
            taken.append(data)
            return True
        return False

    modal_service.preempt = preempt
    (result,) = executor(retries=0).map("routesdk_test_modal:step", write(tmp_path, "job"))

    assert result.error == ""
    assert result.output is not None
    assert result.output.read_text() == "xx"
    assert len(taken) == len(modal_service.asked("FunctionMap")) == 1


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        ("hang", {"timeout_s": 3, "retries": 0}, "longer than 3 s on its one try. Raise timeout_s"),
        ("crash", {"retries": 1}, "its container failed: the container crashed"),
    ],
)
def test_a_shard_without_a_result_says_why_and_the_others_have_theirs(
    modal_service: ModalServer, tmp_path: Path, function: str, options: dict[str, object], said: str
) -> None:
    (result,) = executor(**options).map(f"routesdk_test_modal:{function}", write(tmp_path, "job"))

    assert result.output is None
    assert said in result.error
    assert list(modal_service.calls.values())[-1].tries == options["retries"] + 1  # type: ignore[operator]


def test_what_is_under_way_can_be_cancelled_from_another_thread(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    begun: list[object] = []
    built = executor(containers=2)
    assert isinstance(built, RemoteExecutor)

    def collect() -> None:
        begun.extend(built.map("routesdk_test_modal:hang", write(tmp_path, "a", "b", "c")))

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        until(
            lambda: (
                len(modal_service.asked("FunctionMap")) == 2
                and len(modal_service.asked("FunctionGetInputs")) >= 2
            )
        )
    finally:
        built.cancel()
        thread.join(180)

    assert not thread.is_alive()
    assert len(begun) == 3
    assert len(modal_service.asked("FunctionMap")) == 2
    assert all(asked.terminate_containers for asked in modal_service.asked("FunctionCallCancel"))
    until(lambda: not modal_service.containers)


def test_a_cancel_during_the_look_ups_lets_nothing_begin(
    modal_service: ModalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = executor()
    assert isinstance(built, RemoteExecutor)

    def finished(self: Courier, shard: Path, run: str) -> None:
        built.cancel()

    monkeypatch.setattr(Courier, "finished", finished)
    results = list(built.map(SHOUT, write(tmp_path, "a", "b", "c")))

    assert sorted(result.shard.name for result in results) == ["0.txt", "1.txt", "2.txt"]
    assert all("was not begun" in result.error for result in results)
    assert not modal_service.asked("AppCreate")


def test_outputs_of_the_same_name_do_not_overwrite_each_other(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    files = write(tmp_path, "first", "second")

    results = {each.shard: each.output for each in executor().map("routesdk_test_modal:same", files)}

    assert [output and output.read_text() for output in map(results.__getitem__, files)] == [
        "first",
        "second",
    ]


@attrs.frozen
class Volume:
    """A volume with one report, and the same content in every other file."""

    report: dict[str, str]

    def read_file(self, path: str) -> list[bytes]:
        return [json.dumps(self.report).encode() if path.endswith("report.json") else b"evil"]


@pytest.mark.parametrize("output", ["out/../../evil.txt", "/evil.txt", "kept/evil.txt", "../evil.txt", "out"])
def test_a_report_that_names_another_place_writes_nothing_there(tmp_path: Path, output: str) -> None:
    (shard,) = write(tmp_path, "a")
    volume = Volume({"output": output, "shard": "", "error": ""})
    deployment = Deployment(app=None, functions={"": None}, data=volume)  # type: ignore[arg-type, dict-item]

    result = Courier(SHOUT, ModalConfig(), deployment).finished(shard, "run")

    assert result is not None
    assert result.output is None
    assert "which is no output of a run" in result.error
    assert list(tmp_path.iterdir()) == [shard]


def test_a_shard_on_another_volume_is_not_given_up_unseen(tmp_path: Path) -> None:
    (shard,) = write(tmp_path, "a")
    note(shard, "modal", {"data_volume": "elsewhere", "run": "7", "call": ""})
    built = executor()
    assert isinstance(built, RemoteExecutor)

    with pytest.raises(ExecutorError) as caught:
        built.recover(SHOUT, [shard])

    assert "'elsewhere'" in caught.value.problem
    assert "data_volume = 'elsewhere'" in caught.value.fix


def test_closing_the_iterator_cancels_what_is_under_way(modal_service: ModalServer, tmp_path: Path) -> None:
    files = write(tmp_path, "short", "long")
    results = executor().map("routesdk_test_modal:hang_if_long", files)

    assert next(results).shard == files[0]  # type: ignore[call-overload]
    until(lambda: len(modal_service.asked("FunctionMap")) == 2)
    results.close()  # type: ignore[attr-defined]

    assert [asked.terminate_containers for asked in modal_service.asked("FunctionCallCancel")] == [True]
    assert modal_service.requests[-1][0] == "AppClientDisconnect"


def test_a_trained_router_comes_home_and_serves_from_the_checkpoint_volume(
    modal_service: ModalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "TRAINING_STAGE", "routesdk_test_modal:pack")
    modal_service.secrets["training"] = {"ROUTESDK_TEST_TRAINING": "routesdk_test_modal:pack"}
    (tmp_path / "job.zip").write_text("rows")
    trained = executor(secrets=["training"], publish="law").map(work.TRAINING_STAGE, [tmp_path / "job.zip"])
    assert [result.error for result in trained] == [""]
    assert zipfile.is_zipfile(tmp_path / "job.zip.out" / "trained.zip")
    # Another name is another place on the volume, and no other training.
    again = executor(secrets=["training"], publish="order").map(work.TRAINING_STAGE, [tmp_path / "job.zip"])
    assert [result.error for result in again] == [""]
    assert (modal_service.volumes["routesdk-checkpoints"] / "order" / "router.json").is_file()
    assert len(list((modal_service.volumes["routesdk-data"]).glob("runs/*/in/packed-*"))) == 1
    assert modal_service.function("train").resources.gpu_config.gpu_type == ""

    (tmp_path / "asked.txt").write_text("How far is the Moon?\n")
    job = pack_job(tmp_path / "asked.zip", tmp_path / "asked.txt", RoutingJob(checkpoint="law"))
    (routed,) = executor().map(work.ROUTING_STAGE, [job])

    assert routed.output is not None, routed.error
    (line,) = routed.output.read_text().splitlines()
    published = Router.from_pretrained(modal_service.volumes["routesdk-checkpoints"] / "law")
    assert json.loads(line)["checkpoint_id"] == published.checkpoint_id


def test_a_real_training_goes_there_and_its_checkpoint_routes_here(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    write_examples(tmp_path / "rows.jsonl", make_examples(60))
    config = TrainConfig(
        data=tmp_path / "rows.jsonl",
        tiers=MODELS,
        output=tmp_path / "router",
        work=tmp_path / "work",
        executor=PartConfig("modal", {"publish": "made"}),
    )

    finished = train(config, host=PluginHost(entry_points=False))

    assert len(modal_service.asked("FunctionMap")) == 1
    there = modal_service.volumes["routesdk-checkpoints"] / "made"
    decisions = [
        Router.from_pretrained(folder).route("Who wrote Faust?") for folder in (finished.folder, there)
    ]
    assert decisions[0].checkpoint_id == decisions[1].checkpoint_id
    assert decisions[0].checkpoint_id != Router.from_pretrained("default").checkpoint_id
    assert decisions[0].model in MODELS


def test_the_variables_of_a_secret_are_there_and_the_tokens_are_not(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    modal_service.secrets["provider"] = {"PROVIDER_KEY": "from the secret"}

    (result,) = executor(secrets=["provider"]).map("routesdk_test_modal:tell", write(tmp_path, "job"))

    assert result.output is not None, result.error
    assert result.output.read_text() == "from the secret None"


def test_what_modal_does_not_have_is_one_clear_error(modal_service: ModalServer, tmp_path: Path) -> None:
    files = write(tmp_path, "a")
    with pytest.raises(ExecutorError) as caught:
        executor(secrets=["nowhere"]).map(SHOUT, files)
    assert "no secret 'nowhere'" in caught.value.problem
    assert "modal secret create nowhere" in caught.value.fix

    with pytest.raises(ExecutorError) as caught:
        list(executor(gpu="K80").map(SHOUT, files))
    assert "does not offer" in caught.value.problem
    assert "gpu = 'K80'" in caught.value.fix
    with pytest.raises(StageError):
        executor().map("routesdk.testing.stages:whisper", files)
    assert not modal_service.asked("FunctionMap")
