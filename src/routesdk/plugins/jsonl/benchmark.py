"""Questions from a JSONL file; outcomes that it may hold are passed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from routesdk.dataset import Fields, read_examples
from routesdk.types import Example

if TYPE_CHECKING:
    from routesdk.plugins.jsonl import JSONLConfig


@attrs.frozen
class JSONLBenchmark:
    """Read questions as a stream: nothing holds them all.

    Attributes:
        config: Where the questions are, and which fields hold what.
    """

    config: JSONLConfig

    def examples(self) -> Iterator[Example]:
        """Yield the questions in the file's order.

        Raises:
            ConfigError: The file cannot be read.
            DatasetError: A line is malformed, lacks a field, has a blank
                query, or repeats an id; file and line are named.
        """
        config = self.config
        fields = Fields(
            id=config.id, query=config.query, reference=config.reference, topic=config.topic, outcomes=None
        )
        return read_examples(config.path, fields=fields)
