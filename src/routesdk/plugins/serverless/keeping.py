"""What a stage has done until now, kept where it outlives the machine."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from routesdk.host import attempt
from routesdk.plugins.serverless.layout import fingerprint

logger = logging.getLogger("routesdk")

KEEP_S = 10.0
"""Seconds between two looks at a shard that is worked on: what is newer is lost with the machine."""

_SQLITE = b"SQLite format 3\0"


def is_database(file: Path) -> bool:
    """Tell whether a file is an SQLite database."""
    with file.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def settle(file: Path) -> None:
    """Bring a database into its one file: what SQLite has beside it would be left behind.

    Raises:
        sqlite3.Error: The database cannot be read, or something is writing it.
    """
    if file.with_name(f"{file.name}-wal").exists() and is_database(file):
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextlib.contextmanager
def working_copy(
    shard: Path, kept: Path, commit: Callable[[], None], *, keep_s: float | None = None
) -> Iterator[Path]:
    """Yield the file to work on.

    A database is worked on beside the volume: SQLite needs locks and shared memory that a network file
    system may not have. Every few seconds, and in the end, a whole copy of it goes to `kept`; a machine that
    takes the shard over begins with that. Any other file is worked on where it lies, and so is what its stage
    keeps beside it.

    Args:
        shard: The file on the volume.
        kept: Where copies go, on the volume too.
        commit: Makes the volume's changes last.
        keep_s: Seconds between two copies; None for `KEEP_S`.
    """
    if not is_database(shard):
        yield shard
        return
    with tempfile.TemporaryDirectory(prefix="routesdk-shard-") as name:
        place = Path(name) / shard.name
        shutil.copyfile(kept if kept.exists() else shard, place)
        ended = threading.Event()
        pause_s = KEEP_S if keep_s is None else keep_s
        keeper = threading.Thread(target=_keep, args=(place, kept, commit, ended, pause_s), daemon=True)
        keeper.start()
        try:
            yield place
        finally:
            ended.set()
            keeper.join()
            _copy(place, kept, "")


def _keep(
    place: Path, kept: Path, commit: Callable[[], None], ended: threading.Event, pause_s: float
) -> None:
    seen = ""
    while not ended.wait(pause_s):
        newest, error = attempt(_copy, place, kept, seen)
        if newest is not None and newest != seen:
            _, error = attempt(commit)
        if error is None:
            seen = newest or seen
        else:
            # Busy, or the volume is away for a moment: the next look comes soon, and the last one raises.
            logger.warning("%s is kept later: %s: %s", place.name, type(error).__name__, error)


def _copy(place: Path, kept: Path, seen: str) -> str:
    """Put a consistent copy where it lasts, unless it is the one seen last; return its fingerprint."""
    copied = place.with_name(f"{place.name}.copy")
    with (
        contextlib.closing(sqlite3.connect(place)) as source,
        contextlib.closing(sqlite3.connect(copied)) as target,
    ):
        source.backup(target)
    newest = fingerprint(copied)
    if newest != seen:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f".{kept.name}.partial")
        shutil.copyfile(copied, partial)
        partial.replace(kept)
    copied.unlink()
    return newest
