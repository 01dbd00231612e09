"""Examples as JSONL: read as a stream, checked row by row, written so that they read back equal."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NoReturn, cast

import attrs

from routesdk._row import Row, kind_of
from routesdk.errors import ConfigError, DatasetError
from routesdk.structure import unstructure
from routesdk.types import Example, Outcome, Query, Usage

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class Fields:
    """Which fields of a row hold what; all others are passed over.

    Attributes:
        id: Field of the id: a string or a whole number, unique in the file.
        query: Field of the question. Under its usual name, a row may have
            `messages`, the whole conversation, beside it or in its place.
        reference: Field of the right answer, which every row must then have;
            None: the field `reference`, where a row has it.
        topic: Field of the topic, which every row must then have; None: the
            field `topic`, where a row has it.
        outcomes: Field of the models' outcomes; None to pass them over.
    """

    id: str = "id"
    query: str = "query"
    reference: str | None = None
    topic: str | None = None
    outcomes: str | None = "outcomes"


DEFAULT_FIELDS = Fields()
"""The names that `write_examples` writes."""


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, object]]]:
    """Read a JSONL file, one row at a time.

    Args:
        path: A `.jsonl` file, or one that is compressed and ends in `.gz`.

    Yields:
        The number of the line, from 1, and its object. Blank lines are passed over.

    Raises:
        ConfigError: The file cannot be read.
        DatasetError: A line is not UTF-8, no JSON or no object, or compressed
            data is damaged; the line is named.
    """
    file, line = Path(path), 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for line, raw in enumerate(cast("IO[bytes]", lines), start=1):
                text = raw.removeprefix(_BYTE_ORDER_MARK) if line == 1 else raw
                if text.strip():
                    yield line, _parse(text, file, line)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problem = f"the compressed data is damaged or cut short ({error})"
        raise DatasetError(str(file), line + 1, problem) from error
    except OSError as error:
        raise ConfigError(
            "path", str(file), f"cannot be read ({error.strerror})", "Check the path."
        ) from error


def read_examples(
    path: str | os.PathLike[str], *, fields: Fields = DEFAULT_FIELDS, require_outcomes: bool = False
) -> Iterator[Example]:
    """Read examples from a JSONL file, one at a time.

    A row: `{"id", "query" or "messages", "reference"?, "topic"?, "tags"?,
    "metadata"?, "outcomes"?: {MODEL: {"grade" or "score", "answer"?,
    "usage"?, "reason"?}}}`, where `usage` has the fields of `Usage`.
    Values of `metadata` that are no strings become their JSON text.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file.
        fields: The names of the fields.
        require_outcomes: Whether a row without outcomes is an error.

    Yields:
        The examples, in the file's order.

    Raises:
        ConfigError: The file cannot be read.
        DatasetError: A row cannot be used, or an id stands twice; the line is named.
    """
    seen = _Ids()
    for line, row in read_jsonl(path):
        example = example_from_row(row, source=str(path), line=line, fields=fields)
        if not seen.add(example.id):
            raise DatasetError(str(path), line, f"the id {example.id!r} stands in an earlier line already")
        if require_outcomes and not example.outcomes:
            raise DatasetError(str(path), line, f"it has no {fields.outcomes!r}")
        yield example


def example_from_row(
    row: Mapping[str, object], *, source: str = "row", line: int = 1, fields: Fields = DEFAULT_FIELDS
) -> Example:
    """Turn one row into an example.

    Args:
        row: A row as `read_examples` describes it.
        source: The file, for errors.
        line: Its line there, for errors.
        fields: The names of the fields.

    Raises:
        DatasetError: A field is missing, blank or of the wrong type.
    """
    return Row(row, source, line, fields).example()


def write_examples(path: str | os.PathLike[str], examples: Iterable[Example]) -> int:
    """Write examples as JSONL that `read_examples` reads back to equal ones.

    The file appears when all rows are written; until then, and where that
    fails, an earlier file stays. The same examples give the same bytes.

    Args:
        path: A `.jsonl` file, or one that ends in `.gz` and is compressed.
        examples: What to write; streamed.

    Returns:
        How many rows were written.

    Raises:
        DatasetError: An id is blank or stands twice.
        OSError: The file cannot be written.
    """
    file = Path(path)
    with replacing(file) as raw:
        if file.suffix == ".gz":
            # Neither name nor time in the header: equal rows are equal bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as compressed:
                return _write(compressed, examples, str(file))
        return _write(raw, examples, str(file))


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears when it is whole; until then, and where that fails, an earlier one stays.

    Raises:
        OSError: It cannot be written.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as raw:
            yield raw
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def example_to_row(example: Example) -> dict[str, object]:
    """Turn an example into the row that `example_from_row` reads back to an equal one."""
    query = example.query
    row: dict[str, object] = {"id": example.id, "query": query.text}
    if query.messages:
        row["messages"] = [{"role": turn.role, "content": turn.content} for turn in query.messages]
    if query.id != Query(query.text, query.messages).id:
        row["query_id"] = query.id
    if query.tags:
        row["tags"] = sorted(query.tags)
    if query.metadata:
        row["metadata"] = dict(query.metadata)
    if example.reference is not None:
        row["reference"] = example.reference
    if example.topic is not None:
        row["topic"] = example.topic
    if example.outcomes:
        row["outcomes"] = {model: _outcome_to_row(outcome) for model, outcome in example.outcomes.items()}
    return row


def _outcome_to_row(outcome: Outcome) -> dict[str, object]:
    row: dict[str, object] = (
        {"score": outcome.score} if outcome.grade is None else {"grade": outcome.grade.value}
    )
    if outcome.answer is not None:
        row["answer"] = outcome.answer
    if outcome.usage is not None:
        usual = unstructure(Usage())
        used = unstructure(outcome.usage).items()
        row["usage"] = {key: value for key, value in used if value != usual[key]}
    if outcome.reason:
        row["reason"] = outcome.reason
    return row


class _Ids:
    """Remembers ids in some 16 to 32 bytes each, where a set of them would take a hundred.

    It keeps their hashes, of 64 bits: that two of a million ids share one is
    out of all likelihood.
    """

    def __init__(self) -> None:
        # Open addressing: a hash lies in the first free place from its own on; 0 is a free place.
        self._places = array("Q", bytes(8 * 1024))
        self._count = 0

    def add(self, name: str) -> bool:
        """Remember an id; tells whether it is new."""
        # Steps from place to place stay short while half of the places are free.
        if 2 * self._count >= len(self._places):
            old, self._places = self._places, array("Q", bytes(16 * len(self._places)))
            for value in old:
                if value:
                    self._places[self._find(value)] = value
        value = (hash(name) & 0xFFFF_FFFF_FFFF_FFFF) or 1
        place = self._find(value)
        if self._places[place]:
            return False
        self._places[place] = value
        self._count += 1
        return True

    def _find(self, value: int) -> int:
        """Return where a hash is, or the free place where it belongs."""
        places = self._places
        last = len(places) - 1
        place = value & last
        while places[place] and places[place] != value:
            place = (place + 1) & last
        return place


def _write(file: IO[bytes] | gzip.GzipFile, examples: Iterable[Example], source: str) -> int:
    count, seen = 0, _Ids()
    for count, example in enumerate(examples, start=1):
        if not example.id.strip() or not seen.add(example.id):
            raise DatasetError(source, count, f"the id {example.id!r} is blank, or stands twice")
        # ASCII alone: lone surrogates have no UTF-8.
        file.write(json.dumps(example_to_row(example), allow_nan=False).encode("ascii") + b"\n")
    return count


def _parse(raw: bytes, file: Path, line: int) -> dict[str, object]:
    try:
        row = json.loads(raw.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise DatasetError(str(file), line, f"it is not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        problem = f"it is no JSON: {error.msg} (column {error.colno}), where each line is to hold one object"
        raise DatasetError(str(file), line, problem) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(str(file), line, f"it is no JSON that can be read: {error}") from error
    if not isinstance(row, dict):
        raise DatasetError(str(file), line, f"it is {kind_of(row)}, not an object with fields")
    return row


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
