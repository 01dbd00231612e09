"""Questions of one's own are read from a JSONL file, with its own names of fields."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from routesdk.errors import ConfigError, DatasetError
from routesdk.host import PluginHost
from routesdk.protocols import Benchmark
from routesdk.testing import check_benchmark
from routesdk.types import Example, Query


def build(path: Path, **options: object) -> Benchmark:
    return PluginHost(entry_points=False).benchmark("jsonl", path=str(path), **options)


def write(path: Path, rows: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_questions_are_read_in_order_and_again(tmp_path: Path) -> None:
    rows = [{"id": 1, "query": "Who?", "reference": "Me"}, {"id": "b", "query": "Quién?", "topic": "es"}]
    benchmark = build(write(tmp_path / "rows.jsonl", rows))
    expected = [
        Example(id="1", query=Query("Who?"), reference="Me"),
        Example(id="b", query=Query("Quién?"), topic="es"),
    ]

    assert isinstance(benchmark, Benchmark)
    assert list(benchmark.examples()) == expected
    assert list(benchmark.examples()) == expected


def test_a_compressed_file_is_read_the_same(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"id": 1, "query": "Who?"}\n'))

    assert list(build(tmp_path / "rows.jsonl.gz").examples()) == [Example(id="1", query=Query("Who?"))]


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    row = {"n": 3, "problem": "1+1?", "answer": "2", "area": "sums"}
    path = write(tmp_path / "rows.jsonl", [row])

    benchmark = build(path, id="n", query="problem", reference="answer", topic="area")

    assert list(benchmark.examples()) == [
        Example(id="3", query=Query("1+1?"), reference="2", topic="sums"),
    ]


def test_conversations_are_read_from_messages(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Who wrote Faust?"},
        {"role": "assistant", "content": "Goethe"},
        {"role": "user", "content": "When?"},
    ]

    (example,) = build(write(tmp_path / "rows.jsonl", [{"id": 1, "messages": turns}])).examples()

    assert example.query == Query.of(turns)


def test_outcomes_of_any_form_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"id": 1, "query": "Who?", "outcomes": "good"}])

    assert list(build(path).examples()) == [Example(id="1", query=Query("Who?"))]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("not an object", "a string, not an object"),
        ({"id": 1}, "no 'query'"),
        ({"query": "Who?"}, "no 'id'"),
        ({"id": 1, "query": "  "}, "its 'query' cannot be used: its text is blank"),
        ({"id": 1, "messages": []}, "its 'messages' cannot be used"),
        ({"id": 1, "query": "Who?", "topic": ""}, "its 'topic' is blank"),
        ({"id": 0, "query": "Who?"}, "stands in an earlier line"),
    ],
)
def test_a_bad_row_stops_the_reading_at_its_line(tmp_path: Path, row: object, problem: str) -> None:
    path = write(tmp_path / "rows.jsonl", [{"id": 0, "query": "Who?"}, row])
    examples = build(path).examples()

    assert next(examples).id == "0"
    with pytest.raises(DatasetError) as caught:
        next(examples)
    assert (caught.value.source, caught.value.line) == (str(path), 2)
    assert problem in caught.value.problem


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(build(tmp_path / "missing.jsonl").examples())


@pytest.mark.parametrize(
    ("options", "key"),
    [({}, "path"), ({"path": "x", "query": ""}, "query"), ({"path": "x", "ids": "n"}, "ids")],
)
def test_wrong_options_are_config_errors_that_name_the_key(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).benchmark("jsonl", **options)

    assert caught.value.key == f"benchmark.jsonl.{key}"


def test_the_benchmark_keeps_its_contract(tmp_path: Path) -> None:
    rows = [{"id": index, "query": f"Question {index}?", "reference": str(index)} for index in range(20)]

    check_benchmark(build(write(tmp_path / "rows.jsonl", rows)))
