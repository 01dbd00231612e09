"""Labels, tables, exports and relabelling: what a journal's grades come to, and that none is lost."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import attrs
import pytest

from oracles import (
    LARGE,
    MEDIUM,
    PRICES,
    Oracle,
    Questions,
    answer_to,
    config,
    examples,
    exported,
    host,
    question,
)
from routesdk.config import PriceConfig
from routesdk.dataset import read_examples
from routesdk.errors import BackendError, ConfigError, JournalError
from routesdk.host import PluginHost
from routesdk.journal import JournalView
from routesdk.pipeline.division import divide
from routesdk.pipeline.oracle import generate
from routesdk.pipeline.oracle.export import export, stored_matrix
from routesdk.pipeline.oracle.forecast import forecast
from routesdk.pipeline.oracle.label import CellTable, cell_table, recorded_work
from routesdk.pipeline.oracle.relabel import UNSCORED, relabel
from routesdk.testing import FakeJudge, make_host
from routesdk.types import Answer, Grade, PartConfig, Request, Unscored, Usage, Verdict

NINE = ("CC", "CI", "CA", "IC", "II", "IA", "AC", "AI", "AA")
PAIRS = {
    "simpleqa_cs": [
        ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-11-20"),
    ],
    "mmlu_pro": [("gemini-1.5-flash-002", "gemini-1.5-pro-002")],
}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, in which one row has no grade and one a reason that tells."""
    folder = tmp_path_factory.mktemp("run")

    def reply(request: Request) -> str | BackendError:
        if request.query.text == question(1) and request.model == LARGE:
            return BackendError("scripted", "400 bad request")
        return answer_to(request)

    class Telling:
        async def reason(self, query: object) -> str:
            told = getattr(query, "text", "") == question(5)
            return "The answer is thing 5." if told else "It asks for a particular thing."

    settings = config(folder, count=150)
    generate(settings, host=host(), backends={"scripted": Oracle(reply=reply)}, analyst=Telling())
    return settings.oracle.journal


def table(journal: Path, matrix: str | None = None) -> CellTable:
    with JournalView.open(journal) as view:
        built = stored_matrix(view, host(), None if matrix is None else PartConfig(matrix))
        return cell_table(view.work(), built, examples=2)


def test_the_table_counts_every_row_once(journal: Path) -> None:
    found = table(journal)
    with JournalView.open(journal) as view:
        works = list(view.work())
    counted = Counter("".join(grade.value[0] for grade in work.grades) for work in works if not work.unscored)

    assert {cell.name: cell.rows for cell in found.cells} == dict(counted)
    assert set(counted) == set(NINE)
    assert sum(counted.values()) + found.unscored == found.rows == len(works)
    assert (found.unscored, found.kept_out) == (1, 1)
    assert sum(found.policies.values()) == sum(counted.values())
    assert found.models == (MEDIUM, LARGE)
    for cell in found.cells:
        assert 0 < len(cell.examples) <= 2
        assert all(cell.name == "".join(g.value[0] for g in work.grades) for work in cell.examples)


def test_another_matrix_labels_the_same_cells(journal: Path) -> None:
    old, new = table(journal), table(journal, "cheapest-correct")

    assert {cell.name: cell.rows for cell in old.cells} == {cell.name: cell.rows for cell in new.cells}
    assert new.policies["Needs_large"] == old.count("IC") + old.count("AC")


@pytest.mark.parametrize("name", PAIRS)
def test_the_table_of_recorded_pairs_is_a_direct_count_of_the_file(data_folder: Path, name: str) -> None:
    file = data_folder / f"{name}.jsonl.gz"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    matrix = make_host().matrix("nine-cell")
    for medium, large in PAIRS[name]:
        counted: Counter[str] = Counter()
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                outcomes = json.loads(line)["outcomes"]
                if medium in outcomes and large in outcomes:
                    letters = [outcomes[model]["grade"] for model in (medium, large)]
                    counted["".join("A" if grade == "NOT_ATTEMPTED" else grade[0] for grade in letters)] += 1
        found = cell_table(recorded_work(read_examples(file), (medium, large)), matrix)

        assert {cell.name: cell.rows for cell in found.cells} == dict(counted)


