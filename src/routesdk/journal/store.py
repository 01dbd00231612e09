"""The one writer of a journal: rows to do, attempts with their money, replies, outcomes."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from routesdk._lock import sole_writer
from routesdk.dataset import example_to_row
from routesdk.errors import DatasetError, JournalError
from routesdk.journal.record import Call, Ledger, Row, TierOutcome
from routesdk.journal.schema import connect, telling
from routesdk.journal.view import JournalView, row_of
from routesdk.types import Answer, Usage, to_nano

_PAGE_ROWS = 256


class Journal:
    """Write a run down as it happens; use it in one thread, as a context manager.

    What is committed survives a kill at any moment. A call is reserved before
    it is made, and settled, failed or unknown after: an attempt that was still
    reserved when the process died becomes unknown when the journal is opened
    next, and its worst case counts as spent.

    Args:
        path: The file; it is made where there is none, its folder is not.

    Raises:
        JournalError: The file cannot be used, or another run is writing it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Two names of one file are one journal, and one lock.
        self.path = Path(path).resolve()
        self._gathering = False
        self._stack = contextlib.ExitStack()
        lock = self.path.with_name(f"{self.path.name}.lock")
        busy = JournalError(
            str(self.path), "another run is writing this journal", "Wait for it, or name another journal."
        )
        try:
            self._stack.enter_context(sole_writer(lock, 0.0, busy=busy))
        except OSError as error:
            fix = "Name a file in a folder that exists and can be written to."
            raise JournalError(str(self.path), f"cannot be written ({error.strerror})", fix) from error
        try:
            self._database = connect(self.path)
            self._stack.callback(self._database.close)
            with self._writing():
                self._database.execute(
                    "UPDATE attempt SET state = 'unknown', problem = 'the run ended before the call did'"
                    " WHERE state = 'reserved'"
                )
            self._ledger = self.view.ledger()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what was gathered, close the file, and let others write it."""
        try:
            self.commit()
        finally:
            self._stack.close()

    @property
    def view(self) -> JournalView:
        """The reading half, over the same connection."""
        return JournalView(self._database, self.path)

    @property
    def ledger(self) -> Ledger:
        """What the run has cost until now, earlier sittings included."""
        return self._ledger

    def refresh(self) -> None:
        """Add the money up anew, after something else has written to the file."""
        self._ledger = self.view.ledger()

    def begin(self, rows: Iterable[Row], about: Mapping[str, str]) -> int:
        """Register the rows of a run, all or none of them.

        A row that an earlier sitting finished stays finished where its digest
        is the same. Rows of other runs stay in the file, and are no part of this one.

        Args:
            rows: The rows; streamed.
            about: What to remember of the run, such as its config.

        Returns:
            How many rows there are.

        Raises:
            DatasetError: An id stands twice.
            JournalError: The file cannot be written.
        """
        count = 0
        with self._writing() as database:
            database.execute("UPDATE row SET current = 0 WHERE current = 1")
            for key, value in about.items():
                database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
            for row in rows:
                self._register(database, row)
                count += 1
            # What was found out about a row that has changed is not true of it any more.
            database.execute(
                "DELETE FROM outcome WHERE row IN (SELECT id FROM row WHERE current = 1 AND done = 0)"
            )
        return count

    def _register(self, database: sqlite3.Connection, row: Row) -> None:
        example = json.dumps(example_to_row(row.example))
        values = (row.example.id, row.position, row.digest, row.question, example)
        changed = database.execute(
            "INSERT INTO row (id, position, digest, question, example, current, done)"
            " VALUES (?, ?, ?, ?, ?, 1, 0)"
            " ON CONFLICT (id) DO UPDATE SET position = excluded.position, example = excluded.example,"
            " question = excluded.question, current = 1, done = (done AND digest = excluded.digest),"
            " digest = excluded.digest"
            " WHERE current = 0",
            values,
        )
        if changed.rowcount != 1:
            problem = f"the id {row.example.id!r} stands at an earlier row already"
            raise DatasetError("benchmark", row.position + 1, problem)

    def pending(self) -> Iterator[Row]:
        """Yield the rows that are not finished, in order, a page in memory at a time."""
        after = -1
        while True:
            with telling(self.path):
                page = self._database.execute(
                    "SELECT example, digest, position FROM row WHERE current = 1 AND done = 0"
                    " AND position > ? ORDER BY position LIMIT ?",
                    (after, _PAGE_ROWS),
                ).fetchall()
            if not page:
                return
            yield from (row_of(*found) for found in page)
            after = page[-1][2]

    def reopen_unscored(self) -> int:
        """Make finished rows without a grade, or a reason that may be used, pending again; count them."""
        with self._writing() as database:
            found = database.execute(
                "UPDATE row SET done = 0 WHERE current = 1 AND done = 1"
                " AND (problem <> '' OR id IN (SELECT row FROM outcome WHERE grade IS NULL))"
            )
            return found.rowcount

    def remember(self, key: str, value: str) -> None:
        """Store one more thing about the run."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def keep_prompt(self, digest: str, text: str) -> None:
        """Store an instruction under the hash that calls name."""
        with self._writing(at_once=False) as database:
            database.execute("INSERT OR IGNORE INTO prompt VALUES (?, ?)", (digest, text))

    def reply(self, key: bytes) -> Answer | None:
        """Return the settled reply of a call; None where it must still be made."""
        return self.view.reply(key)

    def reserve(self, call: Call, worst_nano: int) -> int:
        """Note that a call is about to be made, with what it may cost at the most.

        Args:
            call: The call.
            worst_nano: Nano-dollars.

        Returns:
            The attempt's number.

        Raises:
            JournalError: The file cannot be written; the call must then not be made.
        """
        with self._writing() as database:
            attempt = database.execute(
                "INSERT INTO attempt (key, role, provider, model, state, reserved_nano, begun)"
                " VALUES (?, ?, ?, ?, 'reserved', ?, ?)",
                (call.key, call.role, call.provider, call.model, worst_nano, _now()),
            ).lastrowid
        self._move(open_nano=worst_nano)
        assert attempt is not None
        return attempt

    def settle(
        self, attempt: int, worst_nano: int, call: Call, answer: Answer, *, free: bool = False
    ) -> None:
        """Store a reply with what it cost; the call is then never made again.

        A reply whose cost is not known counts with its worst case from then on;
        where nothing was reserved, only its tokens are counted.

        Args:
            attempt: What `reserve` returned.
            worst_nano: What was reserved, in nano-dollars.
            call: The call.
            answer: The reply; its usage has the cost, or None where that is not known.
            free: Whether the call cost nothing, whatever its usage says of an earlier one.

        Raises:
            JournalError: The file cannot be written.
        """
        usage = answer.usage
        cost = None if usage.cost_usd is None else to_nano(usage.cost_usd)
        charged = 0 if free else cost
        unknown = charged is None and worst_nano > 0
        with self._writing(at_once=False) as database:
            self._end(attempt, "unknown" if unknown else "settled", charged, usage, "")
            database.execute(
                "INSERT OR REPLACE INTO call VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(
                        call.key,
                        call.role,
                        call.question,
                        call.provider,
                        call.model,
                        call.prompt,
                        call.sample,
                    ),
                    *map(_storable, (answer.model, answer.text, answer.finish_reason)),
                    *(usage.input_tokens, usage.output_tokens, usage.thinking_tokens),
                    *(usage.cached_input_tokens, cost, usage.latency_s),
                ),
            )
        self._move(
            open_nano=-worst_nano, settled_nano=charged or 0, unknown_nano=worst_nano if unknown else 0
        )

    def fail(
        self,
        attempt: int,
        worst_nano: int,
        problem: str,
        *,
        unknown: bool = False,
        usage: Usage | None = None,
    ) -> None:
        """Note that a call brought no reply.

        Args:
            attempt: What `reserve` returned.
            worst_nano: What was reserved, in nano-dollars.
            problem: Why.
            unknown: Whether it may have been billed: its worst case then counts as spent.
            usage: What the provider counted and charged nevertheless.

        Raises:
            JournalError: The file cannot be written.
        """
        # What was counted and has no price is open, and not nothing.
        cost = 0 if usage is None else None if usage.cost_usd is None else to_nano(usage.cost_usd)
        state = "unknown" if unknown else "settled" if usage is not None else "failed"
        with self._writing(at_once=False):
            self._end(attempt, state, None if unknown else cost, usage, problem)
        if unknown:
            self._move(open_nano=-worst_nano, unknown_nano=worst_nano)
        else:
            self._move(open_nano=-worst_nano, settled_nano=cost or 0)

    def finish(self, row: Row, outcomes: Iterable[TierOutcome], analysis: str, problem: str) -> None:
        """Store what was found out about a row; nothing is left to do for it.

        Args:
            row: The row.
            outcomes: One a tier, cheapest first.
            analysis: The analyst's reason.
            problem: Why the reason may not be used; empty where it may.

        Raises:
            JournalError: The file cannot be written.
        """
        name = row.example.id
        with self._writing(at_once=False) as database:
            database.execute("DELETE FROM outcome WHERE row = ?", (name,))
            database.executemany(
                "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(name, place, each.model, None if each.grade is None else each.grade.value),
                        *(_storable(each.reason), each.answer_key, each.verdict_key),
                    )
                    for place, each in enumerate(outcomes)
                ],
            )
            database.execute(
                "UPDATE row SET done = 1, analysis = ?, problem = ? WHERE id = ?",
                (_storable(analysis), _storable(problem), name),
            )

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """Commit the ends of calls together with the next reservation, or with `commit`.

        A slot whose call has ended makes no further one before a reservation is
        committed, and with it all that was written before. So a kill loses no
        more than calls that were under way: as many as there are slots.
        """
        self._gathering = True
        try:
            yield
        finally:
            self._gathering = False
            self.commit()

    def commit(self) -> None:
        """Commit what was gathered.

        Raises:
            JournalError: The file cannot be written.
        """
        if self._database.in_transaction:
            with telling(self.path):
                self._database.execute("COMMIT")

    @contextlib.contextmanager
    def _writing(self, *, at_once: bool = True) -> Iterator[sqlite3.Connection]:
        """Write all of something, or nothing; commit it, unless it may be gathered."""
        database = self._database
        with telling(self.path):
            if not database.in_transaction:
                database.execute("BEGIN IMMEDIATE")
            database.execute("SAVEPOINT written")
            try:
                yield database
                database.execute("RELEASE written")
                if at_once or not self._gathering:
                    database.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back by itself already.
                if database.in_transaction:
                    database.execute("ROLLBACK TO written")
                    database.execute("RELEASE written")
                    if not self._gathering:
                        database.execute("ROLLBACK")
                raise

    def _end(
        self, attempt: int, state: str, cost_nano: int | None, usage: Usage | None, problem: str
    ) -> None:
        tokens = (None, None) if usage is None else (usage.input_tokens, usage.output_tokens)
        found = self._database.execute(
            "UPDATE attempt SET state = ?, cost_nano = ?, input_tokens = ?, output_tokens = ?, problem = ?"
            " WHERE id = ? AND state = 'reserved'",
            (state, cost_nano, *tokens, _storable(problem), attempt),
        )
        if found.rowcount != 1:
            fix = "Let one run write a journal at a time, and run again."
            raise JournalError(str(self.path), f"attempt {attempt} was ended by somebody else", fix)

    def _move(self, *, settled_nano: int = 0, unknown_nano: int = 0, open_nano: int = 0) -> None:
        ledger = self._ledger
        self._ledger = Ledger(
            settled_nano=ledger.settled_nano + settled_nano,
            unknown_nano=ledger.unknown_nano + unknown_nano,
            open_nano=ledger.open_nano + open_nano,
        )


def _storable(text: str) -> str:
    # SQLite stores UTF-8, which has no lone surrogates.
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
