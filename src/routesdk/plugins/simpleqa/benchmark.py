"""SimpleQA as a stream of examples, from the cache, a download or a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import ConfigError
from routesdk.plugins.simpleqa.download import PUBLISHED_URL, cache_folder, fetch
from routesdk.plugins.simpleqa.table import read_table
from routesdk.types import Example

if TYPE_CHECKING:
    from routesdk.plugins.simpleqa import SimpleQAConfig


@attrs.frozen
class SimpleQA:
    """Read SimpleQA as a stream: nothing holds it all.

    Source: J. Wei et al., Measuring short-form factuality in large language models (2024);
    github.com/openai/simple-evals, MIT.

    Attributes:
        config: Where it comes from, and which of it to take.
    """

    config: SimpleQAConfig

    def path(self) -> Path:
        """Return the CSV file, downloading it where neither a file nor the cache has it.

        Raises:
            ConfigError: It cannot be downloaded, or what came is not the published file.
        """
        config = self.config
        if config.file is not None:
            return config.file
        return fetch(config.url or PUBLISHED_URL, cache_folder(config.cache))

    def examples(self) -> Iterator[Example]:
        """Yield the questions in the file's order; the id is the row's number in the file, from 0.

        Raises:
            ConfigError: The file cannot be read or downloaded, or no row has the topic.
            DatasetError: A row is malformed; file, line and column are named.
        """
        wanted = self.config.topic
        topics: set[str] = set()
        for example in read_table(self.path()):
            if wanted is None or example.topic == wanted:
                yield example
            if example.topic is not None:
                topics.add(example.topic)
        if wanted is not None and wanted not in topics:
            # Silence would look like an empty benchmark.
            known = ", ".join(sorted(topics)) or "none"
            raise ConfigError("topic", repr(wanted), "no row has this topic", f"Topics there: {known}.")