def test_a_model_that_was_not_recorded_is_named(data_folder: Path) -> None:
    file = data_folder / "simpleqa_cs.jsonl.gz"
    with pytest.raises(ConfigError, match="claude-3-5-haiku"):
        list(recorded_work(read_examples(file), ("nobody", "no-one")))


# Exports.


def test_an_export_has_every_row_in_one_of_its_files(journal: Path, tmp_path: Path) -> None:
    with JournalView.open(journal) as view:
        done = export(view, tmp_path / "oracle.jsonl", host=host())
        works = {work.row.example.id: work for work in view.work()}
    labelled, kept_out = exported(done.dataset), exported(done.kept_out)

    assert (len(labelled), len(kept_out)) == (done.rows, done.rows_kept_out) == (len(works) - 2, 2)
    assert {row["id"] for row in labelled} | {row["id"] for row in kept_out} == set(works)
    for row in labelled:
        work = works[str(row["id"])]
        cell = "".join(grade.value[0] for grade in work.grades)
        policy = "Standard_Query" if cell[0] == "C" else "Complex_Query"
        policy = "Ambiguous_Query" if cell in {"II", "AI", "AA"} else policy
        assert row["label"]["cell"] == cell  # type: ignore[index]
        assert row["label"]["policy"] == policy  # type: ignore[index]
        assert row["analysis"] == "It asks for a particular thing."
    problems = {row["id"]: row["problem"] for row in kept_out}
    assert problems["q1"] == f"{LARGE}: no answer came: 400 bad request"
    assert "away" in str(problems["q5"])


def test_what_is_exported_can_be_read_as_recorded_outcomes(journal: Path, tmp_path: Path) -> None:
    with JournalView.open(journal) as view:
        done = export(view, tmp_path / "oracle.jsonl", host=host())
    benchmark = PluginHost().benchmark("recorded", path=str(done.dataset))
    found = list(benchmark.examples())

    assert len(found) == done.rows
    assert all(set(each.outcomes) == {MEDIUM, LARGE} for each in found)
    usage = found[0].outcomes[LARGE].usage
    assert usage is not None
    assert usage.cost_usd is not None
    assert usage.cost_usd > 0


def test_the_manifest_tells_where_all_came_from(journal: Path, tmp_path: Path) -> None:
    with JournalView.open(journal) as view:
        done = export(view, tmp_path / "oracle.jsonl", host=host())
        settled = view.ledger().settled_nano
    about = json.loads(done.manifest.read_text("utf-8"))

    for file in (done.dataset, done.kept_out):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert about["files"][file.name] == {"bytes": file.stat().st_size, "sha256": digest}
    assert about["config"]["judge"]["name"] == "comparing"
    assert about["config"]["matrix"]["name"] == "nine-cell"
    assert [tier["model"] for tier in about["config"]["tiers"]] == [MEDIUM, LARGE]
    assert any("do not know" in text for text in about["prompts"].values())
    assert about["split"]["test_share"] == 0.2
    assert sum(about["cells"].values()) == about["rows"]["labelled"] == done.rows
    assert about["rows"]["kept_out"] == {"no grade": 1, "the reason may not be used": 1}
    assert round(float(about["cost"]["settled_usd"]) * 10**9) == settled
    assert str(tmp_path) not in done.manifest.read_text("utf-8")
    assert str(journal.parent) not in done.manifest.read_text("utf-8")


def test_the_same_journal_gives_the_same_bytes(journal: Path, tmp_path: Path) -> None:
    with JournalView.open(journal) as view:
        one = export(view, tmp_path / "one.jsonl", host=host())
        first = one.dataset.read_bytes(), one.kept_out.read_bytes(), one.manifest.read_bytes()
        two = export(view, tmp_path / "one.jsonl", host=host())

    assert (two.dataset.read_bytes(), two.kept_out.read_bytes(), two.manifest.read_bytes()) == first


def test_an_export_that_cannot_be_written_is_named(journal: Path, tmp_path: Path) -> None:
    with JournalView.open(journal) as view:
        with pytest.raises(ConfigError, match="cannot be written"):
            export(view, tmp_path / "missing" / "oracle.jsonl", host=host())
        with pytest.raises(ConfigError, match=r"\.jsonl"):
            export(view, tmp_path / "oracle.csv", host=host())


