"""What a run would cost, and that test rows are paid for once, within the budget, and never learned from."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from projects import LINEAR, contents, did, open_project, states, write_project
from routesdk.dataset import read_examples, write_examples
from routesdk.errors import RunStoppedError
from routesdk.journal import JournalView
from routesdk.pipeline.project import Project, estimate, run, total_usd
from routesdk.pipeline.project.answer import answer_config
from routesdk.testing import make_examples

JOURNAL = Path("data/generated/test_outcomes.sqlite")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for every test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paid(**settings: str) -> Project:
    """Open a project whose answers cost money: by name, without a call."""
    write_project(benchmark="jsonl", **settings)  # type: ignore[arg-type]
    file = Path("routesdk.toml")
    text = file.read_text("utf-8")
    text = text.replace(
        'backend = { name = "recorded", options = { path = "recorded.jsonl" } }', 'backend = "gemini"'
    )
    text = text.replace(
        'judge = { name = "recorded", options = { path = "recorded.jsonl" } }', 'judge = "lexical"'
    )
    text = text.replace('"medium-model"', '"gemini-2.5-flash"').replace('"large-model"', '"gemini-2.5-pro"')
    file.write_text(text, encoding="utf-8")
    return open_project()


def test_a_dry_run_counts_calls_and_money_and_changes_nothing() -> None:
    project = paid(oracle="limit = 50")

    found = estimate(project)

    assert [each.standing.stage.name for each in found] == list(LINEAR)
    assert all(each.runs for each in found)
    oracle, evaluation = found[2].calls, found[4].calls
    assert oracle is not None and evaluation is not None
    test_rows = 160 - 128
    assert (oracle.rows, evaluation.rows) == (50, test_rows)
    assert sum(item.calls for item in oracle.items) == 2 * 50
    cost, most = total_usd(found)
    assert cost is not None and most is not None
    assert Decimal(0) < cost < most
    assert contents(".") == contents("recorded.jsonl", ".")
    assert sorted(path.name for path in Path().iterdir()) == ["recorded.jsonl", "routesdk.toml"]


def test_a_dry_run_counts_the_test_rows_that_the_limit_leaves() -> None:
    project = paid()
    config = attrs.evolve(project.config, project=attrs.evolve(project.config.project, test_limit=7))

    calls = estimate(attrs.evolve(project, config=config))[4].calls

    assert calls is not None
    assert calls.rows == 7


def test_recorded_test_rows_cost_nothing() -> None:
    write_project()

    found = estimate(open_project())

    assert found[4].calls is None
    assert "brings the outcomes of the test rows" in found[4].note
    assert total_usd(found) == (Decimal(0), Decimal(0))


def test_a_dry_run_says_what_shows_later_and_what_is_not_estimated() -> None:
    write_project()
    run(open_project())
    write_project(train='seed = 2\nexecutor = "modal"')
    found = {each.standing.stage.name: each for each in estimate(open_project())}

    assert found["oracle"].runs is False
    assert found["train"].runs is True
    assert "is not estimated" in found["train"].note
    assert found["evaluate"].runs is None
    alone = estimate(open_project(), start="evaluate")
    assert [each.runs for each in alone] == [False, False]
    assert all(each.runs for each in estimate(open_project(), force=True))


def test_test_rows_without_outcomes_are_answered_graded_and_judged_on() -> None:
    write_project(benchmark="jsonl")

    steps = run(open_project())

    assert did(steps) == LINEAR
    test = [each.id for each in read_examples("data/splits/simpleqa_test.jsonl")]
    judged = list(read_examples("data/generated/test_outcomes.jsonl"))
    assert [each.id for each in judged] == test
    assert all(len(each.outcomes) == 2 for each in judged)
    recorded = {each.id: each for each in read_examples("recorded.jsonl")}
    for each in judged:
        for model, outcome in each.outcomes.items():
            assert outcome.grade is recorded[each.id].outcomes[model].grade
    with JournalView.open(JOURNAL) as view:
        assert view.counts() == (len(test), len(test))
    # The oracle's journal knows nothing of them.
    with JournalView.open("data/generated/oracle.sqlite") as view:
        assert not {work.row.example.id for work in view.work()} & set(test)
    assert set(states().values()) == {"done", "not needed"}


def test_rows_that_nobody_could_grade_are_left_out_and_counted() -> None:
    write_project(benchmark="jsonl")
    run(open_project(), until="train")
    test = [each.id for each in read_examples("data/splits/simpleqa_test.jsonl")]
    # One test question is not among the recorded ones any more.
    rows = [each for each in make_examples(160) if each.id != test[0]]
    write_examples("fewer.jsonl", rows)
    file = Path("routesdk.toml")
    before, judge, after = file.read_text("utf-8").partition("judge = ")
    text = before + judge + after.replace("recorded.jsonl", "fewer.jsonl", 1)
    file.write_text(text, encoding="utf-8")

    (step, *_) = run(open_project(), start="evaluate", until="evaluate")

    assert "1 row without outcomes left out" in step.summary
    assert [each.id for each in read_examples("data/generated/test_outcomes.jsonl")] == test[1:]
    # Once its verdict is there, the row can be tried again.
    write_examples("fewer.jsonl", make_examples(160))
    steps = run(open_project(), start="evaluate", until="evaluate", retry_unscored=True)
    assert "left out" not in steps[0].summary
    assert [each.id for each in read_examples("data/generated/test_outcomes.jsonl")] == test


def test_rows_without_a_grade_are_tried_again_where_that_is_asked_for() -> None:
    write_project()
    run(open_project())

    steps = run(open_project(), retry_unscored=True)

    assert did(steps) == ("oracle", "evaluate", "report")
    assert steps[2].reasons == ("rows without a grade are tried again",)


def test_both_journals_together_stay_within_the_budget() -> None:
    project = paid(oracle="max_usd = 5")

    config = answer_config(project.config, project.layout, Path("rows.jsonl"))

    assert config.oracle.max_usd == Decimal(5)
    assert config.oracle.held_out == project.layout.train
    assert config.oracle.analyst.name == "heuristic"
    assert config.oracle.journal == JOURNAL


def test_a_run_without_a_key_stops_before_anything_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)

    with pytest.raises(RunStoppedError, match="GEMINI_API_KEY"):
        run(paid(oracle="limit = 4"))

    assert states()["split"] == "done"
    assert states()["oracle"] == "unfinished"
