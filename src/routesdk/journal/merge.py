"""One journal divided over machines, and put together again: nothing lost, nothing doubled."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from routesdk.errors import JournalError
from routesdk.journal.record import Row
from routesdk.journal.schema import connect, telling
from routesdk.journal.store import Journal

_CALLS = (
    "INSERT OR IGNORE INTO shard.call SELECT * FROM main.call"
    " WHERE question IN (SELECT question FROM shard.row)"
)
_MERGE = (
    # A grade belongs to the text that it was given for: a row whose answer is another one here is left to do.
    "CREATE TEMP TABLE gained AS SELECT theirs.id AS id FROM shard.row AS theirs JOIN main.row AS ours"
    " ON ours.id = theirs.id AND ours.digest = theirs.digest WHERE theirs.done = 1 AND ours.done = 0"
    " AND NOT EXISTS (SELECT 1 FROM shard.outcome AS found"
    " JOIN shard.call AS new ON new.key = found.answer_key JOIN main.call AS old ON old.key = new.key"
    " WHERE found.row = theirs.id AND old.text <> new.text)",
    "INSERT OR IGNORE INTO main.prompt SELECT * FROM shard.prompt",
    "INSERT OR IGNORE INTO main.call SELECT * FROM shard.call",
    "INSERT INTO main.attempt (key, role, provider, model, state, reserved_nano, cost_nano, input_tokens,"
    " output_tokens, begun, problem)"
    # The machine may be gone: what it had under way may have been billed.
    " SELECT key, role, provider, model, CASE state WHEN 'reserved' THEN 'unknown' ELSE state END,"
    " reserved_nano, cost_nano, input_tokens, output_tokens, begun, problem FROM shard.attempt ORDER BY id",
    "DELETE FROM main.outcome WHERE row IN (SELECT id FROM gained)",
    "INSERT INTO main.outcome SELECT * FROM shard.outcome WHERE row IN (SELECT id FROM gained)",
    "UPDATE main.row SET done = 1,"
    " analysis = (SELECT analysis FROM shard.row WHERE shard.row.id = main.row.id),"
    " problem = (SELECT problem FROM shard.row WHERE shard.row.id = main.row.id)"
    " WHERE id IN (SELECT id FROM gained)",
    "DROP TABLE gained",
)


def parts_in(folder: Path) -> list[Path]:
    """Return the parts that `partition` wrote to a folder, and that nobody has merged or removed since."""
    return sorted(folder.glob(_part_name("*")))


def _part_name(number: str) -> str:
    return f"part-{number}.sqlite"


def partition(journal: Journal, folder: Path, count: int, about: Mapping[str, str]) -> tuple[Path, ...]:
    """Divide the rows that are not finished over journals of their own.

    Rows that ask the same go to the same part, so that no call is made twice;
    replies that are settled already go along.

    Args:
        journal: The journal.
        folder: Where the parts are written; it must hold none of them yet.
        count: How many parts; fewer where there are fewer rows.
        about: What each part is to remember, such as its share of the budget.

    Returns:
        The parts that have rows.

    Raises:
        JournalError: A part is there already, or cannot be written.
    """
    parts = []
    for number in range(count):
        file = folder / _part_name(f"{number:03d}")
        if file.exists():
            raise JournalError(str(file), "a part of an earlier run is in the way", "Merge it, or remove it.")
        with Journal(file) as part:
            rows = part.begin((row for row in journal.pending() if _place(row, count) == number), about)
        if not rows:
            remove(file)
            continue
        with _attached(journal.path, file) as database:
            database.execute("INSERT OR IGNORE INTO shard.prompt SELECT * FROM main.prompt")
            database.execute(_CALLS)
        parts.append(file)
    return tuple(parts)


def merge(journal: Journal, part: Path) -> None:
    """Take in what a part found out, and remove it.

    A part that was taken in before, by a run that was killed before it could
    remove the file, is only removed.

    Args:
        journal: The journal that the part came from.
        part: The part.

    Raises:
        JournalError: The part is no journal, is being written, or this one cannot be written.
    """
    if not part.is_file():
        raise JournalError(
            str(part), "there is no such part", "Let the executor return the journal of a part."
        )
    # Opened as a writer first: nobody else may be writing it, and its open attempts become unknown.
    with Journal(part) as theirs:
        uid = theirs.view.about()["uid"]
    with _attached(journal.path, part) as database:
        if not database.execute("SELECT 1 FROM main.merged WHERE uid = ?", (uid,)).fetchone():
            for statement in _MERGE:
                database.execute(statement)
            database.execute("INSERT INTO main.merged VALUES (?)", (uid,))
    journal.refresh()
    remove(part)


def occupied(journal: Journal, count: int) -> int:
    """Return how many of so many parts would have rows."""
    return len({_place(row, count) for row in journal.pending()})


def _place(row: Row, count: int) -> int:
    return int(row.question, 16) % count


@contextlib.contextmanager
def _attached(path: Path, part: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal with a part beside it, in one transaction over both."""
    with telling(path):
        database = connect(path)
        try:
            database.execute("ATTACH DATABASE ? AS shard", (str(part),))
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        finally:
            database.close()


def remove(file: Path) -> None:
    """Remove a part, with what SQLite has beside it."""
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)
