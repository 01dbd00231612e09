"""As much of HTTP/1.1 as a local provider needs: one request after the other on connections kept alive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import attrs

_PHRASE = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


@attrs.frozen(kw_only=True)
class RawRequest:
    """A request as it came over the wire; headers' names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen(kw_only=True)
class Response:
    """What is sent.

    Attributes:
        status: HTTP's status.
        parts: The events of a stream, or the one body.
        stream: Whether the parts are events.
        headers: Further header lines.
        cut: Whether the connection closes when half of it is sent.
        hang: Whether nothing is sent at all.
    """

    status: int = 200
    parts: Sequence[bytes] = ()
    stream: bool = False
    headers: tuple[str, ...] = ()
    cut: bool = False
    hang: bool = False

    def pieces(self) -> list[bytes]:
        """Return what goes over the wire, in the pieces that may be paused between."""
        kind = "text/event-stream" if self.stream else "application/json"
        lines = [f"HTTP/1.1 {self.status} {_PHRASE.get(self.status, 'Error')}", f"Content-Type: {kind}"]
        lines += self.headers
        if self.stream:
            lines.append("Transfer-Encoding: chunked")
            pieces = [b"%x\r\n%b\r\n" % (len(part), part) for part in self.parts]
            sent = pieces[: max(1, len(pieces) // 2)] if self.cut else [*pieces, b"0\r\n\r\n"]
        else:
            body = b"".join(self.parts)
            lines.append(f"Content-Length: {len(body)}")
            sent = [body[: len(body) // 2] if self.cut else body]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return [head + sent[0], *sent[1:]]


class Service(Protocol):
    """What a connection asks for answers."""

    latency_s: float
    pause_s: float

    def respond(self, raw: RawRequest) -> Response:
        """Answer a request."""
        ...

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        ...

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        ...

    def under_way(self, change: int) -> None:
        """Take note that a call began (1) or ended (-1)."""
        ...


class Connection(asyncio.Protocol):
    """One connection: reads a request, answers it after the latency, reads the next."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._buffer = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send without delay, and be known to the service."""
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._service.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call that was under way."""
        self._service.closed(self)
        self._transport = None
        self._finish()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect bytes until they make a request."""
        self._buffer += data
        self._serve()

    def _serve(self) -> None:
        raw = None if self._busy else self._take()
        if raw is None:
            return
        self._busy = True
        self._service.under_way(1)
        response = self._service.respond(raw)
        self._later(self._service.latency_s, lambda: self._send(response))

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        if seconds > 0:
            self._loop.call_later(seconds, act)
        else:
            act()

    def _take(self) -> RawRequest | None:
        """Take one whole request off the buffer; None until it has come."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        whole = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < whole:
            return None
        body = bytes(self._buffer[end + 4 : whole])
        del self._buffer[:whole]
        method, path, _ = first.split(" ")
        return RawRequest(method=method, path=path, headers=headers, body=body)

    def _send(self, response: Response) -> None:
        if response.hang:
            return
        pieces = response.pieces()
        if self._service.pause_s > 0:
            self._drip(pieces, response.cut)
        else:
            self._drip([b"".join(pieces)], response.cut)

    def _drip(self, pieces: list[bytes], cut: bool) -> None:
        if self._transport is None:
            return
        self._transport.write(pieces[0])
        if len(pieces) > 1:
            self._later(self._service.pause_s, lambda: self._drip(pieces[1:], cut))
            return
        if cut:
            self._transport.close()
            return
        self._finish()
        self._serve()

    def _finish(self) -> None:
        if self._busy:
            self._busy = False
            self._service.under_way(-1)
