"""Where the rows of a command come from: a file in one of several forms, or a benchmark by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from routesdk.dataset import read_examples
from routesdk.errors import ConfigError, DatasetError, InvalidQueryError
from routesdk.host import PluginHost
from routesdk.protocols import Benchmark
from routesdk.types import Example, Query


@attrs.frozen
class Lines:
    """A text file with one question a line; a row's id is the number of its line."""

    path: Path

    def examples(self) -> Iterator[Example]:
        """Yield the questions, passing over blank lines.

        Raises:
            ConfigError: The file cannot be read.
            DatasetError: A line is not UTF-8; file and line are named.
        """
        try:
            with self.path.open("rb") as lines:
                for number, raw in enumerate(lines, start=1):
                    try:
                        text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                        if text:
                            yield Example(id=str(number), query=Query(text))
                    except (UnicodeDecodeError, InvalidQueryError) as error:
                        raise DatasetError(str(self.path), number, f"it is no text ({error})") from error
        except OSError as error:
            raise _unreadable(self.path, error) from error


@attrs.frozen
class Rows:
    """A `.jsonl` or `.jsonl.gz` file of examples, with whatever outcomes they have."""

    path: Path

    def examples(self) -> Iterator[Example]:
        """Yield the rows; see `read_examples`."""
        return read_examples(self.path)


def open_file(path: Path, host: PluginHost) -> Benchmark:
    """Tell by its name what form a file has.

    Args:
        path: `.jsonl` or `.jsonl.gz`: rows of ours; `.csv`: the form of SimpleQA's
            published file; anything else: a question a line.
        host: Builds the benchmark that reads a CSV file.

    Raises:
        ConfigError: There is no such file.
    """
    if not path.is_file():
        raise ConfigError("file", str(path), "is no file", "Check the path.")
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        return Rows(path)
    if path.suffix.lower() == ".csv":
        return host.benchmark("simpleqa", file=str(path))
    return Lines(path)


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError("file", str(path), f"cannot be read ({error.strerror})", "Check the path.")
