"""Typed lines with editing, history and completion, where the standard library has readline."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import ModuleType

from routesdk.cli.session import COMMANDS
from routesdk.errors import ConfigError

_MOST_LINES = 1000


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:
        # Windows has none; lines can be typed all the same.
        return None
    return readline


class LineEditor:
    """Reads lines from a terminal: arrows move and recall, Tab completes what begins with a slash.

    Args:
        history: File that lines are kept in for the next time; None keeps them for this time alone.
    """

    def __init__(self, history: Path | None = None) -> None:
        self._file = history
        self._readline = _readline()
        self._known = 0

    def __enter__(self) -> LineEditor:
        """Read the lines of earlier times.

        Raises:
            ConfigError: The file cannot be read or written.
        """
        if self._readline is None:
            return self
        self._readline.set_completer(_complete)
        self._readline.set_completer_delims(" ")
        self._readline.parse_and_bind("tab: complete")
        self._readline.set_history_length(_MOST_LINES)
        if self._file is not None:
            try:
                # Questions are nobody else's business.
                os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
                self._readline.read_history_file(self._file)
            except OSError as error:
                problem = f"cannot be used ({error.strerror or error})"
                raise ConfigError("--history", str(self._file), problem, "Name another file.") from error
        # Lines of another use of this process stand before it, too.
        self._known = self._readline.get_current_history_length()
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the lines, behind those that another session has kept in the same file meanwhile."""
        if self._readline is None or self._file is None:
            return
        # Losing it at the end is no reason to end with an error.
        with contextlib.suppress(OSError):
            new = self._readline.get_current_history_length() - self._known
            self._readline.append_history_file(max(new, 0), self._file)

    def read(self, prompt: str) -> str:
        """Return the next line.

        Raises:
            EOFError: There is none.
        """
        return input(prompt)


def _complete(text: str, state: int) -> str | None:
    found = [name for name in COMMANDS if name.startswith(text)] if text.startswith("/") else []
    return found[state] if state < len(found) else None