def test_a_journal_without_a_run_has_nothing_to_export(tmp_path: Path) -> None:
    from routesdk.journal import Journal

    Journal(tmp_path / "empty.sqlite").close()
    with JournalView.open(tmp_path / "empty.sqlite") as view, pytest.raises(JournalError, match="no run"):
        export(view, tmp_path / "oracle.jsonl", host=host())


# Relabelling.


def test_the_same_matrix_changes_nothing(journal: Path) -> None:
    with JournalView.open(journal) as view:
        matrix = stored_matrix(view, host())
        done = relabel(view.work(), matrix, matrix)
        total = view.counts()[0]
    assert (done.moved, done.moved_tier, done.rows) == (0, 0, total)


def test_another_matrix_moves_labels_cell_by_cell_without_a_call(journal: Path) -> None:
    with JournalView.open(journal) as view:
        old, new = stored_matrix(view, host()), stored_matrix(view, host(), PartConfig("cheapest-correct"))
        done = relabel(view.work(), old, new)
        cells = table(journal)
        assert view.bills() == view.bills()
    graded = [change for change in done.changes if change.policy != UNSCORED]
    assert {change.cell: change.rows for change in graded} == {cell.name: cell.rows for cell in cells.cells}
    # An error avoided counts for nine-cell alone.
    assert done.moved_tier == cells.count("IA")
    assert [change.cell for change in done.changes if change.policy == UNSCORED] in (["?"], *_with_hole())


def _with_hole() -> list[list[str]]:
    return [[f"{letter}?"] for letter in "CIA"]


