"""Answers from a file: what a model once said to the same question."""

from __future__ import annotations

import difflib
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from operator import attrgetter

import attrs

from routesdk.errors import BackendError, ConfigError, DatasetError
from routesdk.plugins.recorded.index import key_of, read_recorded
from routesdk.plugins.recorded.lookup import Lookup, digest
from routesdk.types import Answer, Chunk, Request, Usage

# A word with the blanks after it, or blanks alone: the pieces joined are the text again.
_PIECE = re.compile(r"\S+\s*|\s+")

_TABLES = (
    "CREATE TABLE question (query BLOB NOT NULL)",
    "CREATE TABLE answer (query_model BLOB NOT NULL, digest BLOB NOT NULL, text BLOB NOT NULL, usage TEXT)",
)
# Made when the rows are in: sorting them at once is faster than finding each its place.
_INDEXES = (
    "CREATE INDEX asked ON question (query)",
    "CREATE INDEX answered ON answer (query_model, digest)",
)
_ASKED = "SELECT 1 FROM question WHERE query = ? LIMIT 1"
# The first answer, and whether another one differs from it.
_FIND = (
    "SELECT text, usage, digest <> (SELECT max(digest) FROM answer WHERE query_model = ?1)"
    " FROM answer WHERE query_model = ?1 ORDER BY digest, rowid LIMIT 1"
)

_USAGE = tuple(field.name for field in attrs.fields(Usage))
_values = attrgetter(*_USAGE)
# Amounts of money are written as text, exactly.
_ENCODER = json.JSONEncoder(default=str)


class RecordedBackend:
    """Answer with what a file has recorded; an index on disk finds it.

    Instructions, temperature and limits of a request are passed over: they
    cannot change what was once said.

    Args:
        path: The file.
        query_field: Field of the question.

    Raises:
        ConfigError: The file cannot be read, or its index cannot be written.
        DatasetError: A row cannot be used; file and line are named.
    """

    free = True
    """Nobody is paid: what usage was recorded tells of an earlier call."""

    def __init__(self, path: str | os.PathLike[str], *, query_field: str = "query") -> None:
        self._source = os.fspath(path)
        self._query_field = query_field
        self._models: set[str] = set()
        self._lookup = Lookup(self._source, partial(_fill, self._source, query_field, self._models))

    def __reduce__(self) -> tuple[Callable[[str], RecordedBackend], tuple[str]]:
        # Another process builds its own index of the file.
        return partial(RecordedBackend, query_field=self._query_field), (self._source,)

    async def generate(self, request: Request) -> Answer:
        """Return what the model once answered.

        Tokens and cost are as recorded, and None where they were not.

        Raises:
            BackendError: The file has no such question or model, did not keep
                the answer, or has several answers that differ.
        """
        query = digest(key_of(request.query))
        try:
            found = self._lookup.ask(_FIND, (digest(request.model, query),))
            if not found or found[0][2]:
                raise self._missing(request, query, disputed=bool(found))
        except (sqlite3.Error, ConfigError, DatasetError) as error:
            # The latter two in a process that was forked, and so had to build its own index.
            problem = f"the index of {self._source} cannot be read ({error})"
            raise BackendError("recorded", problem, retryable=True) from error
        text, usage, _ = found[0]
        return Answer(text=_read_text(text), model=request.model, usage=_read_usage(usage))

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Yield what the model once answered, word by word; the last chunk has the usage.

        Raises:
            BackendError: As for `generate`.
        """
        answer = await self.generate(request)
        for piece in _PIECE.findall(answer.text):
            yield Chunk(text=piece)
        yield Chunk(usage=answer.usage, finish_reason=answer.finish_reason)

    def _missing(self, request: Request, query: bytes, *, disputed: bool) -> BackendError:
        model, shown = request.model, ascii(request.query.text[:60])
        if model not in self._models:
            known = sorted(self._models)
            near = difflib.get_close_matches(model, known, n=1) or known
            problem = f"{self._source} has no model {model!r}; it has {', '.join(near)}"
        elif not self._lookup.ask(_ASKED, (query,)):
            problem = f"no row of {self._source} asks {shown}"
        elif disputed:
            problem = f"{self._source} has several answers of {model!r} to {shown}, which differ"
        else:
            problem = f"{self._source} has kept no answer of {model!r} to {shown}"
        # Asking a file again gives the same: never retryable.
        return BackendError("recorded", problem)


def _fill(source: str, query_field: str, models: set[str], database: sqlite3.Connection) -> None:
    for statement in _TABLES:
        database.execute(statement)
    for example in read_recorded(source, query_field):
        query = digest(key_of(example.query))
        database.execute("INSERT INTO question VALUES (?)", (query,))
        models.update(example.outcomes)
        for model, outcome in example.outcomes.items():
            if outcome.answer is not None:
                text = outcome.answer.encode("utf-8", "surrogatepass")
                row = (digest(model, query), digest(outcome.answer), text, _write_usage(outcome.usage))
                database.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", row)
    for statement in _INDEXES:
        database.execute(statement)


def _read_text(text: object) -> str:
    assert isinstance(text, bytes)
    return text.decode("utf-8", "surrogatepass")


def _write_usage(usage: Usage | None) -> str | None:
    # The converter that reads config files would take longer than all the rest.
    return None if usage is None else _ENCODER.encode(_values(usage))


def _read_usage(usage: object) -> Usage:
    return Usage(**dict(zip(_USAGE, json.loads(usage), strict=True))) if isinstance(usage, str) else Usage()
