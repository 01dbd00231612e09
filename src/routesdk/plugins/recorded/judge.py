"""Verdicts from a file: how the very same answer was once graded."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import partial

from routesdk.errors import ConfigError, DatasetError, InvalidQueryError
from routesdk.plugins.recorded.index import key_of, normal, read_recorded
from routesdk.plugins.recorded.lookup import Lookup, digest
from routesdk.types import Grade, Query, Unscored, Verdict

_TABLES = (
    "CREATE TABLE question (query BLOB NOT NULL)",
    # One row an outcome; none names its model.
    "CREATE TABLE outcome (query_answer BLOB NOT NULL, grade TEXT NOT NULL, reference BLOB NOT NULL)",
    "CREATE TABLE verdict (query_answer BLOB NOT NULL, grade TEXT NOT NULL, reference BLOB NOT NULL,"
    " PRIMARY KEY (query_answer, grade, reference)) WITHOUT ROWID",
)
# Made when the rows are in: sorting them at once is faster than finding each its place.
_INDEXES = (
    "CREATE INDEX asked ON question (query)",
    "INSERT OR IGNORE INTO verdict SELECT query_answer, grade, reference FROM outcome ORDER BY 1, 2, 3",
    "DROP TABLE outcome",
)
_ASKED = "SELECT 1 FROM question WHERE query = ? LIMIT 1"
_FIND = "SELECT grade, reference FROM verdict WHERE query_answer = ?"
_NO_GRADE, _NO_REFERENCE = "", b""


class RecordedJudge:
    """Grade an answer by the verdict that a file has recorded for it; an index on disk finds it.

    Blind: neither the verdict nor its reason depends on or names the model.

    Args:
        path: The file.
        query_field: Field of the question.

    Raises:
        ConfigError: The file cannot be read, or its index cannot be written.
        DatasetError: A row cannot be used; file and line are named.
    """

    def __init__(self, path: str | os.PathLike[str], *, query_field: str = "query") -> None:
        self._source = os.fspath(path)
        self._query_field = query_field
        self._lookup = Lookup(self._source, partial(_fill, self._source, query_field))

    def __reduce__(self) -> tuple[Callable[[str], RecordedJudge], tuple[str]]:
        # Another process builds its own index of the file.
        return partial(RecordedJudge, query_field=self._query_field), (self._source,)

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Return the recorded verdict of this answer, to the letter but for blanks around it.

        Args:
            question: What was asked.
            reference: The right answer; a verdict that was given against
                another one does not count. Rows without one fit any.
            answer: The answer's text.

        Returns:
            The verdict; `Unscored` where the file has none, or several that differ.
        """
        try:
            query = digest(key_of(Query(question)))
        except InvalidQueryError as error:
            return Unscored(f"no question: {error.problem}")
        try:
            if not self._lookup.ask(_ASKED, (query,)):
                return Unscored("no recorded row asks this question")
            found = self._lookup.ask(_FIND, (digest(answer.strip(), query),))
        except (sqlite3.Error, ConfigError, DatasetError) as error:
            # The latter two in a process that was forked, and so had to build its own index.
            return Unscored(f"the index of the recorded verdicts cannot be read ({error})")
        return _verdict({str(grade) for grade, _ in found}, {each for _, each in found}, reference)


def _fill(source: str, query_field: str, database: sqlite3.Connection) -> None:
    for statement in _TABLES:
        database.execute(statement)
    for example in read_recorded(source, query_field):
        query = digest(key_of(example.query))
        database.execute("INSERT INTO question VALUES (?)", (query,))
        reference = _NO_REFERENCE if example.reference is None else digest(normal(example.reference))
        for outcome in example.outcomes.values():
            if outcome.answer is not None:
                grade = _NO_GRADE if outcome.grade is None else outcome.grade.value
                row = (digest(outcome.answer.strip(), query), grade, reference)
                database.execute("INSERT INTO outcome VALUES (?, ?, ?)", row)
    for statement in _INDEXES:
        database.execute(statement)


def _verdict(grades: set[str], references: set[object], reference: str) -> Verdict | Unscored:
    """Return the verdict that these grades of one answer, against these references, come to."""
    if not grades:
        return Unscored("no verdict on this answer was recorded")
    # Rows without a reference fit any.
    against = references - {_NO_REFERENCE}
    if against and digest(normal(reference)) not in against:
        return Unscored("the verdict was recorded against another reference")
    if _NO_GRADE in grades:
        return Unscored("a score was recorded, not a grade")
    if len(grades) > 1:
        return Unscored("the recorded verdicts on this answer differ")
    return Verdict(Grade(grades.pop()), "recorded verdict on this very answer")