def test_another_judge_grades_the_stored_answers_anew(journal: Path) -> None:
    class Strict(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            if "know" in answer:
                return Unscored("cannot tell")
            return Verdict(Grade.INCORRECT, "strict")

    seen = []
    with JournalView.open(journal) as view:
        matrix = stored_matrix(view, host())
        done = relabel(view.work(), matrix, matrix, judge=Strict(), sink=seen.append)
    assert len(seen) == done.rows
    assert all(
        outcome.grade in (None, Grade.INCORRECT) and outcome.reason
        for work in seen
        for outcome in work.outcomes
    )
    assert done.policies[UNSCORED] > 0
    assert set(done.policies) == {UNSCORED, "Ambiguous_Query"}


def test_a_judge_that_asks_a_model_needs_a_journal() -> None:
    judge = host().judge("model", model="m", backend="scripted")
    matrix = host().matrix("nine-cell")
    with pytest.raises(ConfigError, match="makes no call"):
        relabel([], matrix, matrix, judge=judge)


def test_a_judge_that_asks_a_model_finds_the_verdicts_that_were_paid_for(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        if request.model == "judge-model":
            return json.dumps({"reason": "so it is", "grade": "CORRECT"})
        return answer_to(request)

    part = PartConfig("model", {"model": "judge-model", "backend": {"name": "scripted"}})
    settings = config(tmp_path, judge=part, prices=False, count_only_tokens=True)
    generate(settings, host=host(), backends={"scripted": Oracle(reply=reply)})
    judge = host().judge("model", **part.options)
    with JournalView.open(settings.oracle.journal) as view:
        matrix = stored_matrix(view, host())
        done = relabel(view.work(), matrix, matrix, judge=judge, view=view)
        other = host().judge("model", model="other-model", backend="scripted")
        none = relabel(view.work(), matrix, matrix, judge=other, view=view)
    assert done.moved == 0
    assert set(done.policies) == {"Standard_Query"}
    assert set(none.policies) == {UNSCORED}


def test_the_second_reply_of_a_judge_counts_where_the_first_could_not_be_read(tmp_path: Path) -> None:
    seen: set[str] = set()

    def reply(request: Request) -> str:
        if request.model != "judge-model":
            return answer_to(request)
        first = request.query.text not in seen
        seen.add(request.query.text)
        return "Hm." if first else json.dumps({"reason": "so it is", "grade": "CORRECT"})

    part = PartConfig("model", {"model": "judge-model", "backend": {"name": "scripted"}})
    settings = config(tmp_path, judge=part, prices=False, count_only_tokens=True)
    generate(settings, host=host(), backends={"scripted": Oracle(reply=reply)})
    with JournalView.open(settings.oracle.journal) as view:
        matrix = stored_matrix(view, host())
        done = relabel(view.work(), matrix, matrix, judge=host().judge("model", **part.options), view=view)
    assert (done.moved, done.lost) == (0, 0)


def test_no_folder_and_no_user_of_an_address_gets_out(tmp_path: Path) -> None:
    def reply(request: Request) -> str | BackendError:
        if request.query.text == question(1):
            return BackendError("scripted", f"{tmp_path}/answers.jsonl has no answer; see https://a.b/c/d")
        return answer_to(request)

    options = {"base_url": "http://me:s3cr3t@127.0.0.1:1/v1", "path": f"{tmp_path} of mine/my answers.jsonl"}
    part = PartConfig("scripted", options)
    settings = config(tmp_path, backend=part, system="/no_think")
    generate(settings, host=host(), backends={"scripted": Oracle(reply=reply)})
    with JournalView.open(settings.oracle.journal) as view:
        done = export(view, tmp_path / "oracle.jsonl", host=host())
    texts = "".join(each.read_text("utf-8") for each in (done.kept_out, done.manifest, done.dataset))
    assert str(tmp_path) not in texts
    assert "of mine" not in texts
    assert '"my answers.jsonl"' in texts
    assert "s3cr3t" not in texts
    assert "answers.jsonl has no answer; see https://a.b/c/d" in texts
    assert json.loads(done.manifest.read_text("utf-8"))["config"]["system"] == "/no_think"


def test_an_export_of_a_journal_that_is_being_written_is_of_one_state(tmp_path: Path) -> None:
    settings = config(tmp_path)
    generate(settings, host=host(), backends={"scripted": Oracle()})
    with JournalView.open(settings.oracle.journal) as view:
        before = view.counts()
        with view.snapshot():
            generate(config(tmp_path, system="Another."), host=host(), backends={"scripted": Oracle()})
            works = list(view.work())
        assert len(works) == before[0]
        assert all(work.outcomes for work in works)


# Forecasts.


def test_a_forecast_bounds_what_a_run_costs(tmp_path: Path) -> None:
    def reply(request: Request) -> Answer:
        cap = request.max_output_tokens or 0
        usage = Usage(input_tokens=len(request.query.text.encode()), output_tokens=cap)
        text = f"{request.model} {'x' * cap}"
        if request.model == "judge-model":
            text = json.dumps({"reason": "r", "grade": "CORRECT"})
        return Answer(text=text, model=request.model, usage=usage)

    part = PartConfig("model", {"model": "judge-model", "backend": {"name": "scripted"}})
    prices = {**PRICES, "judge-model": PriceConfig(input_usd_per_mtok=3, output_usd_per_mtok=9)}
    settings = attrs.evolve(config(tmp_path, judge=part, max_output_tokens=300), prices=prices)
    found = forecast(settings, host=host())
    assert not settings.oracle.journal.exists()
    done = generate(settings, host=host(), backends={"scripted": Oracle(reply=reply)})

    assert found.rows == done.total
    assert sum(item.calls for item in found.items) == done.calls
    assert found.at_most_usd is not None
    assert 0 < done.ledger.settled_nano <= found.at_most_usd * 10**9


def test_a_forecast_leaves_out_what_is_settled_and_rows_that_are_not_asked_for(tmp_path: Path) -> None:
    settings = config(tmp_path)
    whole = forecast(settings, host=host())
    chosen = [each for each in examples(40) if divide(Questions.of(40)).is_train(each)][:3]
    few = forecast(settings, host=host(), rows=chosen)
    assert (few.rows, [item.calls for item in few.items]) == (3, [3, 3])

    generate(settings, host=host(), backends={"scripted": Oracle()})
    done = forecast(settings, host=host())
    assert (done.rows, done.cost_usd) == (0, 0)
    # Another judge: the answers are there.
    judged = forecast(config(tmp_path, judge=PartConfig("lexical")), host=host())
    assert judged.rows == whole.rows
    assert [item.calls for item in judged.items] == [0, 0]
