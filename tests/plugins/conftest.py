"""Fixtures that several tests of plugins share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from modal_server import ModalServer

MODAL_STAGES = '''
import os
import time
import zipfile


def step(shard):
    """Two steps, the first of which is kept beside the shard; a first try hangs between them."""
    work = shard.with_name(shard.name + ".work")
    work.mkdir(exist_ok=True)
    tries = work / "tries"
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if tries.read_text() == "x":
        time.sleep(900)
    output = shard.with_suffix(".out")
    output.write_text(tries.read_text())
    return output


def hang(shard):
    shard.with_suffix(".begun").touch()
    time.sleep(900)


def hang_if_long(shard):
    return hang(shard) if shard.read_text() == "long" else shard


def same(shard):
    output = shard.with_name("same.txt")
    output.write_text(shard.read_text())
    return output


def crash(shard):
    os._exit(9)


def pack(shard):
    """A stage of training's form: a checkpoint in a .zip file."""
    import uuid
    from routesdk import Router
    shard.with_name(f"packed-{uuid.uuid4().hex}").touch()
    Router.from_pretrained("default").save_pretrained(shard.with_suffix(""))
    with zipfile.ZipFile(shard.with_name("trained.zip"), "w") as packed:
        for file in shard.with_suffix("").rglob("*"):
            packed.write(file, file.relative_to(shard.with_suffix("")))
    return shard.with_name("trained.zip")


def tell(shard):
    output = shard.with_suffix(".out")
    output.write_text(f"{os.environ.get('PROVIDER_KEY')} {os.environ.get('MODAL_TOKEN_SECRET')}")
    return output
'''


@pytest.fixture(scope="module")
def modal_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModalServer]:
    """Modal's service on loopback, for this process's client and for commands."""
    import modal

    from modal_server import ModalServer

    folder = tmp_path_factory.mktemp("modal")
    (folder / "code").mkdir()
    (folder / "code" / "routesdk_test_modal.py").write_text(MODAL_STAGES)
    with ModalServer(folder) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        paths = [str(folder / "code"), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.syspath_prepend(str(folder / "code"))
        yield server
        modal.Client.from_env().close()


@pytest.fixture
def modal_service(modal_running: ModalServer) -> Iterator[ModalServer]:
    """The service, of which nothing has been asked yet, and which takes no machine away."""
    modal_running.requests.clear()
    modal_running.preempt = lambda _: False
    yield modal_running
    modal_running.preempt = lambda _: False
    modal_running.failing.clear()
