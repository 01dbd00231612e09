"""Leaks are found with both rows named, and rows on the wrong side are refused before anything is paid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import pytest

from routers import make_router
from routesdk import Router
from routesdk.dataset import read_examples
from routesdk.errors import ConfigError, LeakError
from routesdk.host import PluginHost
from routesdk.manifest import Evidence, SourceRecord
from routesdk.pipeline.division import divide
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.leak import (
    Leak,
    find_leaks,
    find_learned,
    find_split_leaks,
    refuse_learned,
    refuse_outside_train,
)
from routesdk.types import Example, Query

ONE = "Where did Hemmingway write the Old Man and the Sea?"
OTHER = "Where did Hemingway write Old Man and the Sea?"


def rows(*texts: str, prefix: str = "row") -> list[Example]:
    return [Example(id=f"{prefix}-{at}", query=Query(text)) for at, text in enumerate(texts)]


@attrs.frozen
class Listed:
    listed: list[Example]

    def examples(self) -> Iterator[Example]:
        yield from self.listed


def test_exact_and_near_duplicates_across_two_files_are_named_with_both_rows() -> None:
    left = rows("Who wrote Faust?", ONE, "How far is the Moon?")
    right = rows(OTHER, "who wrote FAUST", "How far is Mars?", prefix="other")

    exact, near = find_leaks(iter(left), iter(right))

    assert exact == Leak(
        left_id="row-0",
        right_id="other-1",
        left="Who wrote Faust?",
        right="who wrote FAUST",
        similarity=1.0,
        exact=True,
    )
    assert (near.left_id, near.right_id, near.exact) == ("row-1", "other-0", False)
    assert 0.65 <= near.similarity < 1.0


def test_duplicates_within_one_list_are_found_and_an_empty_other_side_has_none() -> None:
    left = rows("Who wrote Faust?", "Why?", "who wrote faust")

    assert [(leak.left_id, leak.right_id) for leak in find_leaks(left)] == [("row-0", "row-2")]
    assert find_leaks(left, []) == ()
    assert find_leaks([]) == ()


def test_a_division_has_no_leak_between_its_parts() -> None:
    benchmark = Listed(
        rows(*(f"{text} Chapter {at}" for at in range(100) for text in ("Who wrote", "who WROTE")))
    )

    assert find_split_leaks(benchmark, divide(benchmark)) == ()


def test_rows_that_were_learned_from_are_refused_by_their_hashes() -> None:
    learned = np.sort(np.array([query_hash("Who wrote Faust?"), query_hash("Why?")], dtype=np.uint64))
    given = rows("How far is the Moon?", "WHY?", "who wrote faust?")

    assert [each.id for each in find_learned(learned, given)] == ["row-1", "row-2"]
    with pytest.raises(LeakError) as caught:
        refuse_learned(learned, given, "evaluation")
    assert (caught.value.purpose, caught.value.ids) == ("evaluation", ("row-1", "row-2"))
    refuse_learned(learned, given[:1], "evaluation")


def test_what_carries_no_hashes_passes_no_check() -> None:
    router = attrs.evolve(make_router({"CC": 1.0}), checkpoint_id="abc")

    for learned, value in ((router, "abc"), (np.zeros(0, dtype=np.uint64), "(a router)")):
        with pytest.raises(ConfigError, match="no hashes") as caught:
            refuse_learned(learned, rows("Why?"), "evaluation")
        assert (caught.value.key, caught.value.value) == ("checkpoint", value)


def test_the_error_says_what_the_routers_card_says_that_it_learned_from() -> None:
    hashes = np.array([query_hash("Why?")], dtype=np.uint64)
    evidence = Evidence(sources=(SourceRecord(name="mine", rows=1_234, source="a shelf"),))
    router = attrs.evolve(
        make_router({"CC": 1.0}), training_hashes=lambda: hashes, evidence=evidence, checkpoint_id="abc"
    )

    with pytest.raises(LeakError) as caught:
        refuse_learned(router, rows("Why?"), "calibration")

    error = caught.value
    assert (error.purpose, error.ids, error.learned_by) == ("calibration", ("row-0",), "the checkpoint abc")
    assert error.learned_from == ("1,234 rows of mine (a shelf)",)
    assert "leak-check" in str(caught.value)


def test_the_bundled_router_is_not_evaluated_on_the_simpleqa_rows_that_it_learned_from(
    data_folder: Path,
) -> None:
    router = Router.from_pretrained("default")
    simpleqa = PluginHost(entry_points=False).benchmark(
        "simpleqa", file=str(data_folder / "simple_qa_test_set.csv")
    )

    with pytest.raises(LeakError) as caught:
        refuse_learned(router, simpleqa.examples(), "evaluation")

    assert len(caught.value.ids) == 2_823
    assert any("2,823 rows of simpleqa" in each for each in caught.value.learned_from)
    assert "2,823 rows of simpleqa" in str(caught.value)
    # What it did not learn from may be used.
    learned = set(caught.value.ids)
    refuse_learned(router, (each for each in simpleqa.examples() if each.id not in learned), "evaluation")


def test_rows_outside_the_train_part_are_refused_for_the_oracle() -> None:
    listed = rows(*(f"What is number {at} of the list?" for at in range(100)))
    division = divide(Listed(listed))
    train = [row for row in listed if division.is_train(row)]
    test = [row for row in listed if not division.is_train(row)]
    stranger = rows("Who is new here?", prefix="new")

    refuse_outside_train(division, train)
    with pytest.raises(LeakError) as caught:
        refuse_outside_train(division, [*train, test[0], *stranger])
    assert (caught.value.purpose, caught.value.ids) == ("the oracle", (test[0].id, "new-0"))
    assert caught.value.learned_by == ""


def test_natural_questions_and_simpleqa_share_no_question_with_each_other(data_folder: Path) -> None:
    nq = list(read_examples(data_folder / "evouna_nq.jsonl.gz"))

    leaks = find_leaks(nq[:1_000], [*nq[900:1_000], *read_examples(data_folder / "simpleqa_cs.jsonl.gz")])

    assert {leak.left_id for leak in leaks} == {each.id for each in nq[900:1_000]}
    assert all(leak.exact for leak in leaks)
