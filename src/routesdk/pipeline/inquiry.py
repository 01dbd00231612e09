"""What people ask, read from lines of text and from plain data: the same in files, on wires, in commands."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

from routesdk.errors import InvalidQueryError
from routesdk.types import Query

QUERY_KEYS = frozenset({"query", "messages", "id", "tags"})
"""The keys that a query has as plain data."""


def query_of_row(row: object) -> Query:
    """Read a query from plain data: `query` or `messages`, and optionally `id` and `tags`.

    Raises:
        InvalidQueryError: It has neither, or they are no query.
    """
    if not isinstance(row, Mapping):
        raise InvalidQueryError(f"it is {type(row).__name__}, not an object", "Give an object with 'query'.")
    asked = row.get("messages")
    if asked is None:
        asked = row.get("query")
    if asked is None:
        raise InvalidQueryError("the JSON has neither 'query' nor 'messages'")
    tags, identity = row.get("tags") or (), row.get("id")
    if not isinstance(tags, (list, tuple)):
        raise InvalidQueryError(f"its tags are {tags!r}", "Give a list of strings.")
    query = Query.of(asked, tags=tags)
    return query if identity is None else attrs.evolve(query, id=str(identity))


def query_of_line(text: str) -> Query:
    """Read a query from a line: JSON where it begins with `{`, the question itself otherwise.

    Raises:
        InvalidQueryError: It is no query.
        ValueError: It begins like JSON, and is none.
        RecursionError: It is nested too deeply.
    """
    return query_of_row(json.loads(text)) if text.startswith("{") else Query.of(text)
