"""Who may use torch at the same time: answers side by side, a model's loading alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets answers be written side by side, and a model be loaded alone.

    Loading sets torch's default type for the whole process, and a bar's state
    for the whole of transformers.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.answers = 0
        """How many answers are being written."""
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Write an answer, beside others."""
        with self._condition:
            # Whoever waits to load goes first, or a model that is never idle would keep it out.
            self._condition.wait_for(lambda: not self._waiting)
            self.answers += 1
        try:
            yield
        finally:
            with self._condition:
                self.answers -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Load a model, when no answer is being written."""
        with self._condition:
            self._waiting += 1
            try:
                self._condition.wait_for(lambda: not self.answers)
                yield
            finally:
                self._waiting -= 1
                self._condition.notify_all()
