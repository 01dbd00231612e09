"""The rows of a file of recorded outcomes, to be found by what was asked."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from routesdk.dataset import Fields, example_from_row, read_jsonl
from routesdk.errors import DatasetError
from routesdk.types import Example, Query

# Composing a run of combining marks takes time that grows with the square of its length.
_MOST_COMPOSED = 20_000


def read_recorded(path: str | os.PathLike[str], query_field: str) -> Iterator[Example]:
    """Read the questions of a file, each with at least one outcome.

    Raises:
        ConfigError: The file cannot be read.
        DatasetError: A row cannot be used; file and line are named.
    """
    source = str(Path(path))
    for line, row in read_jsonl(path):
        example = example_from_row(row, source=source, line=line, fields=Fields(query=query_field))
        if not example.outcomes:
            raise DatasetError(source, line, "it has no 'outcomes'")
        yield example


def key_of(query: Query) -> str:
    """Return what two queries share if they ask the same.

    Letters' case, the form of composed characters and the width of blanks
    make no difference. A conversation of one turn asks what its turn asks.
    """
    turns = query.messages if len(query.messages) > 1 else ()
    return "\x00".join([normal(query.text), *(f"{turn.role}\x00{normal(turn.content)}" for turn in turns)])


def normal(text: str) -> str:
    """Return a text without differences of case, composition and blanks."""
    composed = unicodedata.normalize("NFC", text) if len(text) <= _MOST_COMPOSED else text
    return " ".join(composed.casefold().split())
