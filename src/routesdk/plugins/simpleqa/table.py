"""The CSV file of SimpleQA, read row by row: every fault is named with its line and column."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from pathlib import Path

import attrs

from routesdk.errors import ConfigError, DatasetError
from routesdk.types import Example, Query

COLUMNS = ("metadata", "problem", "answer")
"""The columns of the published file; a copy may have them in any order, and others beside them."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@attrs.define
class _Lines:
    """The file's lines as text, keeping those of the record that is being read.

    Attributes:
        path: The file.
        number: How many lines have been read.
        record: The lines of the record so far.
    """

    path: Path
    number: int = 0
    record: list[str] = attrs.field(factory=list)

    @property
    def first(self) -> int:
        """The line that the record begins in."""
        return self.number - len(self.record) + 1

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as raw:
            for line in raw:
                self.number += 1
                body = line.removeprefix(_BYTE_ORDER_MARK) if self.number == 1 else line
                try:
                    text = body.decode("utf-8")
                except UnicodeDecodeError as error:
                    self.record.append(body[: error.start].decode("utf-8"))
                    column = _column_reached("".join(self.record))
                    problem = f"column {column} is not UTF-8 (byte {error.start + 1} of the line)"
                    raise DatasetError(str(self.path), self.number, problem) from error
                self.record.append(text)
                yield text


def read_table(path: Path) -> Iterator[Example]:
    """Read the rows of a CSV file that has the form of SimpleQA's.

    Args:
        path: The file.

    Yields:
        One example a row; its id is the row's number, from 0, in the whole file.

    Raises:
        ConfigError: The file cannot be read.
        DatasetError: It is no such CSV, or a row is malformed.
    """
    lines = _Lines(path)
    try:
        records = csv.reader(lines, strict=True)
        header = _next_record(records, lines)
        if header is None:
            raise DatasetError(str(path), 1, "the file is empty: it has no header")
        places = _places(header, path)
        number = 0
        while (fields := _next_record(records, lines)) is not None:
            if not fields:
                continue  # a blank line, as at the end of many files
            yield _example(fields, header, places, number, (path, lines.first))
            number += 1
    except OSError as error:
        fix = "Check the path; without 'file' the published file is downloaded."
        raise ConfigError("file", str(path), f"cannot be read ({error.strerror})", fix) from error
    if number == 0:
        raise DatasetError(str(path), lines.number, "the file ends here and has no row below its header")


def _next_record(records: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    lines.record.clear()
    try:
        return next(records, None)
    except csv.Error as error:
        column = _column_reached("".join(lines.record))
        # The reader looks for the end of a quoted field in all lines that follow.
        reached = f" up to line {lines.number}" if lines.number > lines.first else ""
        hint = "quotes must be balanced, and doubled inside"
        problem = f"column {column} is no valid CSV{reached}: {error} ({hint})"
        if "field limit" in str(error):
            limit = f"a field has more than {csv.field_size_limit():,} characters{reached}"
            problem = f"{limit}: its text is too long, or a quote is missing at its end ({hint})"
        raise DatasetError(str(lines.path), lines.first, problem) from error


def _column_reached(record: str) -> int:
    """Count the columns that a record has up to its first fault, or its end."""
    column, quoted, at = 1, False, 0
    start = True
    while at < len(record):
        char = record[at]
        if quoted and char == '"':
            after = record[at + 1 : at + 2]
            if after == '"':
                at += 1
            elif after and after not in ",\r\n":
                return column
            else:
                quoted = False
        elif not quoted and char == '"' and start:
            quoted = True
        elif not quoted and char == ",":
            column += 1
        start = not quoted and char == ","
        at += 1
    return column


def _places(header: list[str], path: Path) -> dict[str, int]:
    names = [name.strip() for name in header]
    for column in COLUMNS:
        if column not in names:
            found = ", ".join(map(repr, names)) or "none"
            raise DatasetError(str(path), 1, f"the header has no column {column!r}; its columns are {found}")
        if names.count(column) > 1:
            raise DatasetError(str(path), 1, f"the header has the column {column!r} twice")
    return {column: names.index(column) for column in COLUMNS}


def _example(
    fields: list[str], header: list[str], places: dict[str, int], number: int, where: tuple[Path, int]
) -> Example:
    source, line = str(where[0]), where[1]
    if len(fields) < len(header):
        problem = (
            f"column {header[len(fields)]!r} is missing: there are {len(fields)} of {len(header)} fields"
        )
        raise DatasetError(source, line, problem)
    if len(fields) > len(header):
        problem = (
            f"there are {len(fields)} fields and {len(header)} columns: something follows column"
            f" {header[-1]!r}, or a field that holds a comma is not in quotes"
        )
        raise DatasetError(source, line, problem)
    row = {column: fields[place].strip() for column, place in places.items()}
    for column, value in row.items():
        if not value:
            raise DatasetError(source, line, f"column {column!r} is blank")
        if "\0" in value:
            raise DatasetError(source, line, f"column {column!r} holds a NUL byte")
    topic, answer_type = _read_metadata(row["metadata"], source, line)
    query = Query(row["problem"], metadata={} if answer_type is None else {"answer_type": answer_type})
    return Example(id=str(number), query=query, reference=row["answer"], topic=topic)


def _read_metadata(text: str, source: str, line: int) -> tuple[str | None, str | None]:
    """Read the topic and the type of the answer from the literal of a Python dictionary."""
    try:
        metadata = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        # Some of these errors say nothing, and what others say is many lines long.
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        problem = f"column 'metadata' is no dictionary of plain values: {said}"
        raise DatasetError(source, line, problem) from error
    if not isinstance(metadata, dict):
        kind = type(metadata).__name__
        raise DatasetError(source, line, f"column 'metadata' is a {kind}, not a dictionary")
    found: list[str | None] = []
    for key in ("topic", "answer_type"):
        value = metadata.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            problem = f"column 'metadata' has the {key!r} {str(value)[:40]!r}, which is no text"
            raise DatasetError(source, line, problem)
        found.append(value)
    return found[0], found[1]
