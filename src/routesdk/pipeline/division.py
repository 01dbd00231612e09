"""A benchmark divided into train and test: which part each row is in, kept in a few bytes a row."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.dataset import write_examples
from routesdk.errors import ConfigError
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.split import split
from routesdk.protocols import Benchmark
from routesdk.types import Example, FrozenMapping

TRAIN, TEST = "train", "test"
PARTS = (TRAIN, TEST)

_Codes = npt.NDArray[np.uint8]
_Hashes = npt.NDArray[np.uint64]


@attrs.frozen(kw_only=True)
class Division:
    """Which part each row of a benchmark belongs to; it takes 17 bytes a row.

    Attributes:
        test_share: Share of rows that the test part was meant to have.
        seed: The seed of the split.
        strata: What was kept balanced: `topic`, `joint cell`, or `nothing` where the
            rows have neither.
        counts: Stratum → part → rows.
    """

    test_share: float
    seed: int
    strata: str
    counts: Mapping[str, Mapping[str, int]]
    _codes: _Codes = attrs.field(repr=False, eq=attrs.cmp_using(eq=np.array_equal))
    _hashes: _Hashes = attrs.field(repr=False, eq=attrs.cmp_using(eq=np.array_equal))
    _order: npt.NDArray[np.int64] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_order", np.argsort(self._hashes, kind="stable"))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._codes)

    def part(self, row: int | Example) -> str:
        """Name the part of one row: `train` or `test`.

        Args:
            row: The row's position in the benchmark, from 0; or the example itself,
                which is found by its query's text, whatever its id.

        Raises:
            ConfigError: The benchmark had no such row when it was divided.
        """
        found = self._find(row)
        if found is None:
            shown = str(row) if isinstance(row, int) else ascii(row.id)
            problem = "the benchmark had no such row when it was divided"
            raise ConfigError("row", shown, problem, "Divide it again with all of its rows.")
        return PARTS[self._codes[found]]

    def is_train(self, example: Example) -> bool:
        """Tell whether an example is in the train part; False where it is in neither."""
        found = self._find(example)
        return found is not None and PARTS[self._codes[found]] == TRAIN

    def size(self, part: str) -> int:
        """Count the rows of a part.

        Raises:
            ConfigError: There is no such part.
        """
        return int(np.count_nonzero(self._codes == _code(part)))

    def select(self, benchmark: Benchmark, part: str) -> Iterator[Example]:
        """Yield the examples of one part, one at a time, in the benchmark's order.

        Args:
            benchmark: The benchmark that was divided.
            part: `train` or `test`.

        Raises:
            ConfigError: There is no such part, or the benchmark gives other rows now.
        """
        code, position = _code(part), -1
        for position, example in enumerate(benchmark.examples()):
            here = position < len(self) and query_hash(example.query.text) == int(self._hashes[position])
            if not here:
                raise self._changed(f"row {position} ({example.id!r}) is new, or another one")
            if self._codes[position] == code:
                yield example
        if position + 1 != len(self):
            raise self._changed(f"it ends after {position + 1} of {len(self)} rows")

    def _changed(self, what: str) -> ConfigError:
        problem = f"it gives other rows than when it was divided: {what}"
        return ConfigError("benchmark", "(its rows)", problem, "Divide it again.")

    def _find(self, row: int | Example) -> int | None:
        if not isinstance(row, Example):
            return row if 0 <= row < len(self) else None
        wanted = np.uint64(query_hash(row.query.text))
        place = int(np.searchsorted(self._hashes, wanted, sorter=self._order))
        if place == len(self):
            return None
        found = int(self._order[place])
        return found if self._hashes[found] == wanted else None


def divide(
    benchmark: Benchmark, *, test_share: float = 0.2, seed: int = 0, tiers: Sequence[str] | None = None
) -> Division:
    """Divide a benchmark into train and test, with exact and near duplicates on one side.

    The rows are streamed once; texts alone are held while duplicates are looked for.
    Every stratum is divided in the same shares: the joint cell of the named models'
    grades where every row has them, else the topic.

    Args:
        benchmark: What to divide.
        test_share: Share of rows for the test part, between 0 and 1.
        seed: Another seed is another split.
        tiers: Models whose outcomes make a row's joint cell, cheapest first; None
            balances topics.

    Raises:
        ConfigError: The benchmark has no rows, the share lies outside 0 to 1, or a tier stands twice.
        DatasetError: A row cannot be used.
    """
    if not isinstance(test_share, (int, float)) or not 0.0 < test_share < 1.0:
        raise ConfigError("test_share", repr(test_share), "not between 0 and 1", "Such as 0.2.")
    if isinstance(tiers, str) or len(set(tiers or ())) != len(tiers or ()):
        problem = "not a list of models, or one stands twice"
        raise ConfigError("tiers", repr(tiers), problem, "Name each model once, cheapest first.")
    texts, strata, kind = _read(benchmark, tiers or ())
    shares = {TRAIN: 1.0 - test_share, TEST: float(test_share)}
    codes = split(texts, strata, shares=shares, seed=seed).codes.astype(np.uint8)
    return Division(
        test_share=float(test_share),
        seed=seed,
        strata=kind,
        counts=_count(strata, codes),
        codes=codes,
        hashes=np.fromiter((query_hash(text) for text in texts), dtype=np.uint64, count=len(texts)),
    )


def write_parts(benchmark: Benchmark, division: Division, stem: str | os.PathLike[str]) -> Mapping[str, Path]:
    """Write the two parts as `…_train.jsonl` and `…_test.jsonl`.

    Args:
        benchmark: The benchmark that was divided; it is streamed once for each file.
        division: Its division.
        stem: Folder and beginning of the names, such as `data/simpleqa`.

    Returns:
        Part → the file.

    Raises:
        ConfigError: The folder cannot be written to, or the benchmark gives other rows now.
    """
    base = Path(stem)
    files = {part: base.with_name(f"{base.name}_{part}.jsonl") for part in PARTS}
    for part, file in files.items():
        try:
            write_examples(file, division.select(benchmark, part))
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise ConfigError("output", str(file), problem, "Choose another place.") from error
    return FrozenMapping(files)


def _read(benchmark: Benchmark, tiers: Sequence[str]) -> tuple[list[str], list[str], str]:
    """Read every row's text and stratum, and name what the strata are."""
    texts: list[str] = []
    topics: list[str] = []
    cells: list[str] = []
    for example in benchmark.examples():
        texts.append(example.query.text)
        topics.append(example.topic or "")
        # The first row without an outcome ends the list, and so it has fewer entries than there are rows.
        if tiers and len(cells) == len(texts) - 1 and (cell := _cell(example, tiers)) is not None:
            cells.append(cell)
    if not texts:
        raise ConfigError("benchmark", type(benchmark).__name__, "has no rows", "Give one that has some.")
    if len(cells) == len(texts):
        return texts, cells, "joint cell"
    return texts, topics, "topic" if any(topics) else "nothing"


def _code(part: str) -> int:
    if part not in PARTS:
        raise ConfigError("part", repr(part), "the division has no such part", f"Known: {', '.join(PARTS)}.")
    return PARTS.index(part)


def _cell(example: Example, tiers: Sequence[str]) -> str | None:
    """Spell the joint cell of a row, such as `IC`; scores are rounded. None where an outcome is missing."""
    letters = []
    for model in tiers:
        outcome = example.outcomes.get(model)
        if outcome is None:
            return None
        letters.append(str(round(outcome.quality)) if outcome.grade is None else outcome.grade.value[0])
    return "".join(letters)


def _count(strata: Sequence[str], codes: _Codes) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for stratum, code in zip(strata, codes.tolist(), strict=True):
        found.setdefault(stratum, dict.fromkeys(PARTS, 0))[PARTS[code]] += 1
    return FrozenMapping({stratum: FrozenMapping(found[stratum]) for stratum in sorted(found)})
