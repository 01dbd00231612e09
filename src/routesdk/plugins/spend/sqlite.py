"""A count of money in one SQLite file, shared by threads and processes."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from routesdk.errors import BudgetError
from routesdk.plugins.spend.limit import within
from routesdk.types import Reservation, Spend, from_nano, to_nano

# "rsdk": marks the file as ours, so that no other program's database is written to.
_APPLICATION_ID = int.from_bytes(b"rsdk")
_SCHEMA_VERSION = 1
# `typeof` stops a sum that no longer fits 64 bits from becoming an inexact float.
_SCHEMA = (
    "CREATE TABLE account (settled_nano INTEGER NOT NULL"
    " CHECK (typeof(settled_nano) = 'integer' AND settled_nano >= 0))",
    "CREATE TABLE reservation (id TEXT PRIMARY KEY, reserved_nano INTEGER NOT NULL"
    " CHECK (typeof(reserved_nano) = 'integer' AND reserved_nano >= 0)) WITHOUT ROWID",
    "INSERT INTO account VALUES (0)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)
# One statement sees one state of the file, whatever others write meanwhile.
_SUMS = "SELECT (SELECT settled_nano FROM account), COALESCE((SELECT SUM(reserved_nano) FROM reservation), 0)"


class SQLiteSpend:
    """Count money in a file; what was settled is there again when it is opened next.

    Amounts are whole nano-dollars; what is finer is rounded up. A reservation
    that was never settled, because its process died, stays reserved and
    counts against budgets.

    Args:
        path: The file; it is made where there is none, its folder is not.
        busy_timeout_s: Seconds to wait for another process that is writing.

    Raises:
        BudgetError: The file cannot be opened, is no spend file, or was
            written by a newer routesdk.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_s: float = 30.0) -> None:
        self._path = Path(path)
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        with self._database():
            pass

    def snapshot(self) -> Spend:
        """Return what has been settled and reserved until now.

        Raises:
            BudgetError: The file cannot be read.
        """
        with self._database() as database:
            settled, reserved = database.execute(_SUMS).fetchone()
        return Spend(settled_usd=from_nano(settled), reserved_usd=from_nano(reserved))

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        """Set money aside for a call that is about to be made.

        Args:
            cost: US dollars; what is finer than a nano-dollar is rounded up.
            limit: US dollars that settled, reserved and this may come to; None for no
                limit. Looking and reserving are one step: threads and processes
                together never exceed it.

        Raises:
            BudgetError: The limit would be exceeded, or the file cannot be written.
            ConfigError: An amount is negative or not finite.
        """
        nano = to_nano(cost)
        reservation = Reservation(uuid.uuid4().hex, from_nano(nano))
        with self._database() as database, database:
            # Nobody else writes between the look at the sums and the entry.
            database.execute("BEGIN IMMEDIATE")
            if limit is not None:
                settled, reserved = database.execute(_SUMS).fetchone()
                within(settled + reserved, nano, limit)
            database.execute("INSERT INTO reservation VALUES (?, ?)", (reservation.id, nano))
        return reservation

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        """Replace a reservation by what the call cost.

        Args:
            reservation: What `reserve` returned, in this process or another.
            cost: US dollars; what is finer than a nano-dollar is rounded up.

        Raises:
            BudgetError: The reservation is unknown, or settled already, or the
                file cannot be written.
            ConfigError: The amount is negative or not finite; the reservation stays open.
        """
        nano = to_nano(cost)
        with self._database() as database, database:
            database.execute("BEGIN IMMEDIATE")
            gone = database.execute("DELETE FROM reservation WHERE id = ?", (reservation.id,))
            if gone.rowcount != 1:
                raise BudgetError(
                    f"Reservation {reservation.id} is unknown in {self._path}, or settled already",
                    "Settle each reservation once, with the source that gave it.",
                )
            database.execute("UPDATE account SET settled_nano = settled_nano + ?", (nano,))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to one thread, and name the file in whatever SQLite reports."""
        with self._lock:
            try:
                # SQLite's connections do not survive a fork: each process opens its own.
                if self._connection is None or self._pid != os.getpid():
                    self._connection = _open(self._path, self._busy_timeout_s)
                    self._pid = os.getpid()
                yield self._connection
            except sqlite3.Error as error:
                raise BudgetError(
                    f"The spend file {self._path} cannot be used ({error})",
                    "Give a SQLite spend file, or a new one in a folder that can be written to.",
                ) from error


def _open(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file, and lay it out if it is new."""
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _lay_out(connection, path, busy_timeout_s)
    except (sqlite3.Error, BudgetError):
        connection.close()
        raise
    return connection


def _lay_out(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
    if _is_ours(connection, path):
        return
    _write_ahead(connection, busy_timeout_s)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have laid the file out since we looked.
        if not _is_ours(connection, path):
            for statement in _SCHEMA:
                connection.execute(statement)


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell a spend file from an empty one; anything else is refused."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application_id == _APPLICATION_ID and version > _SCHEMA_VERSION:
        raise BudgetError(f"The spend file {path} was written by a newer routesdk", "Upgrade routesdk.")
    if application_id == _APPLICATION_ID and tables:
        return True
    if application_id or tables:
        raise BudgetError(
            f"{path} is a SQLite file of another program",
            "Give a spend file, or a path where nothing is yet.",
        )
    return False


def _write_ahead(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Switch to write-ahead logging, so that readers and a writer do not block each other."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself when two processes switch a new file at once.
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
