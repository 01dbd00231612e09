"""A split that was made beforehand: the benchmark is the train part, and a file holds the test part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.dataset import read_examples
from routesdk.errors import ConfigError, LeakError
from routesdk.pipeline.division import TRAIN
from routesdk.pipeline.fingerprint import query_hash
from routesdk.protocols import Benchmark
from routesdk.types import Example


@attrs.frozen(kw_only=True)
class HeldOut:
    """The rows that a run must not touch, as eight bytes each.

    Equal questions are found, whatever their case and marks. Near duplicates are
    not: the split that made the parts has kept these together, and
    `find_leaks` compares two files that came about in another way.

    Attributes:
        file: The test part.
        hashes: The sorted hashes of its queries, (rows,).
    """

    file: Path
    hashes: npt.NDArray[np.uint64] = attrs.field(repr=False, eq=attrs.cmp_using(eq=np.array_equal))

    @classmethod
    def read(cls, file: Path) -> HeldOut:
        """Read a test part.

        Raises:
            ConfigError: The file cannot be read, or has no rows.
            DatasetError: A row cannot be used.
        """
        found = (query_hash(example.query.text) for example in read_examples(file))
        hashes = np.unique(np.fromiter(found, dtype=np.uint64))
        if not len(hashes):
            raise ConfigError("oracle.held_out", str(file), "has no rows", "Give the test part of the split.")
        return cls(file=file, hashes=hashes)

    def is_train(self, example: Example) -> bool:
        """Tell whether an example is not in the test part."""
        wanted = np.uint64(query_hash(example.query.text))
        place = int(np.searchsorted(self.hashes, wanted))
        return place == len(self.hashes) or self.hashes[place] != wanted

    def select(self, benchmark: Benchmark, part: str) -> Iterator[Example]:
        """Yield the benchmark's rows, all of which must be train rows.

        Args:
            benchmark: The train part.
            part: `train`.

        Raises:
            LeakError: Rows of the benchmark are in the test part; raised after the last of them was read.
        """
        assert part == TRAIN
        outside = []
        for example in benchmark.examples():
            if self.is_train(example):
                yield example
            else:
                outside.append(example.id)
        if outside:
            raise LeakError("the oracle", tuple(outside))
