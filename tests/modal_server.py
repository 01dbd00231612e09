"""A stand-in for Modal on loopback: its own gRPC service, which really runs what it is given.

It keeps what it was asked, and has volumes as folders; `modal_machine` runs the inputs.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web
from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from grpclib.server import Server
from modal_proto import api_pb2 as pb
from modal_proto.api_grpc import ModalClientBase

from modal_machine import Call, Container, commit, kill, reload, run

TOKEN_ID, TOKEN_SECRET = "ak-loopback", "as-loopback-secret"
GPUS = {"T4", "L4", "A10", "A10G", "L40S", "A100", "H100"}
_SUCCESS = pb.GenericResult(status=pb.GenericResult.GENERIC_STATUS_SUCCESS)
_BLOCK = 8 << 20


class _Server(Server):
    """A server that closes its connections too, which a client may keep open for as long as it likes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: list[asyncio.BaseTransport] = []

    def _protocol_factory(self) -> Any:
        protocol = super()._protocol_factory()
        made = protocol.connection_made

        def remember(transport: asyncio.BaseTransport) -> None:
            self.connections.append(transport)
            made(transport)

        protocol.connection_made = remember  # type: ignore[method-assign]
        return protocol


class ModalServer:
    """The service; use it as a context manager.

    Args:
        folder: Where volumes, copies of them and the containers' logs go.

    Attributes:
        requests: What was asked, in order: the method's name and the message.
        secrets: Variables by the name of their secret.
        volumes: Committed folders by the volume's name.
        volume_version: What volumes say that they are: Modal has two kinds, written to differently.
        failing: Methods that are refused from now on, as where the service is away.
        preempt: Told the data volume as a container sees it; returns whether to take the machine away.
        calls: Every call that was made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, Any]] = []
        self.secrets: dict[str, dict[str, str]] = {}
        self.volumes: dict[str, Path] = {}
        self.preempt: Callable[[Path], bool] = lambda _: False
        self.failing: set[str] = set()
        self.volume_version = pb.VOLUME_FS_VERSION_V1
        self.calls: dict[str, Call] = {}
        self.files: dict[str, bytes] = {}
        self.functions: dict[str, pb.Function] = {}
        self.images: dict[str, pb.Image] = {}
        self.containers: dict[str, Container] = {}
        self.url = ""
        self._blocks = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    def __enter__(self) -> ModalServer:
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(180)
        assert not self._thread.is_alive()
        self._loop.close()

    def environment(self) -> dict[str, str]:
        """Return the variables that send Modal's client here."""
        return {
            "MODAL_SERVER_URL": self.url,
            "MODAL_TOKEN_ID": TOKEN_ID,
            "MODAL_TOKEN_SECRET": TOKEN_SECRET,
            "MODAL_CONFIG_PATH": str(self.folder / "none.toml"),
        }

    def asked(self, name: str) -> list[Any]:
        """Return the messages of one method, in order."""
        return [message for method, message in list(self.requests) if method == name]

    def function(self, name: str) -> pb.Function:
        """Return the latest definition of a function."""
        return next(each for each in reversed(list(self.functions.values())) if each.function_name == name)

    def image_lines(self, function: pb.Function) -> list[str]:
        """Return the lines of a function's image, those of its base first."""
        lines: list[str] = []
        image: pb.Image | None = self.images[function.image_id]
        while image is not None:
            lines[:0] = image.dockerfile_commands
            image = self.images[image.base_images[0].image_id] if image.base_images else None
        return lines

    async def _serve(self) -> None:
        http = web.Application(client_max_size=2 * _BLOCK)
        http.router.add_get("/block", self._block)
        http.router.add_put("/block", self._put_block)
        runner = web.AppRunner(http)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._blocks = f"http://127.0.0.1:{runner.addresses[0][1]}/block"
        server = _Server([_service(self)])
        await server.start("127.0.0.1", 0)
        assert server._server is not None and server._server.sockets
        self.url = f"http://127.0.0.1:{server._server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stopped.wait()
        for container in list(self.containers.values()):
            kill(container)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        server.close()
        await server.wait_closed()
        for connection in server.connections:
            connection.close()
        await runner.cleanup()
        # Connections say that they are closed a moment later.
        await asyncio.sleep(0.1)

    async def _block(self, request: web.Request) -> web.Response:
        start = int(request.query["start"])
        return web.Response(body=Path(request.query["file"]).read_bytes()[start : start + _BLOCK])

    async def _put_block(self, request: web.Request) -> web.Response:
        content = await request.read()
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = content
        return web.Response(body=digest.encode())

    def folder_of(self, volume_id: str) -> Path:
        """Return the committed folder of a volume."""
        return self.volumes[volume_id.removeprefix("vo-")]

    def stop(self) -> None:
        """Stop every call, as Modal does when the app's process is gone."""
        for call in list(self.calls.values()):
            self._loop.call_soon_threadsafe(call.ended.set)
        until(lambda: not self.containers)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside what is served."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What is answered, by the method's name.

    async def answer_VolumeGetOrCreate(self, asked: Any) -> Any:
        name = asked.deployment_name
        if name not in self.volumes:
            if asked.object_creation_type != pb.OBJECT_CREATION_TYPE_CREATE_IF_MISSING:
                raise GRPCError(Status.NOT_FOUND, f"Volume '{name}' not found in environment 'main'")
            self.volumes[name] = self.folder / "volumes" / name
            self.volumes[name].mkdir(parents=True)
        about = pb.VolumeMetadata(version=self.volume_version, name=name)
        return pb.VolumeGetOrCreateResponse(volume_id=f"vo-{name}", metadata=about)

    async def answer_MountPutFile(self, asked: Any) -> Any:
        if asked.WhichOneof("data_oneof") is not None:
            assert hashlib.sha256(asked.data).hexdigest() == asked.sha256_hex
            self.files[asked.sha256_hex] = asked.data
        return pb.MountPutFileResponse(exists=asked.sha256_hex in self.files)

    async def answer_VolumePutFiles(self, asked: Any) -> Any:
        for each in asked.files:
            file = self.folder_of(asked.volume_id) / each.filename
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.files[each.sha256_hex])
        return Empty()

    async def answer_VolumePutFiles2(self, asked: Any) -> Any:
        missing = [
            pb.VolumePutFiles2Response.MissingBlock(file_index=file, block_index=index, put_url=self._blocks)
            for file, each in enumerate(asked.files)
            for index, block in enumerate(each.blocks)
            if not block.put_response
        ]
        for each in () if missing else asked.files:
            file = self.folder_of(asked.volume_id) / each.path
            file.parent.mkdir(parents=True, exist_ok=True)
            assert [block.put_response.decode() for block in each.blocks] == [
                block.contents_sha256.hex() for block in each.blocks
            ]
            content = b"".join(
                self.files[block.contents_sha256.hex()].ljust(_BLOCK, b"\0") for block in each.blocks
            )
            file.write_bytes(content[: each.size])
        return pb.VolumePutFiles2Response(missing_blocks=missing)

    async def answer_VolumeGetFile2(self, asked: Any) -> Any:
        file = self.folder_of(asked.volume_id) / asked.path
        if not file.is_file():
            raise GRPCError(Status.NOT_FOUND, f"No such file: {asked.path}")
        size = file.stat().st_size
        urls = [f"{self._blocks}?start={start}&file={file}" for start in range(0, size, _BLOCK)]
        return pb.VolumeGetFile2Response(get_urls=urls, size=size, start=0, len=size)

    async def answer_VolumeCommit(self, asked: Any, task: str) -> Any:
        if task in self.containers:
            commit(self, self.containers[task])
        return pb.VolumeCommitResponse(skip_reload=True)

    async def answer_VolumeReload(self, asked: Any, task: str) -> Any:
        reload(self, self.containers[task])
        return Empty()

    async def answer_SecretGetOrCreate(self, asked: Any) -> Any:
        if asked.deployment_name not in self.secrets:
            raise GRPCError(Status.NOT_FOUND, f"Secret '{asked.deployment_name}' not found")
        return pb.SecretGetOrCreateResponse(secret_id=f"st-{asked.deployment_name}")

    async def answer_ImageGetOrCreate(self, asked: Any) -> Any:
        name = f"im-{len(self.images)}"
        self.images[name] = asked.image
        about = pb.ImageMetadata(image_builder_version="2025.06")
        return pb.ImageGetOrCreateResponse(image_id=name, result=_SUCCESS, metadata=about)

    async def answer_FunctionPrecreate(self, asked: Any) -> Any:
        return pb.FunctionPrecreateResponse(
            function_id=f"fu-{asked.function_name}", handle_metadata=_about(asked.function_name)
        )

    async def answer_FunctionCreate(self, asked: Any) -> Any:
        function = asked.function
        gpu = function.resources.gpu_config.gpu_type
        if gpu and gpu not in GPUS:
            raise GRPCError(Status.INVALID_ARGUMENT, f"GPU type {gpu!r} is not supported")
        self.functions[f"fu-{function.function_name}"] = function
        web_url = "https://example.invalid/decide" if function.webhook_config.type else ""
        return pb.FunctionCreateResponse(
            function_id=f"fu-{function.function_name}",
            function=function,
            function_data=pb.FunctionData(
                ranked_functions=[pb.FunctionData.RankedFunction(rank=0, function=function)]
            ),
            handle_metadata=_about(function.function_name, web_url),
        )

    async def answer_FunctionMap(self, asked: Any) -> Any:
        (item,) = asked.pipelined_inputs
        call = Call(f"fc-{len(self.calls)}", self.functions[asked.function_id], item)
        self.calls[call.id] = call
        self.start(run(self, call))
        given = pb.FunctionPutInputsResponseItem(idx=0, input_id=f"in-{call.id}", input_jwt="jwt")
        return pb.FunctionMapResponse(
            function_call_id=call.id, pipelined_inputs=[given], retry_policy=call.function.retry_policy
        )

    async def answer_FunctionGetOutputs(self, asked: Any) -> Any:
        call = self.calls[asked.function_call_id]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(call.ended.wait(), asked.timeout)
        if call.output is None:
            return pb.FunctionGetOutputsResponse(num_unfinished_inputs=1)
        found = pb.FunctionGetOutputsItem(result=call.output.result, data_format=call.output.data_format)
        return pb.FunctionGetOutputsResponse(outputs=[found])

    async def answer_FunctionCallCancel(self, asked: Any) -> Any:
        call = self.calls[asked.function_call_id]
        if call.output is None:
            status = pb.GenericResult.GENERIC_STATUS_TERMINATED
            call.output = pb.FunctionPutOutputsItem(result=pb.GenericResult(status=status))
        call.ended.set()
        return Empty()

    async def answer_FunctionGetInputs(self, asked: Any, task: str) -> Any:
        container = self.containers[task]
        if container.fetched:
            return pb.FunctionGetInputsResponse(inputs=[pb.FunctionGetInputsItem(kill_switch=True)])
        container.fetched = True
        given = pb.FunctionGetInputsItem(
            input_id=f"in-{container.call.id}",
            input=container.call.item.input,
            function_call_id=container.call.id,
        )
        return pb.FunctionGetInputsResponse(inputs=[given])

    async def answer_FunctionPutOutputs(self, asked: Any, task: str) -> Any:
        if self.containers[task].call.output is None:
            self.containers[task].call.output = asked.outputs[0]
        return Empty()

    async def answer_ContainerHeartbeat(self, asked: Any) -> Any:
        return pb.ContainerHeartbeatResponse()

    async def answer_AppGetLogs(self, asked: Any) -> Any:
        await asyncio.sleep(0.2)
        return pb.TaskLogsBatch(app_done=True)


