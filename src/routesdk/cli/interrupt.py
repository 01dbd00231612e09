"""What Ctrl-C does while calls are under way: at first they may end, the second time they are broken off."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from routesdk.cli.console import errors

if TYPE_CHECKING:
    from routesdk.pipeline.oracle import Halt

STOPPED_BY_HAND = 130
"""The exit code of a run that was stopped by hand."""


@contextmanager
def at_first_interrupt(halt: Halt, calling: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Let calls under way come to their end at the first Ctrl-C, and break them off at the second.

    Args:
        halt: Is asked to stop.
        calling: Tells whether there are calls that it would stop; where there are none,
            the first Ctrl-C breaks off.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if halt.wanted or not calling():
            raise KeyboardInterrupt
        halt.ask()
        errors().print(
            "[yellow]Stopping once the calls under way have ended; Ctrl-C again breaks them off.[/]"
        )

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
