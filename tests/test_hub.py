"""Checkpoints on the Hub: its own client, over HTTP, against a stand-in on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_stand_in import Files, Hub, Repository, serve
from routers import PLUGIN, host_with_fake, make_router, write_distribution
from routesdk import OperatingPoint, Router
from routesdk.checkpoint import CARD, MANIFEST
from routesdk.errors import CheckpointError
from routesdk.hub import download_checkpoint, upload_checkpoint

# The endpoint is read when the Hub's client is imported: each test asks in a process of its own.
DRIVER = """
import json, logging, sys

def refuse(event, arguments):
    if event == "socket.connect" and arguments[1][0] != "127.0.0.1":
        raise SystemExit(f"the network was reached for: {arguments[1]}")

sys.addaudithook(refuse)
logging.disable(logging.CRITICAL)
from routesdk import Router
from routesdk.errors import RouteSDKError

for step in json.load(sys.stdin):
    name, arguments = step.pop("do"), step
    try:
        if name == "push":
            router = Router.from_pretrained(arguments.pop("folder"))
            said = router.push_to_hub(**arguments)
        else:
            router = Router.from_pretrained(arguments.pop("name"), **arguments)
            said = [router.checkpoint_id, router.route("Who?").model]
    except RouteSDKError as error:
        said = {"error": type(error).__name__, "path": error.path, "problem": error.problem, "fix": error.fix}
    print(json.dumps(said))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve(Hub()) as served:
        yield served


class Client:
    """Runs steps with the Hub's own client, in a process with its own cache."""

    def __init__(self, folder: Path, address: str) -> None:
        plugins = write_distribution(folder / "plugins", "FakePlugin", "routesdk_fake", PLUGIN)
        kept = {"PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV"}
        self.environment = {key: value for key, value in os.environ.items() if key in kept} | {
            "HF_ENDPOINT": address,
            "HF_HOME": str(folder / "cache"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_TOKEN": "hf_of_nobody",
            "PYTHONPATH": str(plugins),
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1",
            "NO_PROXY": "*",
        }

    def __call__(self, *steps: dict[str, object], **environment: str) -> list[object]:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER],
            input=json.dumps(steps),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def client(tmp_path: Path, hub: Hub) -> Client:
    return Client(tmp_path, hub.address)


def saved(folder: Path, threshold: float, large: str = "large-model") -> tuple[Path, str]:
    """Save a router that sends everything up below a gain of 0.5; return its folder and id."""
    references = [f"calibrated at {threshold}"]
    router = make_router({"IC": 0.5, "CC": 0.5}, point=OperatingPoint((threshold,)), references=references)
    if large != "large-model":
        router = router.with_model("large", large)
    router.save_pretrained(folder)
    return folder, Router.from_pretrained(folder, host=host_with_fake()).checkpoint_id


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def id_in(files: Files) -> str:
    return str(json.loads(files[MANIFEST])["checksum"])[:12]


def test_a_router_is_loaded_from_the_hub_by_branch_tag_and_commit_and_then_offline(
    tmp_path: Path, hub: Hub, client: Client
) -> None:
    old, old_id = saved(tmp_path / "old", 0.4)
    new, new_id = saved(tmp_path / "new", 0.6)
    repository = hub.repositories["owner/router"] = Repository()
    first = repository.commit({**files_of(old), "notes.txt": b"not part of the checkpoint"})
    repository.refs["v1"] = first
    repository.commit(files_of(new))

    latest, tagged, exact = client(
        {"do": "load", "name": "owner/router"},
        {"do": "load", "name": "owner/router", "revision": "v1"},
        {"do": "load", "name": "owner/router", "revision": first},
    )

    assert latest == [new_id, "medium-model"]
    assert tagged == exact == [old_id, "large-model"]
    assert not [path for _, path in hub.requests if path.endswith("notes.txt")]
    asked = len(hub.requests)
    again, again_tagged = client(
        {"do": "load", "name": "owner/router"},
        {"do": "load", "name": "owner/router", "revision": "v1"},
        HF_HUB_OFFLINE="1",
    )
    assert (again, again_tagged) == (latest, tagged)
    assert len(hub.requests) == asked


def test_what_is_not_on_the_hub_is_refused_with_what_to_do(tmp_path: Path, hub: Hub, client: Client) -> None:
    folder, _ = saved(tmp_path / "router", 0.4)
    hub.repositories["owner/router"] = Repository()
    hub.repositories["owner/router"].commit(files_of(folder))
    hub.repositories["owner/empty"] = Repository()
    hub.repositories["owner/empty"].commit({"config.json": b"{}"})
    damaged = dict(files_of(folder))
    damaged[MANIFEST] = damaged[MANIFEST].replace(b"large-model", b"other-model")
    hub.repositories["owner/edited"] = Repository()
    hub.repositories["owner/edited"].commit(damaged)

    missing, revision, empty, edited, odd = client(
        {"do": "load", "name": "owner/nowhere"},
        {"do": "load", "name": "owner/router", "revision": "v9"},
        {"do": "load", "name": "owner/empty"},
        {"do": "load", "name": "owner/edited"},
        {"do": "load", "name": "owner/not a name!"},
    )

    for said in (missing, revision, empty, edited, odd):
        assert said["error"] == "CheckpointError"  # type: ignore[index, call-overload]
        assert said["fix"]  # type: ignore[index, call-overload]
    assert missing["path"] == "owner/nowhere"  # type: ignore[index, call-overload]
    assert "cannot be fetched from the Hub" in missing["problem"]  # type: ignore[index, call-overload]
    assert revision["path"] == "owner/router@v9"  # type: ignore[index, call-overload]
    assert MANIFEST in empty["path"]  # type: ignore[index, call-overload]
    assert "checksum differs" in edited["problem"]  # type: ignore[index, call-overload]
    assert "nor a Hub id" in odd["problem"]  # type: ignore[index, call-overload]


