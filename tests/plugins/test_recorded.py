"""What models once answered is found again: as a benchmark, as a backend and as a judge."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import BackendError, ConfigError, DatasetError
from routesdk.host import PluginHost
from routesdk.plugins.recorded.backend import RecordedBackend
from routesdk.plugins.recorded.benchmark import RecordedBenchmark
from routesdk.plugins.recorded.judge import RecordedJudge
from routesdk.plugins.recorded.lookup import Lookup
from routesdk.protocols import Backend, Benchmark, Judge
from routesdk.structure import structure
from routesdk.testing import check_backend, check_benchmark, check_judge
from routesdk.types import Answer, Chunk, Grade, Message, Query, Request, Unscored, Usage, Verdict

ROWS: list[dict[str, object]] = [
    {
        "id": 0,
        "query": "Who wrote  Faust?",
        "query_cs": "Kdo napsal Fausta?",
        "reference": "Goethe",
        "topic": "Art",
        "outcomes": {
            "small": {"grade": "INCORRECT", "answer": "It was  Schiller,\nI think."},
            "big": {
                "grade": "CORRECT",
                "answer": "Goethe",
                "usage": {"input_tokens": 5, "output_tokens": 1, "cost_usd": "0.000012"},
            },
            "shy": {"grade": "NOT_ATTEMPTED", "answer": ""},
            "lost": {"grade": "CORRECT"},
        },
    },
    {"id": "b", "query": "2+2?", "topic": "Sums", "outcomes": {"small": {"score": 0.5, "answer": "5"}}},
    {
        "id": "c",
        "query": "Twice?",
        "topic": "Art",
        "outcomes": {"small": {"grade": "CORRECT", "answer": "x"}},
    },
    {
        "id": "d",
        "query": "twice?",
        "topic": "Art",
        "outcomes": {"small": {"grade": "INCORRECT", "answer": "y"}},
    },
    {
        "id": "e",
        "query": "Disputed?",
        "topic": "Art",
        "outcomes": {
            "small": {"grade": "CORRECT", "answer": "z"},
            "big": {"grade": "INCORRECT", "answer": "z"},
        },
    },
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


def ask(backend: Backend, query: Query | str, model: str) -> Answer:
    return asyncio.run(backend.generate(Request(query=Query.of(query), model=model)))


def grade(judge: Judge, question: str, reference: str, answer: str) -> Verdict | Unscored:
    return asyncio.run(judge.grade(question, reference, answer))


def collect(backend: Backend, query: str, model: str) -> list[Chunk]:
    async def run() -> list[Chunk]:
        return [chunk async for chunk in backend.stream(Request(query=Query(query), model=model))]

    return asyncio.run(run())


def test_the_three_parts_are_built_by_their_name(path: Path) -> None:
    host = PluginHost(entry_points=False)

    assert isinstance(host.benchmark("recorded", path=str(path)), Benchmark)
    assert isinstance(host.backend("recorded", path=str(path)), Backend)
    assert isinstance(host.judge("recorded", path=str(path), query_field="query"), Judge)


def test_the_benchmark_gives_questions_with_outcomes(path: Path) -> None:
    first = next(iter(PluginHost(entry_points=False).benchmark("recorded", path=str(path)).examples()))

    assert (first.id, first.reference, first.topic) == ("0", "Goethe", "Art")
    assert first.outcomes["shy"].grade is Grade.ABSTAINED
    assert first.outcomes["big"].answer == "Goethe"


def test_the_benchmark_takes_one_topic(path: Path) -> None:
    benchmark = PluginHost(entry_points=False).benchmark("recorded", path=str(path), topic="Sums")

    assert [example.id for example in benchmark.examples()] == ["b"]


def test_a_topic_that_no_row_has_is_an_error_that_names_the_others(path: Path) -> None:
    benchmark = PluginHost(entry_points=False).benchmark("recorded", path=str(path), topic="art")

    with pytest.raises(ConfigError, match="Art, Sums"):
        list(benchmark.examples())


def test_the_benchmark_reads_the_question_from_another_field(path: Path) -> None:
    benchmark = PluginHost(entry_points=False).benchmark("recorded", path=str(path), query_field="query_cs")
    examples = benchmark.examples()

    assert next(examples).query.text == "Kdo napsal Fausta?"
    with pytest.raises(DatasetError, match="line 2: it has no 'query_cs'"):
        next(examples)


def test_a_row_without_outcomes_is_an_error_in_all_three(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": 1, "query": "a", "outcomes": {}}\n')

    with pytest.raises(DatasetError, match="line 1: it has no 'outcomes'"):
        list(PluginHost(entry_points=False).benchmark("recorded", path=str(file)).examples())
    with pytest.raises(DatasetError, match="line 1: it has no 'outcomes'"):
        RecordedBackend(file)
    with pytest.raises(DatasetError, match="line 1: it has no 'outcomes'"):
        RecordedJudge(file)


def test_the_backend_repeats_the_answer_of_the_model_that_is_asked(path: Path) -> None:
    backend = RecordedBackend(path)

    assert ask(backend, "Who wrote  Faust?", "small").text == "It was  Schiller,\nI think."
    assert ask(backend, "Who wrote  Faust?", "big").text == "Goethe"
    assert ask(backend, "Who wrote  Faust?", "shy").text == ""


@pytest.mark.parametrize("query", ["who WROTE faust?", " Who wrote\nFaust? ", "Who\u00a0wrote Faust?"])
def test_the_backend_finds_a_query_whatever_its_case_and_blanks(path: Path, query: str) -> None:
    assert ask(RecordedBackend(path), query, "big").text == "Goethe"


def test_a_conversation_is_not_taken_for_its_last_turn(path: Path) -> None:
    backend = RecordedBackend(path)
    asked = Message("user", "Who wrote Faust?")

    assert ask(backend, Query.of([asked]), "big").text == "Goethe"
    with pytest.raises(BackendError, match="no row"):
        ask(backend, Query.of([Message("system", "Answer in Latin."), asked]), "big")


def test_tokens_that_nobody_counted_are_said_to_be_so(path: Path) -> None:
    backend = RecordedBackend(path)

    counted, uncounted = ask(backend, "Who wrote Faust?", "big"), ask(backend, "Who wrote Faust?", "small")

    assert counted.usage == Usage(input_tokens=5, output_tokens=1, cost_usd=Decimal("0.000012"))
    assert counted.finish_reason == "stop"
    assert uncounted.usage.cost_usd is None
    assert uncounted.usage.input_tokens is None


@pytest.mark.parametrize(
    ("query", "model", "problem"),
    [
        ("Who wrote Macbeth?", "big", "no row"),
        ("Who wrote Faust?", "bigg", "no model 'bigg'; it has big"),
        ("Who wrote Faust?", "lost", "kept no answer of 'lost'"),
        ("2+2?", "big", "kept no answer of 'big'"),
        ("Twice?", "small", "several answers of 'small'"),
        ("\ud800 surrogate?", "big", "no row"),
    ],
)
def test_what_was_not_recorded_is_an_error_that_trying_again_does_not_mend(
    path: Path, query: str, model: str, problem: str
) -> None:
    backend = RecordedBackend(path)

    with pytest.raises(BackendError) as caught:
        ask(backend, query, model)
    with pytest.raises(BackendError):
        collect(backend, query, model)

    assert problem in caught.value.problem
    assert not caught.value.retryable


@pytest.mark.parametrize("model", ["small", "big", "shy"])
def test_the_streamed_pieces_make_the_answer_and_the_last_has_the_usage(path: Path, model: str) -> None:
    backend = RecordedBackend(path)
    answer = ask(backend, "Who wrote Faust?", model)

    *pieces, last = collect(backend, "Who wrote Faust?", model)

    assert "".join(piece.text for piece in pieces) == answer.text
    assert all(piece.usage is None and piece.finish_reason is None for piece in pieces)
    assert last == Chunk(usage=answer.usage, finish_reason=answer.finish_reason)
    assert len(pieces) == len(answer.text.split())


def test_a_usage_that_cannot_be_read_is_a_dataset_error(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    outcome = {"grade": "CORRECT", "answer": "x", "usage": {"input_tokens": "many"}}
    file.write_text(json.dumps({"id": 1, "query": "a", "outcomes": {"m": outcome}}))

    with pytest.raises(DatasetError, match=r"line 1: the outcome of 'm': usage\.input_tokens = 'many'"):
        RecordedBackend(file)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Goethe", Grade.CORRECT),
        (" Goethe\n", Grade.CORRECT),
        ("It was  Schiller,\nI think.", Grade.INCORRECT),
        ("", Grade.ABSTAINED),
    ],
)
def test_the_judge_repeats_the_verdict_on_the_very_answer(path: Path, answer: str, expected: Grade) -> None:
    verdict = grade(RecordedJudge(path), "who wrote Faust?", "goethe", answer)

    assert isinstance(verdict, Verdict)
    assert verdict.grade is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "reason"),
    [
        ("Who wrote Faust?", "Goethe", "goethe", "no verdict on this answer"),
        ("Who wrote Macbeth?", "Goethe", "Goethe", "no recorded row"),
        ("Who wrote Faust?", "Marlowe", "Goethe", "another reference"),
        ("2+2?", "4", "5", "a score was recorded"),
        ("Disputed?", "", "z", "differ"),
        (" ", "Goethe", "Goethe", "no question"),
    ],
)
def test_the_judge_leaves_unscored_what_was_not_graded(
    path: Path, question: str, reference: str, answer: str, reason: str
) -> None:
    verdict = grade(RecordedJudge(path), question, reference, answer)

    assert isinstance(verdict, Unscored)
    assert reason in verdict.reason


def test_a_verdict_names_no_model(path: Path) -> None:
    verdict = grade(RecordedJudge(path), "Who wrote Faust?", "Goethe", "Goethe")

    assert not any(model in verdict.reason for model in ("small", "big", "shy", "lost"))


def test_every_field_of_a_usage_comes_back(tmp_path: Path) -> None:
    usage = {
        "input_tokens": 9,
        "output_tokens": 7,
        "thinking_tokens": 3,
        "cached_input_tokens": 2,
        "cost_usd": "0.000000000123",
        "latency_s": 0.25,
    }
    outcome = {"grade": "CORRECT", "answer": "x", "usage": usage}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"id": 1, "query": "a", "outcomes": {"m": outcome}}))

    assert ask(RecordedBackend(file), "a", "m").usage == structure(usage, Usage)


ODD_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@given(answers=st.lists(st.tuples(st.sampled_from(["m", "n"]), ODD_TEXT), min_size=1, max_size=6))
def test_answers_come_back_to_the_letter_and_a_second_one_makes_a_dispute(
    tmp_path_factory: pytest.TempPathFactory, answers: list[tuple[str, str]]
) -> None:
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [
        {"id": index, "query": "Who?", "outcomes": {model: {"grade": "CORRECT", "answer": text}}}
        for index, (model, text) in enumerate(answers)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    backend = RecordedBackend(file)

    for model in {model for model, _ in answers}:
        texts = {text for each, text in answers if each == model}
        if len(texts) == 1:
            assert {ask(backend, "Who?", model).text} == texts
        else:
            with pytest.raises(BackendError, match="several answers"):
                ask(backend, "Who?", model)


def test_threads_may_share_a_backend_and_a_judge(path: Path) -> None:
    backend, judge = RecordedBackend(path), RecordedJudge(path)

    def look(_: int) -> tuple[str, bool]:
        verdict = grade(judge, "Who wrote Faust?", "Goethe", "Goethe")
        return ask(backend, "Who wrote Faust?", "big").text, isinstance(verdict, Verdict)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(look, range(200)))

    assert found == {("Goethe", True)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_looks_rows_up_by_itself(path: Path) -> None:
    backend, judge = RecordedBackend(path), RecordedJudge(path)
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run here: the status says how it went.
        verdict = grade(judge, "Who wrote Faust?", "Goethe", "Goethe")
        answered = ask(backend, "Who wrote Faust?", "big").text == "Goethe"
        os._exit(0 if answered and isinstance(verdict, Verdict) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(backend, "Who wrote Faust?", "big").text == "Goethe"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_whose_file_is_gone_says_so(path: Path) -> None:
    backend, judge = RecordedBackend(path), RecordedJudge(path)
    path.unlink()
    child = os.fork()
    if child == 0:
        verdict = grade(judge, "Who wrote Faust?", "Goethe", "Goethe")
        try:
            ask(backend, "Who wrote Faust?", "big")
        except BackendError as error:
            told = "cannot be read" in error.problem and "cannot be read" in verdict.reason
            os._exit(0 if told and isinstance(verdict, Unscored) else 1)
        os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # Here the index is open, and outlives the file.
    assert ask(backend, "Who wrote Faust?", "big").text == "Goethe"


def test_a_backend_and_a_judge_can_be_sent_to_another_process(path: Path) -> None:
    backend = pickle.loads(pickle.dumps(RecordedBackend(path, query_field="query")))
    judge = pickle.loads(pickle.dumps(RecordedJudge(path)))

    assert ask(backend, "Who wrote Faust?", "big").text == "Goethe"
    assert isinstance(grade(judge, "Who wrote Faust?", "Goethe", "Goethe"), Verdict)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_an_index_is_on_disk_in_a_file_without_a_name(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    row = {"id": 1, "query": "a", "outcomes": {"m": {"grade": "CORRECT", "answer": "x" * 20_000_000}}}
    file.write_text(json.dumps(row))

    backend = RecordedBackend(file)

    found = [entry.stat() for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    # Deleted while it is open: nothing is left behind, even when the process is killed.
    assert any(entry.st_nlink == 0 and entry.st_size > 10_000_000 for entry in found)
    assert len(ask(backend, "a", "m").text) == 20_000_000
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_index_that_cannot_be_written_is_an_error_that_says_what_to_do(path: Path) -> None:
    def fill(database: sqlite3.Connection) -> None:
        database.execute("PRAGMA max_page_count = 2")
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (zeroblob(1000000))")

    with pytest.raises(ConfigError, match=r"index cannot be written \(database or disk is full\)"):
        Lookup(str(path), fill)


def test_real_answers_and_verdicts_are_found_again(data_folder: Path) -> None:
    file = data_folder / "evouna_nq.jsonl.gz"
    host = PluginHost(entry_points=False)
    backend, judge = host.backend("recorded", path=str(file)), host.judge("recorded", path=str(file))
    checked = 0

    for example in islice(host.benchmark("recorded", path=str(file)).examples(), 60):
        for model, outcome in example.outcomes.items():
            if outcome.answer is None:
                continue
            assert ask(backend, example.query, model).text == outcome.answer
            verdict = grade(judge, example.query.text, example.reference or "", outcome.answer)
            if isinstance(verdict, Verdict):
                assert verdict.grade is outcome.grade
                checked += 1

    # People contradict themselves on some equal answers; those alone may go unscored.
    assert checked > 290


def test_real_questions_are_found_in_the_language_they_were_asked_in(data_folder: Path) -> None:
    file = data_folder / "simpleqa_cs.jsonl.gz"
    english = next(iter(PluginHost(entry_points=False).benchmark("recorded", path=str(file)).examples()))
    backend = RecordedBackend(file, query_field="query_cs")
    czech = next(iter(RecordedBenchmark(file, query_field="query_cs").examples()))

    for model, outcome in czech.outcomes.items():
        assert ask(backend, czech.query, model).text == outcome.answer
    with pytest.raises(BackendError, match="no row"):
        ask(backend, english.query, next(iter(english.outcomes)))


def test_the_three_parts_keep_their_contracts(path: Path) -> None:
    check_benchmark(RecordedBenchmark(path))
    check_backend(RecordedBackend(path), Request(query=Query("who wrote Faust?"), model="big"))
    check_judge(RecordedJudge(path), question="Who wrote Faust?", reference="Goethe", wrong="Schiller")


@pytest.mark.slow
def test_a_hundred_times_the_rows_take_the_same_memory(repository: Path, tmp_path: Path) -> None:
    report = tmp_path / "memory.json"
    command = [sys.executable, repository / "benchmarks" / "memory.py", "--rows", "1000", "100000"]

    subprocess.run([*command, "--json", report], check=True, capture_output=True)

    figures = json.loads(report.read_text())
    parts = {row["part"] for row in figures}
    assert parts >= {"recorded backend", "recorded judge", "recorded benchmark"}
    for part in parts:
        few, many = (row["peak_mib"] for row in figures if row["part"] == part)
        assert many < 1.25 * few, part
