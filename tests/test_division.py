"""A benchmark is divided once: each row has one part, duplicates have the same, and files say so."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routesdk.dataset import read_examples
from routesdk.errors import ConfigError, DatasetError
from routesdk.host import PluginHost
from routesdk.pipeline.division import Division, divide, write_parts
from routesdk.pipeline.split import split
from routesdk.types import Example, Grade, Outcome, Query

SYLLABLES = ["ba", "ko", "mi", "tu", "re", "lan", "dor", "fes", "gin", "pol", "sar", "vut"]
TIERS = ("small", "big")


@attrs.define
class Listed:
    """A benchmark of the rows given, which counts how often it is read."""

    rows: list[Example]
    passes: int = 0

    def examples(self) -> Iterator[Example]:
        self.passes += 1
        yield from self.rows


def outcomes(cell: str) -> dict[str, Outcome]:
    return {
        model: Outcome(model=model, grade=Grade.parse(letter))
        for model, letter in zip(TIERS, cell, strict=True)
    }


def made_up(count: int, *, seed: int = 0, cell: Callable[[int], str] | None = None) -> list[Example]:
    rng = random.Random(seed)
    texts = (" ".join("".join(rng.choices(SYLLABLES, k=4)) for _ in range(7)) for _ in range(count))
    return [
        Example(
            id=f"row-{row}",
            query=Query(f"{text}?"),
            topic="AB"[row % 2],
            outcomes={} if cell is None else outcomes(cell(row)),
        )
        for row, text in enumerate(texts)
    ]


@settings(max_examples=25)
@given(st.integers(5, 60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_a_division_is_the_one_split(count: int, test_share: float, seed: int) -> None:
    rows = made_up(count)

    division = divide(Listed(rows), test_share=test_share, seed=seed)

    shares = {"train": 1.0 - test_share, "test": test_share}
    expected = split(
        [row.query.text for row in rows], [row.topic or "" for row in rows], shares=shares, seed=seed
    )
    assert [division.part(row) for row in range(count)] == [expected.names[code] for code in expected.codes]
    assert [division.part(row) for row in rows] == [division.part(row) for row in range(count)]
    assert [division.is_train(row) for row in rows] == [division.part(row) == "train" for row in rows]
    assert division.size("train") + division.size("test") == count == len(division)


def test_topics_are_balanced_where_no_outcomes_are_asked_for() -> None:
    rows = made_up(400, cell=lambda row: "CC" if row % 10 else "IC")

    division = divide(Listed(rows))

    assert division.strata == "topic"
    assert division.counts == {"A": {"train": 160, "test": 40}, "B": {"train": 160, "test": 40}}


def test_joint_cells_are_balanced_where_every_row_has_the_tiers_outcomes() -> None:
    rows = made_up(400, cell=lambda row: "CC" if row % 10 else "IC")

    division = divide(Listed(rows), tiers=TIERS)

    assert division.strata == "joint cell"
    assert division.counts == {"CC": {"train": 288, "test": 72}, "IC": {"train": 32, "test": 8}}


@pytest.mark.parametrize("lacking", [0, 57, 99])
def test_one_row_without_an_outcome_brings_topics_back(lacking: int) -> None:
    rows = made_up(100, cell=lambda row: "CC")
    rows[lacking] = attrs.evolve(rows[lacking], outcomes={"small": rows[lacking].outcomes["small"]})

    assert divide(Listed(rows), tiers=TIERS).strata == "topic"


def test_scores_make_cells_too_and_rows_with_neither_are_one_stratum() -> None:
    rows = [
        attrs.evolve(row, topic=None, outcomes={"small": Outcome(model="small", score=0.2 + 0.6 * (at % 2))})
        for at, row in enumerate(made_up(20))
    ]

    assert set(divide(Listed(rows), tiers=("small",)).counts) == {"0", "1"}
    assert divide(Listed(rows)).strata == "nothing"


def test_a_copy_of_a_question_is_in_the_part_of_the_original() -> None:
    rows = made_up(100)
    copies = [attrs.evolve(row, id=f"copy-{row.id}", query=Query(row.query.text.upper())) for row in rows]

    division = divide(Listed([*rows, *copies]))

    assert all(division.part(at) == division.part(100 + at) for at in range(100))
    assert all(division.part(row) == division.part(copy) for row, copy in zip(rows, copies, strict=True))


def test_a_row_that_was_not_there_is_in_no_part() -> None:
    division = divide(Listed(made_up(20)))
    (stranger,) = made_up(1, seed=9)

    assert not division.is_train(stranger)
    for row in (stranger, 20, -1):
        with pytest.raises(ConfigError) as caught:
            division.part(row)
        assert caught.value.key == "row"


def test_the_benchmark_is_read_once_to_divide_and_once_for_each_file(tmp_path: Path) -> None:
    benchmark = Listed(made_up(50))
    division = divide(benchmark)
    assert benchmark.passes == 1

    files = write_parts(benchmark, division, tmp_path / "mine.v1")

    assert benchmark.passes == 3
    assert {part: file.name for part, file in files.items()} == {
        "train": "mine.v1_train.jsonl",
        "test": "mine.v1_test.jsonl",
    }
    written = {part: list(read_examples(file)) for part, file in files.items()}
    assert written["train"] == [row for row in benchmark.rows if division.is_train(row)]
    assert written["train"] + written["test"] != benchmark.rows
    assert sorted(each.id for each in written["train"] + written["test"]) == sorted(
        r.id for r in benchmark.rows
    )


@pytest.mark.parametrize("change", ["another", "more", "fewer"])
def test_a_benchmark_that_changed_since_is_refused(tmp_path: Path, change: str) -> None:
    benchmark = Listed(made_up(20))
    division = divide(benchmark)
    (other,) = made_up(1, seed=5)
    benchmark.rows = {
        "another": [*benchmark.rows[:-1], other],
        "more": [*benchmark.rows, attrs.evolve(other, id="new")],
        "fewer": benchmark.rows[:-1],
    }[change]

    with pytest.raises(ConfigError, match="other rows than when it was divided"):
        write_parts(benchmark, division, tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    rows = Listed(made_up(5))
    for share in (0.0, 1.0, -1, float("nan"), "half"):
        with pytest.raises(ConfigError) as caught:
            divide(rows, test_share=share)  # type: ignore[arg-type]
        assert caught.value.key == "test_share"
    for tiers in ("small", ("small", "small")):
        with pytest.raises(ConfigError, match="stands twice"):
            divide(rows, tiers=tiers)
    with pytest.raises(ConfigError, match="has no rows"):
        divide(Listed([]))
    with pytest.raises(ConfigError, match="no such part"):
        divide(rows).size("validation")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_parts(rows, divide(rows), tmp_path / "missing" / "mine")


def test_an_id_that_stands_twice_is_refused_when_files_are_written(tmp_path: Path) -> None:
    rows = made_up(30)
    rows[1] = attrs.evolve(rows[1], id="row-0", query=rows[0].query)
    benchmark = Listed(rows)

    with pytest.raises(DatasetError, match="stands twice"):
        write_parts(benchmark, divide(benchmark), tmp_path / "mine")


def test_simpleqa_is_divided_by_topic_to_the_row(data_folder: Path) -> None:
    host = PluginHost(entry_points=False)
    division = divide(host.benchmark("simpleqa", file=str(data_folder / "simple_qa_test_set.csv")))

    assert isinstance(division, Division)
    assert (division.strata, len(division), len(division.counts)) == ("topic", 4_326, 10)
    for counts in division.counts.values():
        assert abs(counts["test"] - 0.2 * sum(counts.values())) <= 1