def test_a_hub_that_cannot_be_reached_or_is_out_of_order_is_told_apart_from_a_wrong_name(
    hub: Hub, tmp_path: Path, client: Client
) -> None:
    folder, _ = saved(tmp_path / "router", 0.4)
    load, push = (
        {"do": "load", "name": "owner/router"},
        {"do": "push", "folder": str(folder), "repo_id": "owner/router"},
    )

    loaded, pushed = client(load, push, HF_ENDPOINT="http://127.0.0.1:9")
    offline_loaded, offline_pushed = client(load, push, HF_HUB_OFFLINE="1")

    asked = len(hub.requests)
    hub.broken = True
    (broken,) = client(load)

    assert asked == 0
    assert broken == loaded
    assert loaded["problem"] == "is not in the cache, and the Hub cannot be reached"  # type: ignore[index, call-overload]
    assert offline_loaded == loaded
    for said in (pushed, offline_pushed):
        assert said["path"] == "owner/router"  # type: ignore[index, call-overload]
        assert "cannot be put on the Hub" in said["problem"]  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    "xet", [pytest.param("0", id="with xet"), pytest.param("1", id="without xet", marks=pytest.mark.slow)]
)
def test_a_router_that_was_pushed_comes_back_and_replaces_the_one_before(
    tmp_path: Path, hub: Hub, client: Client, xet: str
) -> None:
    old, _ = saved(tmp_path / "old", 0.4)
    new, _ = saved(tmp_path / "new", 0.6, large="gemini-2.5-pro")

    first, loaded, second, replaced = client(
        {"do": "push", "folder": str(old), "repo_id": "owner/router", "private": True},
        {"do": "load", "name": "owner/router"},
        {"do": "push", "folder": str(new), "repo_id": "owner/router", "message": "Better"},
        {"do": "load", "name": "owner/router"},
        HF_HUB_DISABLE_XET=xet,
    )

    repository = hub.repositories["owner/router"]
    assert repository.private
    assert str(first).startswith(f"{hub.address}/owner/router/commit/")
    assert second != first
    before, kept = (repository.commits[str(url).rpartition("/")[2]] for url in (first, second))
    assert [loaded, replaced] == [[id_in(before), "large-model"], [id_in(kept), "medium-model"]]
    assert repository.messages[-1].startswith("Better")
    assert {path for path in kept if path != ".gitattributes"} == set(files_of(new))
    assert set(before) != set(kept)
    assert kept[CARD].startswith(b"---\nlibrary_name: routesdk")


def test_a_hub_that_refuses_an_upload_is_reported(tmp_path: Path, hub: Hub, client: Client) -> None:
    folder, _ = saved(tmp_path / "router", 0.4)
    hub.forbidden = True

    (said,) = client({"do": "push", "folder": str(folder), "repo_id": "owner/router"})

    assert said["error"] == "CheckpointError"  # type: ignore[index, call-overload]
    assert "hf auth login" in said["fix"]  # type: ignore[index, call-overload]


def test_a_connection_that_breaks_on_the_way_is_reported(tmp_path: Path, hub: Hub, client: Client) -> None:
    folder, _ = saved(tmp_path / "router", 0.4)
    hub.repositories["owner/router"] = Repository()
    hub.repositories["owner/router"].commit(files_of(folder))
    hub.torn = True

    (said,) = client({"do": "load", "name": "owner/router"})

    assert said["error"] == "CheckpointError"  # type: ignore[index, call-overload]
    assert said["path"] == "owner/router"  # type: ignore[index, call-overload]


# In this process the Hub's client is offline, so nothing of these leaves the machine.


@pytest.mark.parametrize("repo_id", ["owner/-odd-", "owner/a b", "own er/router", "owner/router.git"])
def test_a_name_that_the_hub_cannot_have_is_refused(repo_id: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        download_checkpoint(repo_id)

    assert caught.value.path == repo_id
    assert "owner/name" in caught.value.fix


def test_without_a_cache_and_offline_the_error_says_so() -> None:
    with pytest.raises(CheckpointError) as caught:
        download_checkpoint("owner/never-fetched", revision="v1")

    assert caught.value.path == "owner/never-fetched@v1"
    assert caught.value.fix == "Go online once, or give a folder."


def test_an_upload_offline_is_refused(tmp_path: Path) -> None:
    folder, _ = saved(tmp_path / "router", 0.4)

    with pytest.raises(CheckpointError) as caught:
        upload_checkpoint(folder, "owner/router")

    assert caught.value.path == "owner/router"
