"""Tables on disk, built from a file and looked up by key: memory stays flat, however long the file."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence

from routesdk.errors import ConfigError

# Ample for a table that is filled once and then read: what does not fit goes to disk.
_CACHE_KIB = 1024

Row = tuple[object, ...]


def digest(text: str, about: bytes = b"") -> bytes:
    """Return 128 bits that stand for a text.

    That two of a billion share them is less likely than one in 10^20.

    Args:
        text: Any text.
        about: The digest of what the text is about; the result then stands for both.
    """
    # Lone surrogates have no UTF-8, but a row may hold them.
    return hashlib.blake2b(about + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Lookup:
    """Tables in a temporary file of SQLite's own, which goes when the lookup does, even when it is killed.

    Threads may share it. A forked process builds it anew when it first asks:
    connections of SQLite do not survive a fork.

    Args:
        source: The file that the tables are built from, for errors.
        fill: Builds the tables.

    Raises:
        ConfigError: The temporary file cannot be written.
        Exception: Whatever `fill` raises about the source.
    """

    def __init__(self, source: str, fill: Callable[[sqlite3.Connection], None]) -> None:
        self._source = source
        self._fill = fill
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._close: weakref.finalize[..., Lookup] | None = None
        _LOOKUPS.add(self)
        with self._lock:
            self._open()

    def ask(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return the rows of a query.

        Raises:
            ConfigError: The tables had to be built anew, and cannot be.
            sqlite3.Error: The temporary file cannot be read.
        """
        with self._lock:
            connection = self._connection or self._open()
            rows: list[Row] = connection.execute(statement, parameters).fetchall()
        return rows

    def forget(self) -> None:
        """Leave the connection to the process that opened it; for a process that was just forked."""
        self._lock = threading.Lock()
        if self._connection is not None:
            _INHERITED.append(self._connection)
        if self._close is not None:
            self._close.detach()
        self._connection = self._close = None

    def _open(self) -> sqlite3.Connection:
        # Without a name, the database is a private file that is deleted as soon as it is open.
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("BEGIN")
            self._fill(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.close()
            raise ConfigError(
                "path",
                self._source,
                f"its index cannot be written ({error})",
                "Make room in the folder for temporary files, or name another in SQLITE_TMPDIR.",
            ) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._close = weakref.finalize(self, connection.close)
        return connection


_LOOKUPS: weakref.WeakSet[Lookup] = weakref.WeakSet()
# Never closed here: they belong to the process that this one was forked from.
_INHERITED: list[sqlite3.Connection] = []


def _forget_all() -> None:
    for lookup in list(_LOOKUPS):
        lookup.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
