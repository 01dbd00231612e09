"""Questions with the outcomes that were recorded for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from routesdk.dataset import Fields, read_examples
from routesdk.errors import ConfigError
from routesdk.types import Example


@attrs.frozen
class RecordedBenchmark:
    """Read questions and outcomes as a stream: nothing holds them all.

    Attributes:
        path: The file.
        query_field: Field of the question.
        topic: Take the rows of this topic alone; None for all.
    """

    path: Path = attrs.field(converter=Path)
    query_field: str = attrs.field(default="query", kw_only=True)
    topic: str | None = attrs.field(default=None, kw_only=True)

    def examples(self) -> Iterator[Example]:
        """Yield the questions in the file's order, each with at least one outcome.

        Raises:
            DatasetError: A row cannot be used; file and line are named.
            ConfigError: The file cannot be read, or no row has the topic.
        """
        topics: set[str] = set()
        for example in read_examples(self.path, fields=Fields(query=self.query_field), require_outcomes=True):
            if self.topic is None or example.topic == self.topic:
                yield example
            if self.topic is not None and example.topic is not None:
                topics.add(example.topic)
        if self.topic is not None and self.topic not in topics:
            # Silence would look like an empty benchmark.
            raise ConfigError(
                "topic",
                repr(self.topic),
                "no row has this topic",
                f"Topics there: {', '.join(sorted(topics)) or 'none'}.",
            )
