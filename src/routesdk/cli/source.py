"""Where the queries of a command come from: an argument, a file, standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from routesdk.cli.console import errors, printable
from routesdk.errors import ConfigError, DatasetError, InvalidQueryError
from routesdk.pipeline.inquiry import query_of_line
from routesdk.types import Query


def read_queries(arguments: list[str], file: Path | None, command: str = "route") -> Iterator[Query]:
    """Yield queries from arguments, or from a file of one a line; `-` and nothing at all mean standard input.

    A line that begins with `{` is JSON, with `query` or `messages`, and
    optionally `id` and `tags`. Blank lines are left out, and counted on
    standard error.

    Raises:
        ConfigError: Arguments and a file were given, or no query at all.
        DatasetError: A line is no query; file and line are named.
        InvalidQueryError: An argument is no query.
    """
    if arguments and file is not None:
        raise ConfigError("--file", str(file), "was given beside a query", "Give one of the two.")
    if arguments:
        yield from (Query.of(argument) for argument in arguments)
    elif file is not None and str(file) != "-":
        try:
            with file.open(encoding="utf-8", errors="surrogateescape") as stream:
                yield from _lines(stream, str(file))
        except OSError as error:
            raise ConfigError(
                "--file", str(file), f"cannot be read ({error.strerror})", "Check the path."
            ) from error
    elif sys.stdin is None:
        fix = f'Write routesdk {command} "...", or give --file.'
        raise ConfigError("standard input", "closed", "holds no query", fix)
    elif file is None and sys.stdin.isatty():
        fix = f'Write routesdk {command} "...", or give --file.'
        raise ConfigError("query", "nothing", "is missing", fix)
    else:
        yield from _lines(standard_input(), "standard input")


def standard_input() -> TextIO:
    """Return standard input as text; as for a file, a byte that is no UTF-8 is routed like any other."""
    if not isinstance(sys.stdin, TextIOWrapper):
        return sys.stdin
    try:
        # A reader of its own: a thread may still wait in it when the process ends and closes `sys.stdin`.
        number = sys.stdin.fileno()
    except OSError:
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
        return sys.stdin
    return open(number, encoding="utf-8", errors="surrogateescape", closefd=False)


def count_lines(file: Path | None) -> int | None:
    """Count the lines of a file, for a progress bar; None where that cannot be known beforehand."""
    if file is None or not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    except OSError:
        # Reading the queries will say what is wrong.
        return None


def _lines(stream: TextIO, source: str) -> Iterator[Query]:
    blank = found = 0
    for number, line in enumerate(stream, 1):
        # Some editors begin a file with a byte-order mark.
        text = line.removeprefix("\ufeff").strip() if number == 1 else line.strip()
        if not text:
            blank += 1
            continue
        try:
            yield query_of_line(text)
        except (InvalidQueryError, ValueError, RecursionError) as error:
            raise DatasetError(source, number, str(error).rstrip(".")) from error
        found += 1
    if blank:
        errors().print(f"left out {blank} blank lines of {printable(source)}")
    if not found:
        raise ConfigError("query", source, "holds no query", "Write one a line.")
