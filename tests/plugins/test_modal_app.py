"""Modal's own commands take the app: what is deployed, what runs, and what they say without an account."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from oracles import TIERS, write_recorded
from routesdk import Router
from routesdk.record import decision_to_dict

if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
    pytest.importorskip("modal", reason="modal is not installed")

from modal_proto.api_pb2 import WEBHOOK_TYPE_FUNCTION

from modal_server import TOKEN_SECRET, ModalServer

pytestmark = pytest.mark.slow

SHOUT = "routesdk.testing.stages:shout"


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_what_is_deployed_has_the_limits_the_secrets_and_the_packages_that_were_asked_for(
    modal_service: ModalServer, tmp_path: Path, repository: Path
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
    # The package goes along whole, with what is no code in it, and without what Python keeps.
    sent = {file.filename for mount in modal_service.asked("MountGetOrCreate") for file in mount.files}
    package = repository / "src" / "routesdk"
    files = (file.relative_to(package) for file in package.rglob("*") if file.is_file())
    assert sent == {f"/root/routesdk/{file.as_posix()}" for file in files if "__pycache__" not in file.parts}
    assert "/root/routesdk/checkpoints/default/router.json" in sent


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


@pytest.mark.parametrize("share", ["abc", "2.0"])
def test_a_share_that_cannot_be_used_is_named(modal_service: ModalServer, tmp_path: Path, share: str) -> None:
    done = run(
        *("modal", "run", "-m", "routesdk.plugins.serverless.app::run_route", "--queries", "asked.txt"),
        *("--large-share", share),
        folder=tmp_path,
    )

    assert done.returncode != 0
    assert "run_route.large_share" in done.stdout + done.stderr
    assert share in done.stdout + done.stderr


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

    if name == "train":
        # It is no job, and the stage says so: the command reached it, on the GPU that was named.
        assert done.returncode != 0
        assert "is no packed job" in done.stdout + done.stderr
        assert modal_service.asked("FunctionMap")[-1].function_id == "fu-train"
        assert modal_service.function("train").resources.gpu_config.gpu_type == "L4"
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert name == "deploy" or (tmp_path / "decisions.jsonl").read_text().count("\n") == 1


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


def test_an_oracle_without_an_account_ends_with_one_sentence(
    modal_service: ModalServer, tmp_path: Path
) -> None:
    answers = write_recorded(tmp_path / "answers.jsonl", count=12)
    part = f'{{ name = "recorded", options = {{ path = "{answers}" }} }}'
    tiers = "".join(f'[[oracle.tiers]]\nname = "{tier.name}"\nmodel = "{tier.model}"\n' for tier in TIERS)
    (tmp_path / "routesdk.toml").write_text(
        f"[oracle]\nbenchmark = {part}\nbackend = {part}\njudge = {part}\n"
        f'shards = 2\nexecutor = {{ name = "modal", options = {{ gpu = "L4" }} }}\n{tiers}'
    )
    main = "from routesdk.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, "oracle", "generate", "--config", "routesdk.toml"],
        cwd=tmp_path,
        env={**os.environ, "MODAL_TOKEN_ID": "", "MODAL_TOKEN_SECRET": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Executor 'modal': Modal does not know who is calling" in done.stderr
    assert "modal setup" in done.stderr
