"""The tables of a journal, how the file is opened, and how SQLite's failures are told."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from routesdk.errors import JournalError

APPLICATION_ID = int.from_bytes(b"rjnl")
"""Marks a file as a journal, so that no other program's database is written to."""
SCHEMA_VERSION = 1

_BUSY_TIMEOUT_S = 30.0

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # Instructions are stored once, not with each call.
    "CREATE TABLE prompt (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    # `current`: the row belongs to the run that was begun last. `done`: nothing is left to ask about it.
    "CREATE TABLE row (id TEXT PRIMARY KEY, position INTEGER NOT NULL, digest TEXT NOT NULL,"
    " question TEXT NOT NULL, example TEXT NOT NULL, current INTEGER NOT NULL, done INTEGER NOT NULL,"
    " analysis TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '') WITHOUT ROWID",
    "CREATE INDEX row_order ON row (current, done, position)",
    "CREATE TABLE outcome (row TEXT NOT NULL, place INTEGER NOT NULL, model TEXT NOT NULL, grade TEXT,"
    " reason TEXT NOT NULL, answer_key BLOB, verdict_key BLOB, PRIMARY KEY (row, place)) WITHOUT ROWID",
    # A settled reply: its key is never asked again.
    "CREATE TABLE call (key BLOB PRIMARY KEY, role TEXT NOT NULL, question TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, sample INTEGER NOT NULL,"
    " answered_by TEXT NOT NULL, text TEXT NOT NULL, finish_reason TEXT NOT NULL,"
    " input_tokens INTEGER, output_tokens INTEGER, thinking_tokens INTEGER NOT NULL,"
    " cached_input_tokens INTEGER NOT NULL, cost_nano INTEGER, latency_s REAL)",
    "CREATE INDEX call_question ON call (question)",
    # Every try that was paid for, or may have been. `cost_nano` NULL: only its tokens are known.
    "CREATE TABLE attempt (id INTEGER PRIMARY KEY, key BLOB NOT NULL, role TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'failed', 'unknown')),"
    " reserved_nano INTEGER NOT NULL, cost_nano INTEGER, input_tokens INTEGER, output_tokens INTEGER,"
    " begun TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '')",
    "CREATE INDEX attempt_open ON attempt (state)",
    "CREATE TABLE merged (uid TEXT PRIMARY KEY) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def is_journal(path: Path) -> bool:
    """Tell whether a SQLite file is a journal; its mark may not be in the file itself yet.

    Raises:
        JournalError: There is no such file, or it cannot be read at the moment.
    """
    with telling(path), closing(_opened_to_read(path, _BUSY_TIMEOUT_S)) as database:
        try:
            (application_id,) = database.execute("PRAGMA application_id").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # No database at all, whatever its first bytes say.
            return False
    return bool(application_id == APPLICATION_ID)


def connect(
    path: Path, *, read_only: bool = False, busy_timeout_s: float = _BUSY_TIMEOUT_S
) -> sqlite3.Connection:
    """Open a journal, and lay it out where there is none.

    Args:
        path: The file; its folder is not made.
        read_only: Whether to look only; the file must then be there.
        busy_timeout_s: Seconds to wait for another process.

    Raises:
        JournalError: The file cannot be opened, is no journal, or a newer one.
    """
    with telling(path):
        if read_only:
            database = _opened_to_read(path, busy_timeout_s)
        else:
            database = sqlite3.connect(
                path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
            )
        try:
            _lay_out(database, path, read_only)
        except (sqlite3.Error, JournalError):
            database.close()
            raise
    return database


def _opened_to_read(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    if not path.is_file():
        raise JournalError(str(path), "there is no such journal", "Check the path.")
    # Where nothing is being written, a folder that cannot be written to is no hindrance.
    still = not path.with_name(f"{path.name}-wal").exists()
    how = "immutable=1" if still and not os.access(path.parent, os.W_OK) else "mode=ro"
    address = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, timeout=busy_timeout_s, isolation_level=None)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn what SQLite reports into an error that names the file and says what to do.

    Raises:
        JournalError: SQLite failed; what it had committed is still there.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        fix = {
            sqlite3.SQLITE_FULL: "Make room, and run again: it goes on where it stopped.",
            sqlite3.SQLITE_IOERR: "Look at the disk, make room, and run again: it goes on where it stopped.",
            sqlite3.SQLITE_READONLY: "Make file and folder writable, or name a journal elsewhere.",
            sqlite3.SQLITE_CANTOPEN: "Name a file in a folder that exists and can be written to.",
            sqlite3.SQLITE_BUSY: "Another process is using it: wait for it to end.",
        }.get(code, "Give a journal of routesdk, or the path of a new one.")
        raise JournalError(str(path), f"the journal cannot be used ({error})", fix) from error


def _lay_out(database: sqlite3.Connection, path: Path, read_only: bool) -> None:
    (application_id,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application_id == APPLICATION_ID and tables:
        if version > SCHEMA_VERSION:
            raise JournalError(str(path), "it was written by a newer routesdk", "Upgrade routesdk.")
    elif application_id or tables or read_only:
        raise JournalError(str(path), "it is no journal of routesdk", "Give a journal, or a new path.")
    if read_only:
        return
    # A kill of the process loses nothing that was committed; a power cut may lose the last moments.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    # 16 MB of pages between two checkpoints: each waits for the disk.
    database.execute("PRAGMA wal_autocheckpoint = 4096")
    if not tables:
        database.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            database.execute(statement)
        database.execute("INSERT INTO meta VALUES ('uid', ?)", (uuid.uuid4().hex,))
        database.execute("COMMIT")
