"""What cannot be judged is refused with what is wrong and what to do; little data is not made much of."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import numpy as np
import pytest

from payoffs import FOUR, LEARNED, RIGHT, candidate, example, simulated
from routers import make_router
from routesdk.dataset import read_examples, write_examples
from routesdk.errors import ConfigError, DatasetError, LeakError, MetricError
from routesdk.pipeline.evaluation import (
    Advice,
    Evaluation,
    data_file,
    evaluate,
    read_evaluation,
    to_record,
    write_evaluation,
)
from routesdk.pipeline.fingerprint import query_hash
from routesdk.testing import MODELS
from routesdk.types import Example, Grade, Outcome, Query


def judged(rows: object, **options: object) -> Evaluation:
    router = candidate("ours", lambda text: RIGHT.get(text[9:-1], 0.0)).router
    return evaluate(router, rows, **{"resamples": 100, "timed": 0, "reasons": 0, **options})  # type: ignore[arg-type]


def refused(rows: object, **options: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        judged(rows, **options)
    return caught.value


def test_no_rows_are_refused() -> None:
    assert refused(()).key == "examples"


def test_questions_without_outcomes_are_refused() -> None:
    error = refused([Example(id="a", query=Query("Who?"))])

    assert "none has outcomes" in error.problem
    assert "results of another program" in error.problem


def test_results_of_another_benchmark_are_refused_with_the_models_that_they_have() -> None:
    others = [example(str(at), "IC", ("gpt-x", "gpt-y")) for at in range(3)]
    error = refused(others)

    assert error.key == "tiers"
    assert f"medium ({MODELS[0]}), large ({MODELS[1]})" in error.problem
    assert "gpt-x (3), gpt-y (3)" in error.problem
    assert "--medium MODEL --large MODEL" in error.fix


def test_a_tier_that_no_row_has_is_named() -> None:
    rows = [
        Example(
            id=str(at),
            query=Query(f"question {at}?"),
            outcomes={MODELS[0]: Outcome(model=MODELS[0], grade=Grade.CORRECT)},
        )
        for at in range(3)
    ]
    error = refused(rows)

    assert f"large ({MODELS[1]})" in error.problem
    assert f"medium ({MODELS[0]})" not in error.problem


def test_tiers_that_never_stand_in_one_row_are_told_apart_from_tiers_that_are_missing() -> None:
    halves = [
        attrs.evolve(row, outcomes={MODELS[at % 2]: row.outcomes[MODELS[at % 2]]})
        for at, row in enumerate(FOUR)
    ]

    assert "all tiers at once" in refused(halves).problem


def test_ids_that_stand_twice_are_refused_and_named() -> None:
    error = refused((*FOUR, FOUR[1], FOUR[2]))

    assert error.key == "examples.id"
    assert error.value == "b, c"
    assert "2 ids stand twice" in error.problem


def test_rows_that_the_router_learned_from_are_refused_with_their_ids() -> None:
    hashes = np.array(sorted(query_hash(row.query.text) for row in FOUR[:2]), dtype=np.uint64)
    router = attrs.evolve(make_router(), training_hashes=lambda: hashes, checkpoint_id="0123456789ab")

    with pytest.raises(LeakError) as caught:
        evaluate(router, FOUR, resamples=100)

    assert caught.value.ids == ("a", "b")
    assert "0123456789ab" in str(caught.value)


def test_a_router_without_hashes_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        evaluate(make_router(), FOUR, name="mine")

    assert caught.value.value == "mine"
    assert "nothing can be told" in caught.value.problem


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1.5", "-0.1"])
def test_a_score_that_is_none_is_refused_with_its_line(tmp_path: Path, score: str) -> None:
    file = tmp_path / "rows.jsonl"
    write_examples(file, FOUR)
    bad = f'{{"id": "x", "query": "question x?", "outcomes": {{"{MODELS[0]}": {{"score": {score}}}}}}}\n'
    file.write_text(file.read_text() + bad)

    with pytest.raises(DatasetError) as caught:
        judged(read_examples(file))

    assert caught.value.line == 5


def test_one_row_is_not_enough_to_say_anything() -> None:
    evaluation = judged(FOUR[:1])

    assert evaluation.rows == 1
    assert evaluation.verdict.advice is Advice.NOT_ENOUGH_DATA
    assert evaluation.verdict.sentences[0].startswith("Not enough data to say: 1 row of the 30")
    assert json.dumps(to_record(evaluation, results=True), allow_nan=False)


def test_a_router_whose_scores_are_all_the_same_is_told_so() -> None:
    rows = simulated(200)
    router = attrs.evolve(make_router(), training_hashes=lambda: LEARNED)
    evaluation = evaluate(router, rows, resamples=100, timed=0, reasons=0)

    assert evaluation.router.apgr is not None
    assert evaluation.router.apgr.value == 0.5
    assert evaluation.verdict.advice is Advice.DO_NOT_ROUTE
    assert "tells no query from another" in evaluation.verdict.sentences[0]


def test_outcomes_that_are_all_the_same_leave_no_gap() -> None:
    rows = [example(str(at), "CC") for at in range(60)]
    router = candidate("ours", lambda text: len(text) / 100).router
    evaluation = evaluate(router, rows, resamples=100, timed=0, reasons=0)

    assert evaluation.router.apgr is None
    assert evaluation.verdict.advice is Advice.DO_NOT_ROUTE
    assert "no gap to recover" in evaluation.verdict.sentences[0]
    # All right on 60 rows is not certainty.
    assert evaluation.router.accuracy.low < 1.0


@pytest.mark.parametrize("option", ["timed", "reasons", "mistakes"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "3"])
def test_counts_that_are_none_are_refused_before_anything_is_decided(option: str, value: object) -> None:
    assert refused(FOUR, **{option: value}).key == option


def test_resamples_that_are_none_are_refused() -> None:
    with pytest.raises(MetricError):
        judged(FOUR, resamples=0)


def test_an_evaluation_is_written_and_read_back(tmp_path: Path) -> None:
    evaluation = judged(FOUR)
    files = write_evaluation(evaluation, tmp_path / "evaluation" / "results")

    assert files.results.name == "router_results.jsonl"
    assert files.metrics.name == "router_metrics.json"
    assert read_evaluation(files.metrics.parent, results=True) == evaluation
    assert read_evaluation(files.metrics.parent) == attrs.evolve(evaluation, results=())
    compared = json.loads((tmp_path / "evaluation" / "results" / "comparison.json").read_text())
    assert [line["name"] for line in compared["lines"]][:2] == ["router", "always medium"]
    assert compared["verdict"]["advice"] == "not enough data to say"
    assert len(files.results.read_text().splitlines()) == 4


def test_writing_twice_replaces_what_was_there_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_evaluation(judged(FOUR), tmp_path)
    write_evaluation(judged(FOUR[:2]), tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "comparison.json",
        "router_metrics.json",
        "router_results.jsonl",
    ]
    assert read_evaluation(tmp_path, results=True).rows == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigError) as caught:
        write_evaluation(judged(FOUR), tmp_path / "file" / "results")

    assert caught.value.key == "output"


@pytest.mark.parametrize(
    ("text", "problem"),
    [(None, "cannot be read"), ("{", "is no JSON"), ("[]", "holds no evaluation"), ("{}", "is not 1")],
)
def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    if text is not None:
        (tmp_path / "router_metrics.json").write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_evaluation(tmp_path)

    assert problem in caught.value.problem


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"abc")

    # Source: FIPS 180-2, appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert data_file(file, 3) == attrs.evolve(data_file(file, 3), name="rows.jsonl", sha256=expected, rows=3)
    with pytest.raises(ConfigError):
        data_file(tmp_path / "absent", 0)