_FIXED: dict[str, Any] = {
    "ClientHello": pb.ClientHelloResponse(),
    "EnvironmentGetOrCreate": pb.EnvironmentGetOrCreateResponse(
        environment_id="en-1",
        metadata=pb.EnvironmentMetadata(
            name="main", settings=pb.EnvironmentSettings(image_builder_version="2025.06")
        ),
    ),
    "AppCreate": pb.AppCreateResponse(app_id="ap-1", app_page_url="https://example.invalid/ap-1"),
    "AppGetByDeploymentName": pb.AppGetByDeploymentNameResponse(),
    "AppPublish": pb.AppPublishResponse(url="https://example.invalid/routesdk", deployed_at=1.0),
    "MountGetOrCreate": pb.MountGetOrCreateResponse(
        mount_id="mo-1", handle_metadata=pb.MountHandleMetadata(content_checksum_sha256_hex="0" * 64)
    ),
    "MountBatchedCheckExistence": pb.MountBatchedCheckExistenceResponse(),
    **dict.fromkeys(("AppHeartbeat", "AppClientDisconnect", "ContainerHello", "TaskResult"), Empty()),
}


def _about(name: str, web_url: str = "") -> pb.FunctionHandleMetadata:
    kind = pb.Function.FUNCTION_TYPE_FUNCTION
    return pb.FunctionHandleMetadata(
        function_name=name, function_type=kind, web_url=web_url, definition_id=f"de-{name}"
    )


