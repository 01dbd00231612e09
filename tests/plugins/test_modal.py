"""Stages go to Modal and come back: its own client and container code, and its service on loopback."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from routesdk import Router
from routesdk.errors import ExecutorError, StageError
from routesdk.host import PluginHost
from routesdk.pipeline.routing import RoutingJob, pack_job
from routesdk.plugins.serverless import work
from routesdk.protocols import Executor, RemoteExecutor
from routesdk.record import decision_to_dict
from routesdk.testing import check_executor

if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
    pytest.importorskip("modal", reason="modal is not installed")

from modal_proto.api_pb2 import WEBHOOK_TYPE_FUNCTION

from modal_server import TOKEN_SECRET, ModalServer, until

pytestmark = pytest.mark.slow

SHOUT = "routesdk.testing.stages:shout"


def executor(**options: object) -> Executor:
    return PluginHost(entry_points=False).executor("modal", **options)


def write(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{number}.txt" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_executor_keeps_its_contract(modal_service: ModalServer) -> None:
    built = executor()

    assert isinstance(built, RemoteExecutor)
    check_executor(built)
    assert len(modal_service.asked("AppCreate")) == len(modal_service.asked("AppClientDisconnect")) > 0


def test_what_is_deployed_has_the_limits_the_secrets_and_the_packages_that_were_asked_for(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    modal_service.secrets["gemini"] = {"GEMINI_API_KEY": "key"}
    settings = {
        "GPU": "H100:2",
        "TIMEOUT_S": "7200",
        "RETRIES": "5",
        "SECRETS": "gemini",
        "REGION": "eu-west",
    }
    settings |= {"CONTAINERS": "3", "PACKAGES": "routesdk-rule-language==0.1.0"}
    done = run(
        *("modal", "deploy", "-m", "routesdk.plugins.serverless.app"),
        folder=tmp_path,
        **{f"ROUTESDK_MODAL_{name}": value for name, value in settings.items()},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    published = modal_service.asked("AppPublish")[-1]
    assert published.name == "routesdk"
    assert set(published.function_ids) == {"oracle_part", "train", "route_batch", "stage", "decide"}
    for name in ("oracle_part", "train", "route_batch", "stage"):
        function = modal_service.function(name)
        assert function.module_name == "routesdk.plugins.serverless.work"
        assert (function.resources.gpu_config.gpu_type, function.resources.gpu_config.count) == ("H100", 2)
        assert (function.timeout_secs, function.retry_policy.retries) == (7200, 5)
        assert [(mount.volume_id, mount.mount_path) for mount in function.volume_mounts] == [
            ("vo-routesdk-data", "/routesdk/data"),
            ("vo-routesdk-checkpoints", "/routesdk/checkpoints"),
        ]
        # A machine that goes has its volumes committed: work in progress rests on it.
        assert all(mount.allow_background_commits for mount in function.volume_mounts)
        assert list(function.secret_ids) == ["st-gemini"]
        assert list(function.scheduler_placement.regions) == ["eu-west"]
        assert function.autoscaler_settings.max_containers == 3
        assert function.single_use_containers
    lines = modal_service.image_lines(modal_service.function("train"))
    assert any(line.startswith("FROM python:3.11") for line in lines), lines
    installed = next(line for line in lines if "torch" in line)
    words = [word for word in installed.split() if "==" in word]
    assert {"torch==2.13.0", "trl==1.16.0", "attrs==26.1.0", "routesdk-rule-language==0.1.0"} <= set(words)
    assert "ENV ROUTESDK_DATA_VOLUME=routesdk-data" in [line.replace("'", "") for line in lines]
    # The package goes along with what is no code in it, and without what Python keeps.
    sent = {file.filename for mount in modal_service.asked("MountGetOrCreate") for file in mount.files}
    assert {"/root/routesdk/router.py", "/root/routesdk/checkpoints/default/router.json"} <= sent
    assert not [name for name in sent if "__pycache__" in name or name.endswith(".pyc")]


def test_the_endpoint_is_protected_and_light(modal_service: ModalServer, tmp_path: Path) -> None:
    environment = {"ROUTESDK_MODAL_GPU": "L4", "ROUTESDK_MODAL_CHECKPOINT": "law"}
    run("modal", "deploy", "-m", "routesdk.plugins.serverless.app", folder=tmp_path, **environment)

    function = modal_service.function("decide")
    assert (function.webhook_config.type, function.webhook_config.method) == (WEBHOOK_TYPE_FUNCTION, "POST")
    assert function.webhook_config.requires_proxy_auth
    assert function.max_concurrent_inputs > 1
    assert not function.resources.gpu_config.gpu_type
    lines = "\n".join(modal_service.image_lines(function))
    assert "fastapi==" in lines and "torch" not in lines
    assert "ROUTESDK_ENDPOINT_CHECKPOINT=law" in lines.replace("'", "")
    assert "torch" in "\n".join(modal_service.image_lines(modal_service.function("stage")))


def test_a_file_of_queries_is_routed_by_modals_own_command(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    (tmp_path / "asked.txt").write_text(
        "How far is the Moon?\nProve that there are infinitely many primes.\n"
    )
    done = run(
        *("modal", "run", "-m", "routesdk.plugins.serverless.app::run_route", "--queries", "asked.txt"),
        *("--large-share", "0.5"),
        folder=tmp_path,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    asked = (tmp_path / "asked.txt").read_text().splitlines()
    here = Router.from_pretrained("default").route_batch(asked, large_share=0.5)
    lines = (tmp_path / "asked.decisions.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [decision_to_dict(decision) for decision in here]
    assert TOKEN_SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["deploy", "route", "train"])
def test_the_commands_of_the_documentation_run(
    modal_service: ModalServer, tmp_path: Path, repository: Path, name: str
) -> None:
    modal_service.secrets["gemini"] = {}
    text = (repository / "docs" / "snippets" / f"modal_{name}.txt").read_text()
    words = shlex.split(text)
    settings = dict(word.split("=", 1) for word in words if word.startswith("ROUTESDK_"))
    command = [word for word in words if not word.startswith("ROUTESDK_")]
    (tmp_path / "asked.jsonl").write_text('{"query": "How far is the Moon?"}\n')
    (tmp_path / "job.zip").write_text("rows")

    done = run(*command, folder=tmp_path, **settings)

    if name == "train" and importlib.util.find_spec("routesdk.pipeline.training") is None:
        pytest.skip("there is no training stage in this checkout")
    if name == "train":
        # It is no job, and the stage says so: the command reached it, on the GPU that was named.
        assert modal_service.asked("FunctionMap")[-1].function_id == "fu-train"
        assert modal_service.function("train").resources.gpu_config.gpu_type == "L4"
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert name == "deploy" or (tmp_path / "decisions.jsonl").read_text().count("\n") == 1


def test_what_an_earlier_call_finished_is_fetched_and_not_run_again(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    files = write(tmp_path, "once", "twice", "twice", "this shard fails")
    results = {each.shard: each for each in executor().map(SHOUT, files)}
    first = len(modal_service.asked("FunctionMap"))
    for file in files:
        file.with_suffix(".out").unlink(missing_ok=True)

    again = {each.shard: each for each in executor().map(SHOUT, files)}

    assert again == results
    assert [file.with_suffix(".out").exists() for file in files] == [True, True, True, False]
    assert files[1].with_suffix(".out").read_text() == "TWICE"
    # The one that failed is tried again.
    assert (first, len(modal_service.asked("FunctionMap"))) == (4, 5)
    list(executor(resume=False).map(SHOUT, files[:1]))
    assert len(modal_service.asked("FunctionMap")) == 6


def test_a_machine_that_is_taken_away_leaves_its_work_to_the_next(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    taken: list[Path] = []

    def preempt(data: Path) -> bool:
        if not taken and list(data.glob("runs/*/in/0.txt.work/tries")):
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
    until(
        lambda: (
            len(modal_service.asked("FunctionMap")) == 2
            and len(modal_service.asked("FunctionGetInputs")) >= 2
        )
    )
    built.cancel()
    thread.join(20)

    assert not thread.is_alive()
    assert len(begun) == 3
    assert len(modal_service.asked("FunctionMap")) == 2
    assert all(asked.terminate_containers for asked in modal_service.asked("FunctionCallCancel"))
    until(lambda: not modal_service.containers)


def test_closing_the_iterator_cancels_what_is_under_way(modal_service: ModalServer, tmp_path: Path) -> None:
    files = write(tmp_path, "short", "long")
    results = executor().map("routesdk_test_modal:hang_if_long", files)

    assert next(results).shard == files[0]  # type: ignore[call-overload]
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
    assert zipfile.is_zipfile(tmp_path / "trained.zip")
    assert modal_service.function("train").resources.gpu_config.gpu_type == ""

    (tmp_path / "asked.txt").write_text("How far is the Moon?\n")
    job = pack_job(tmp_path / "asked.zip", tmp_path / "asked.txt", RoutingJob(checkpoint="law"))
    (routed,) = executor().map(work.ROUTING_STAGE, [job])

    assert routed.output is not None, routed.error
    (line,) = routed.output.read_text().splitlines()
    assert json.loads(line)["checkpoint_id"] == Router.from_pretrained("default").checkpoint_id


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


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({"MODAL_TOKEN_ID": "", "MODAL_TOKEN_SECRET": ""}, "Token missing"),
        ({"MODAL_TOKEN_SECRET": "as-wrong"}, "not valid"),
    ],
)
def test_who_has_no_account_is_told_how_to_get_one(
    modal_service: ModalServer, tmp_path: Path, token: dict[str, str], said: str
) -> None:
    (tmp_path / "shard.txt").write_text("a")
    (tmp_path / "ask.py").write_text(
        "from pathlib import Path\nfrom routesdk import PluginHost\n"
        f"list(PluginHost(entry_points=False).executor('modal').map({SHOUT!r}, [Path('shard.txt')]))\n"
    )
    done = run("ask", folder=tmp_path, **token)

    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "routesdk.errors.ExecutorError: Executor 'modal': Modal does not know who is calling"
    )
    assert said in last
    assert "modal.com" in last and "modal setup" in last and "modal token new" in last
    assert "as-wrong" not in done.stderr
