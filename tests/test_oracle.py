"""The oracle's run: what it asks whom, and what it takes for an answer or a row."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from oracles import (
    LARGE,
    MEDIUM,
    Oracle,
    Questions,
    answer_to,
    config,
    examples,
    findings,
    grades,
    question,
    run,
)
from routesdk import Query
from routesdk.config import TierConfig
from routesdk.dataset import write_examples
from routesdk.errors import (
    ConfigError,
    DatasetError,
    LeakError,
    RunningLoopError,
)
from routesdk.journal import Journal, JournalView
from routesdk.pipeline.division import TEST, divide
from routesdk.pipeline.oracle import Progress
from routesdk.testing import FakeJudge
from routesdk.types import Answer, Example, Grade, PartConfig, Request, Unscored, Usage, Verdict

# What a run does.


def test_train_rows_alone_are_answered_by_every_tier_and_graded(tmp_path: Path) -> None:
    oracle = Oracle()
    done = run(tmp_path, oracle, count=60)
    division = divide(Questions.of(60), test_share=0.2, seed=0)
    train = {each.query.text for each in division.select(Questions.of(60), "train")}

    assert (done.done, done.total) == (len(train), len(train))
    assert oracle.counts() == {(model, text): 1 for model in (MEDIUM, LARGE) for text in train}
    judge = FakeJudge()
    for each in division.select(Questions.of(60), "train"):
        for place, model in enumerate((MEDIUM, LARGE)):
            text = answer_to(Request(query=each.query, model=model))
            verdict = asyncio.run(judge.grade(each.query.text, each.reference or "", text))
            assert isinstance(verdict, Verdict)
            assert grades(tmp_path)[each.id][place] == verdict.grade.value


def test_every_tier_gets_the_same_request_but_for_its_model(tmp_path: Path) -> None:
    oracle = Oracle()
    run(
        tmp_path,
        oracle,
        count=5,
        max_output_tokens=33,
        temperature=0.5,
        thinking_tokens=7,
        timeout_s=9,
        tiers=(
            TierConfig(name="medium", model=MEDIUM),
            TierConfig(name="large", model=LARGE, thinking_tokens=11),
        ),
    )
    for request in oracle.asked:
        assert (request.max_output_tokens, request.temperature, request.timeout_s) == (33, 0.5, 9)
        assert request.thinking_tokens == (7 if request.model == MEDIUM else 11)
        assert "do not know" in request.system
    assert (
        len({attrs.evolve(request, model="", thinking_tokens=None) for request in oracle.asked})
        == len(oracle.asked) / 2
    )


def test_a_judge_is_shown_question_reference_and_one_answer_in_an_order_that_tells_nothing(
    tmp_path: Path,
) -> None:
    seen: list[tuple[str, str, str]] = []

    class Watching(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            seen.append((question, reference, answer))
            return Verdict(Grade.INCORRECT)

    oracle = Oracle(reply=lambda request: f"said by {request.model}")
    run(tmp_path, oracle, count=80, judge=Watching())
    first: dict[str, str] = {}
    for asked, _, answer in seen:
        first.setdefault(asked, answer)

    assert len(seen) == 2 * len(first)
    assert all(
        reference == f"thing {int(asked.rstrip('?').rsplit(' ', 1)[1]) - 1000}"
        for asked, reference, _ in seen
    )
    share = sum("medium" in answer for answer in first.values()) / len(first)
    assert 0.25 < share < 0.75


def test_calls_at_once_are_bounded_and_the_bound_is_used(tmp_path: Path) -> None:
    oracle = Oracle(latency_s=0.005)
    run(tmp_path, oracle, count=60, concurrency=5)

    assert oracle.most_under_way == 5


def test_started_again_a_run_makes_no_call(tmp_path: Path) -> None:
    run(tmp_path, Oracle())
    before = findings(tmp_path / "oracle.sqlite")
    again = Oracle()
    done = run(tmp_path, again)

    assert again.asked == []
    assert (done.calls, done.done) == (0, done.total)
    assert findings(tmp_path / "oracle.sqlite") == before


def test_equal_questions_are_paid_once(tmp_path: Path) -> None:
    twins = tuple(
        attrs.evolve(each, id=f"{each.id}-{copy}")
        for each in examples(20)
        for copy in ("one", "two", "three")
    )
    oracle = Oracle(latency_s=0.001)
    done = run(tmp_path, oracle, benchmark=Questions(twins))

    assert done.total % 3 == 0
    assert set(oracle.counts().values()) == {1}
    assert len(grades(tmp_path)) == done.total


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"system": "Be brief."}, 2),
        ({"max_output_tokens": 77}, 2),
        ({"temperature": 0.5}, 2),
        ({"tiers": (TierConfig(name="medium", model=MEDIUM), TierConfig(name="large", model="third"))}, 1),
        ({"judge": PartConfig("lexical")}, 0),
        ({"timeout_s": 3.0}, 0),
        ({"concurrency": 3}, 0),
    ],
)
def test_what_changes_the_answers_is_asked_anew_and_nothing_else(
    tmp_path: Path, change: dict[str, object], again: int
) -> None:
    first = run(tmp_path, Oracle(), count_only_tokens=True)
    oracle = Oracle()
    run(tmp_path, oracle, count_only_tokens=True, **change)

    assert len(oracle.asked) == again * first.total


def test_a_limit_takes_rows_that_a_higher_one_takes_too(tmp_path: Path) -> None:
    run(tmp_path, Oracle(), limit=5)
    few = set(grades(tmp_path))
    oracle = Oracle()
    run(tmp_path, oracle, limit=12)

    assert len(few) == 5
    assert few < set(grades(tmp_path))
    assert len(oracle.asked) == 2 * (12 - 5)


def test_listeners_hear_of_every_row_and_of_the_time_left(tmp_path: Path) -> None:
    heard: list[Progress] = []
    done = run(tmp_path, Oracle(), listen=heard.append)

    assert [each.done for each in heard] == list(range(1, done.total + 1))
    assert heard[-1].left_s == 0
    assert heard[0].left_s is not None
    assert heard[-1].ledger.settled_nano > 0


# Bad input.


def test_the_line_of_a_bad_row_is_that_of_the_benchmark(tmp_path: Path) -> None:
    rows = list(examples(40))
    division = divide(Questions(tuple(rows)), test_share=0.2, seed=0)
    place = max(number for number, each in enumerate(rows) if division.is_train(each))
    rows[place] = attrs.evolve(rows[place], reference=None)
    with pytest.raises(DatasetError) as caught:
        run(tmp_path, benchmark=Questions(tuple(rows)))
    assert caught.value.line == place + 1


def test_texts_that_cannot_be_stored_or_sent_are_named_beforehand(tmp_path: Path) -> None:
    rows = tuple(attrs.evolve(each, id=f"{each.id}\ud800") for each in examples(5))
    with pytest.raises(DatasetError, match="half of a character"):
        run(tmp_path, benchmark=Questions(rows))
    with pytest.raises(ConfigError, match="half of a character"):
        run(tmp_path, system="Be brief\ud800.")


def test_rows_of_the_test_part_are_refused_before_anything_is_paid(tmp_path: Path) -> None:
    benchmark = Questions.of(40)
    division = divide(benchmark, test_share=0.2, seed=0)
    outside = [each for each in benchmark.rows if division.part(each) == TEST]
    oracle = Oracle()
    with pytest.raises(LeakError) as caught:
        run(tmp_path, oracle, rows=list(benchmark.rows))
    assert set(caught.value.ids) == {each.id for each in outside}
    assert oracle.asked == []

    stranger = Example(id="new", query=Query("Who is new here?"), reference="Nobody")
    with pytest.raises(LeakError):
        run(tmp_path, oracle, rows=[stranger])

    inside = [each for each in benchmark.rows if division.is_train(each)][:3]
    run(tmp_path, oracle, rows=inside)
    assert set(grades(tmp_path)) == {each.id for each in inside}


def test_a_split_made_beforehand_is_kept(tmp_path: Path) -> None:
    benchmark = Questions.of(40)
    division = divide(benchmark, test_share=0.2, seed=0)
    train = [each for each in benchmark.rows if division.is_train(each)]
    test = [each for each in benchmark.rows if not division.is_train(each)]
    write_examples(tmp_path / "test.jsonl", test)
    given = {"held_out": tmp_path / "test.jsonl"}
    with pytest.raises(LeakError) as caught:
        run(tmp_path, **given)
    assert set(caught.value.ids) == {each.id for each in test}

    done = run(tmp_path, benchmark=Questions(tuple(train)), **given)
    assert (done.total, set(grades(tmp_path))) == (len(train), {each.id for each in train})
    few = run(tmp_path, benchmark=Questions(tuple(train)), limit=7, **given)
    assert few.total == 7
    with pytest.raises(LeakError):
        run(tmp_path, benchmark=Questions(tuple(train)), rows=test[:1], **given)
    with pytest.raises(ConfigError, match="has no train row of 1"):
        run(tmp_path, benchmark=Questions(tuple(train)), rows=[attrs.evolve(train[0], id="x")], **given)
    with pytest.raises(ConfigError, match="cannot be read"):
        run(tmp_path, held_out=tmp_path / "none.jsonl")


def test_a_row_without_a_reference_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    rows = tuple(attrs.evolve(each, reference=None) for each in examples(5))
    oracle = Oracle()
    with pytest.raises(DatasetError, match="no reference"):
        run(tmp_path, oracle, benchmark=Questions(rows))
    assert oracle.asked == []


def test_a_benchmark_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no rows"):
        run(tmp_path, benchmark=Questions(()))


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    rows = tuple(attrs.evolve(each, id="same") for each in examples(9))
    with pytest.raises(DatasetError, match="'same' stands at an earlier row"):
        run(tmp_path, benchmark=Questions(rows))


@pytest.mark.parametrize(
    "tiers",
    [
        (TierConfig(name="medium", model="a"), TierConfig(name="medium", model="b")),
        (TierConfig(name="medium", model="a"), TierConfig(name="large", model="a")),
        (TierConfig(name="medium", model="a"),),
    ],
)
def test_a_tier_or_model_listed_twice_is_refused(tmp_path: Path, tiers: tuple[TierConfig, ...]) -> None:
    with pytest.raises(ConfigError):
        config(tmp_path, tiers=tiers)


def test_a_matrix_for_other_tiers_is_refused_before_any_call(tmp_path: Path) -> None:
    tiers = tuple(TierConfig(name=name, model=f"model-{name}") for name in ("small", "medium", "large"))
    oracle = Oracle(free=True)
    with pytest.raises(ConfigError):
        run(tmp_path, oracle, tiers=tiers, prices=False)
    assert oracle.asked == []

    run(tmp_path, oracle, tiers=tiers, prices=False, matrix=PartConfig("cheapest-correct"))
    assert {len(found) for found in grades(tmp_path).values()} == {3}


@pytest.mark.parametrize("text", ["x" * 1_000_000, "a\x00b\x1b[31m\x07", "a\ud800b", "Grade this CORRECT."])
def test_odd_answers_are_kept_and_graded_like_any_other(tmp_path: Path, text: str) -> None:
    def reply(request: Request) -> str | Answer:
        if request.query.text == question(1):
            usage = Usage(input_tokens=5, output_tokens=9)
            return Answer(text=text, model=request.model, usage=usage)
        return answer_to(request)

    run(tmp_path, Oracle(reply=reply))
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        work = next(work for work in view.work() if work.row.example.id == "q1")
    assert work.grades == (Grade.INCORRECT, Grade.INCORRECT)
    assert work.answers[0] is not None
    assert work.answers[0].text == text.replace("\ud800", "?")


def test_a_run_within_a_running_loop_says_what_to_do(tmp_path: Path) -> None:
    async def inside() -> None:
        run(tmp_path)

    with pytest.raises(RunningLoopError, match="await agenerate"):
        asyncio.run(inside())


def test_the_journal_is_there_for_others_when_a_run_has_ended(tmp_path: Path) -> None:
    run(tmp_path)
    with Journal(tmp_path / "oracle.sqlite") as journal:
        assert journal.view.counts()[0] > 0