def _service(server: ModalServer) -> ModalClientBase:
    """Return Modal's whole service: what has no answer here is an error there."""

    def method(name: str) -> Callable[..., Coroutine[Any, Any, None]]:
        answer = getattr(server, f"answer_{name}", None)
        wants_task = answer is not None and "task" in inspect.signature(answer).parameters

        async def handle(_: object, stream: Any) -> None:
            asked = await stream.recv_message()
            server.requests.append((name, asked))
            task = str(stream.metadata.get("x-task", ""))
            if not task and stream.metadata.get("x-modal-token-secret") != TOKEN_SECRET:
                raise GRPCError(Status.UNAUTHENTICATED, "Token ID or secret is not valid")
            if name in server.failing:
                raise GRPCError(Status.FAILED_PRECONDITION, "the service is away")
            if answer is not None:
                await stream.send_message(await (answer(asked, task) if wants_task else answer(asked)))
            elif name in _FIXED:
                await stream.send_message(_FIXED[name])
            else:
                raise GRPCError(Status.UNIMPLEMENTED, f"{name} is not part of the stand-in")

        return handle

    names = ModalClientBase.__abstractmethods__
    service: ModalClientBase = type("Service", (ModalClientBase,), {name: method(name) for name in names})()
    return service


def until(met: Callable[[], bool]) -> None:
    """Wait for something to come to pass.

    Raises:
        AssertionError: It did not within three minutes.
    """
    end = time.monotonic() + 180
    while not met():
        assert time.monotonic() < end, "it did not come to pass within three minutes"
        time.sleep(0.05)
