"""A command at a pseudo-terminal, as a person sits before it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


class Terminal:
    """`routesdk chat` in a folder, with these options."""

    def __init__(self, folder: Path, *options: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        code = "from routesdk.cli import main; main()"
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": "200", "INPUTRC": "/dev/null"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, "chat", *options],
            cwd=folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._rest = ""

    def see(self, text: str, within_s: float = 20) -> str:
        """Wait for a text, and return what was shown up to it."""
        until = time.monotonic() + within_s
        while text not in self._rest:
            ready, _, _ = select.select([self._ours], [], [], 0.2)
            if ready:
                self._rest += os.read(self._ours, 65536).decode("utf-8", "replace").replace("\r", "")
            assert time.monotonic() < until, f"{text!r} is not shown; shown is {self._rest!r}"
        shown, _, self._rest = self._rest.partition(text)
        return shown

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._ours, text.encode())

    def interrupt(self, text: str) -> None:
        """Send what Ctrl-C sends, until a text is shown: between two keys, readline does not hear it."""
        for _ in range(10):
            os.kill(self._process.pid, signal.SIGINT)
            with suppress(AssertionError):
                self.see(text, within_s=2)
                return
        raise AssertionError(f"{text!r} is not shown after an interrupt")

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        return self._process.wait(timeout=20)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
