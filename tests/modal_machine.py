"""The machines of `modal_server`: each input is served by a process of its own.

The process is Modal's own container entry point, with the variables of the image and of the secrets, and with
a copy of the volumes that becomes lasting only when the container commits it. A machine is taken away where a
test says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from modal_proto import api_pb2 as pb

if TYPE_CHECKING:
    from modal_server import ModalServer

_CONTAINER = Path(__file__).with_name("modal_container.py")


@attrs.define
class Container:
    """One process that serves one input."""

    task: str
    call: Call
    mounts: dict[str, Path]
    fetched: bool = False
    # Files as they were when last seen on the committed volume, or committed to it: the rest is news.
    seen: dict[Path, tuple[int, int]] = attrs.field(factory=dict)
    process: asyncio.subprocess.Process | None = None


@attrs.define
class Call:
    """One call of a function, with all its tries."""

    id: str
    function: pb.Function
    item: pb.FunctionPutInputsItem
    tries: int = 0
    lost: int = 0
    output: pb.FunctionPutOutputsItem | None = None
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)


async def run(server: ModalServer, call: Call) -> None:
    """Serve a call's input until it has an output, or has used its tries up."""
    while call.output is None and not call.ended.is_set():
        taken, late = await _try(server, call)
        if call.output is not None or call.ended.is_set():
            break
        if taken:
            call.lost += 1
            continue
        call.tries += 1
        if call.tries > call.function.retry_policy.retries:
            kind = "TIMEOUT" if late else "FAILURE"
            status = pb.GenericResult.GenericStatus.Value(f"GENERIC_STATUS_{kind}")
            said = "Task's current input hit its timeout" if late else "the container crashed"
            result = pb.GenericResult(status=status, exception=said)
            call.output = pb.FunctionPutOutputsItem(result=result)
    call.ended.set()


async def _try(server: ModalServer, call: Call) -> tuple[bool, bool]:
    container = _prepare(server, call)
    log = (server.folder / f"{container.task}.log").open("wb")
    with log:
        container.process = await asyncio.create_subprocess_exec(
            sys.executable, _CONTAINER, env=_variables(server, container), stdout=log, stderr=log
        )
    ended = asyncio.ensure_future(container.process.wait())
    limit = asyncio.get_running_loop().time() + call.function.timeout_secs
    data = container.mounts[call.function.volume_mounts[0].volume_id]
    taken = late = False
    try:
        while not (await asyncio.wait([ended], timeout=0.05))[0]:
            if not taken and server.preempt(data):
                taken = True
                # Modal ends a machine with grace: it commits what was mounted, as now and then anyway.
                commit(server, container)
            late = asyncio.get_running_loop().time() > limit
            if taken or late or call.ended.is_set():
                kill(container)
    finally:
        kill(container)
        await ended
        del server.containers[container.task]
    return taken, late


def _prepare(server: ModalServer, call: Call) -> Container:
    task = f"ta-{call.id}-{call.tries}-{call.lost}"
    mounts = {}
    for mount in call.function.volume_mounts:
        copied = server.folder / task / Path(mount.mount_path).name
        copied.mkdir(parents=True)
        mounts[mount.volume_id] = copied
    container = Container(task, call, mounts)
    server.containers[task] = container
    reload(server, container)
    arguments = pb.ContainerArguments(
        task_id=task,
        function_id="fu-1",
        app_id="ap-1",
        function_def=call.function,
        app_layout=pb.AppLayout(),
    )
    (server.folder / f"{task}.arguments").write_bytes(arguments.SerializeToString())
    return container


def _variables(server: ModalServer, container: Container) -> dict[str, str]:
    """Return what a container has: nothing of this machine but the way to Python."""
    variables = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    for line in server.image_lines(container.call.function):
        if line.startswith("ENV "):
            name, _, value = line.removeprefix("ENV ").partition("=")
            variables[name] = value.strip("'\"")
    for secret in container.call.function.secret_ids:
        variables |= server.secrets[secret.removeprefix("st-")]
    return variables | {
        "OMP_NUM_THREADS": "1",
        "MODAL_IS_REMOTE": "1",
        "MODAL_SERVER_URL": server.url,
        "MODAL_TASK_ID": container.task,
        "MODAL_OVERRIDE_HEADERS": f"x-task:{container.task}",
        "MODAL_CONTAINER_ARGUMENTS_PATH": str(server.folder / f"{container.task}.arguments"),
        "ROUTESDK_TEST_MOUNTS": os.pathsep.join(map(str, container.mounts.values())),
    }


def kill(container: Container) -> None:
    """Take a machine away, as a power cut would."""
    if container.process is not None:
        with contextlib.suppress(ProcessLookupError):
            container.process.kill()


def reload(server: ModalServer, container: Container) -> None:
    """Bring what others committed to a container's volumes."""
    for volume_id, mounted in container.mounts.items():
        for file, where in _files(server.folder_of(volume_id)):
            target = mounted / where
            if not target.exists() or container.seen.get(target) == _look(target):
                _copy(file, target)
                container.seen[target] = _look(target)


def commit(server: ModalServer, container: Container) -> None:
    """Make lasting what a container wrote to its volumes, and no other file: the last writer wins."""
    for volume_id, mounted in container.mounts.items():
        for file, where in _files(mounted):
            # A file that is being written may be gone the next moment.
            with contextlib.suppress(FileNotFoundError):
                look = _look(file)
                if container.seen.get(file) != look:
                    _copy(file, server.folder_of(volume_id) / where)
                    container.seen[file] = look


def _files(folder: Path) -> list[tuple[Path, Path]]:
    return [(file, file.relative_to(folder)) for file in sorted(folder.rglob("*")) if file.is_file()]


def _look(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_mtime_ns, state.st_size


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.copying")
    shutil.copy2(file, partial)
    partial.replace(target)
