"""Notices what code does beside computing: files, sockets, processes, threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

NETWORK = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.sendto",
    "socket.sendmsg",
    "urllib.Request",
)
"""Audit events of code that reaches for the network; an event loop's own socket pair raises none."""

INPUT_OUTPUT = (
    *NETWORK,
    "open",
    "os.listdir",
    "os.scandir",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "socket.__new__",
    "socket.bind",
    "sqlite3.connect",
    "subprocess.Popen",
    "_thread.start_new_thread",
)
"""Audit events of code that reads, writes, or starts something."""

# A context variable, so that what other threads do meanwhile is not held against the part.
_watch: ContextVar[tuple[frozenset[str], list[str]] | None] = ContextVar("routesdk_watch", default=None)


@contextmanager
def watching(events: tuple[str, ...]) -> Iterator[list[str]]:
    """Collect which of these audit events happen inside, each as `event: argument`.

    Events of an import are let pass: a module may be loaded on first use.
    Nothing is blocked, so that the part behaves as it would in production.
    """
    _install()
    seen: list[str] = []
    token = _watch.set((frozenset(events), seen))
    try:
        yield seen
    finally:
        _watch.reset(token)


@cache
def _install() -> None:
    # Patching `open` and `socket` would miss pathlib, sqlite3 and C code; audit events miss nothing.
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[object, ...]) -> None:
    watch = _watch.get()
    if watch is None or event not in watch[0] or _importing():
        return
    first = ascii(arguments[0])[:80] if arguments else ""
    watch[1].append(f"{event}: {first}" if first else event)


def _importing() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False
