"""Examples are read row by row, refused by line, and written so that they read back equal."""

from __future__ import annotations

import gzip
import json
import tempfile
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.dataset import (
    Fields,
    example_from_row,
    example_to_row,
    read_examples,
    read_jsonl,
    write_examples,
)
from routesdk.errors import ConfigError, DatasetError
from routesdk.types import Example, Grade, Message, Outcome, Query, Usage

# Any code point, lone surrogates and control characters among them.
texts = st.text(st.characters(exclude_categories=()), max_size=20)
sayings = texts.filter(lambda text: bool(text) and not text.isspace())
messages = st.lists(st.builds(Message, st.sampled_from(("system", "user", "assistant")), texts), max_size=3)
queries = st.builds(
    Query,
    sayings,
    messages.map(tuple),
    tags=st.frozensets(texts, max_size=2),
    metadata=st.dictionaries(texts, texts, max_size=2),
    id=st.just("") | sayings,
)


counts = st.none() | st.integers(0, 10**6)
usages = st.builds(
    Usage,
    input_tokens=counts,
    output_tokens=counts,
    thinking_tokens=st.integers(0, 9),
    cost_usd=st.none() | st.decimals(0, 10, places=9),
    latency_s=st.none() | st.floats(0, 1e6),
)


@st.composite
def outcomes(draw: st.DrawFn) -> dict[str, Outcome]:
    models = draw(st.lists(sayings, max_size=3, unique=True))
    quality = st.sampled_from(Grade).map(lambda grade: {"grade": grade}) | st.floats(0, 1).map(
        lambda score: {"score": score}
    )
    others: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {"answer": st.none() | texts, "usage": st.none() | usages, "reason": texts}
    )
    return {model: Outcome(model=model, **draw(others), **draw(quality)) for model in models}


examples = st.builds(
    Example,
    id=sayings,
    query=queries,
    reference=st.none() | sayings,
    topic=st.none() | sayings,
    outcomes=outcomes(),
)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@given(examples)
def test_an_example_survives_its_row_and_json_exactly(example: Example) -> None:
    row = json.loads(json.dumps(example_to_row(example)))

    assert example_from_row(row) == example


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_what_is_written_reads_back_equal_and_as_equal_bytes(tmp_path: Path, name: str) -> None:
    written = [
        Example(
            id="a",
            query=Query.of(
                [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me \ud800."}]
            ),
            outcomes={"m": Outcome(model="m", grade=Grade.ABSTAINED, answer="No\u2028idea")},
        ),
        Example(id="b", query=Query("月球?", tags={"x"}), reference="y", topic="t"),
    ]

    assert write_examples(tmp_path / name, iter(written)) == 2
    assert write_examples(tmp_path / f"again-{name}", written) == 2

    assert list(read_examples(tmp_path / name)) == written
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_a_write_that_breaks_off_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": 1, "query": "before"})

    def broken() -> Iterator[Example]:
        yield Example(id="1", query=Query("x"))
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        write_examples(path, broken())
    with pytest.raises(DatasetError, match="stands twice"):
        write_examples(path, [Example(id="1", query=Query("x"))] * 2)

    assert [example.query.text for example in read_examples(path)] == ["before"]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_what_a_call_used_and_why_it_was_graded_so_are_read_and_left_out_where_there_is_nothing() -> None:
    usage = {"input_tokens": 7, "output_tokens": 0, "cost_usd": "0.10", "latency_s": 0.0}
    row: dict[str, object] = {
        "id": "a",
        "query": "Who?",
        "outcomes": {
            "m": {"grade": "CORRECT", "usage": usage, "reason": "He did."},
            "n": {"grade": "INCORRECT"},
        },
    }

    example = example_from_row(row)

    assert example.outcomes["m"].usage == Usage(
        input_tokens=7, output_tokens=0, cost_usd="0.10", latency_s=0.0
    )
    assert example.outcomes["m"].reason == "He did."
    assert (example.outcomes["n"].usage, example.outcomes["n"].reason) == (None, "")
    assert example_to_row(example) == row


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": 10**5000}, "more than a hundred digits"),
        ({"id": -(10**150)}, "more than a hundred digits"),
        ({"metadata": {"row": 10**5000}}, "'metadata' cannot be written as JSON"),
        ({"outcomes": {" ": {"grade": "CORRECT"}}}, "not a model's name"),
        ({"outcomes": {"m": {"score": 10**400}}}, r"the score of 'm' lies outside \[0, 1\]"),
        ({"outcomes": {"m": {"score": 1, "reason": 3}}}, "the reason of 'm' is a number, not a string"),
        ({"outcomes": {"m": {"score": 1, "usage": 3}}}, "the outcome of 'm': usage = 3: is a whole number"),
        (
            {"outcomes": {"m": {"score": 1, "usage": {"input_tokens": -1}}}},
            r"the outcome of 'm': usage.input_tokens = -1: not a number of tokens",
        ),
        (
            {"outcomes": {"m": {"score": 1, "usage": {"tokens": 1}}}},
            r"the outcome of 'm': usage.tokens = 1: no such key",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_row_can_mean_is_a_dataset_error(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        example_from_row({"id": "a", "query": "Who?", **changes})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": "a", "query": "x", "query": "y"}', "the field 'query' stands twice"),
        (
            b'{"id": "a", "query": "x", "outcomes": {"m": {"score": 1}, "m": {"score": 0}}}',
            "'m' stands twice",
        ),
        (b'{"query": "x", "id": ' + b"1" * 5000 + b"}", "no JSON that can be read"),
    ],
)
def test_a_field_that_stands_twice_or_a_number_without_end_is_named(
    tmp_path: Path, line: bytes, problem: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(line)

    with pytest.raises(DatasetError, match=problem):
        list(read_examples(file))


def test_whole_numbers_as_ids_become_strings(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": 0, "query": "a"}, {"id": "x-1", "query": "b"})

    assert [example.id for example in read_examples(path)] == ["0", "x-1"]


def test_other_names_of_fields_are_followed(tmp_path: Path) -> None:
    row = {"key": 7, "question": "Q?", "gold": "G", "area": "A", "query": "wrong", "reference": "wrong"}
    fields = Fields(id="key", query="question", reference="gold", topic="area")

    (example,) = read_examples(write(tmp_path / "rows.jsonl", row), fields=fields)

    assert example == Example(id="7", query=Query("Q?"), reference="G", topic="A")


def test_a_conversation_is_read_from_messages() -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Goethe"}]

    alone = example_from_row({"id": 1, "messages": [*turns, {"role": "user", "content": "When?"}]})
    beside = example_from_row({"id": 1, "query": "When?", "messages": turns})

    assert alone.query.text == "When?"
    assert len(alone.query.messages) == 3
    assert beside.query == Query("When?", (Message("user", "Who?"), Message("assistant", "Goethe")))


def test_messages_are_passed_over_where_another_field_holds_the_query() -> None:
    row = {"id": 1, "query_cs": "Kdo?", "messages": [{"role": "user", "content": "Who?"}]}

    assert example_from_row(row, fields=Fields(query="query_cs")).query == Query("Kdo?")
    with pytest.raises(DatasetError, match="no 'query_de'"):
        example_from_row(row, fields=Fields(query="query_de"))


def test_metadata_that_is_no_text_becomes_json() -> None:
    example = example_from_row({"id": 1, "query": "a", "metadata": {"s": "x", "n": 2, "l": ["ü"]}})

    assert dict(example.query.metadata) == {"s": "x", "n": "2", "l": '["\\u00fc"]'}


def test_blank_lines_and_a_byte_order_mark_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": 1, "query": "a"}\r\n\r\n  \n{"id": 2, "query": "b"}')

    assert [line for line, _ in read_jsonl(path)] == [1, 4]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": 1,', "no JSON"),
        (b"[1, 2]", "a list, not an object"),
        (b"null", "null, not an object"),
        (b'{"id": 1, "score": NaN}', "NaN"),
        (b'{"id": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "no JSON"),
        (b'{"id": ' + b"9" * 5000 + b"}", "no JSON"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": 0, "query": "a"}\n' + line + b"\n")

    rows = read_jsonl(path)

    assert next(rows)[0] == 1
    with pytest.raises(DatasetError) as caught:
        next(rows)
    assert (caught.value.source, caught.value.line) == (str(path), 2)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"query": "a"}, "no 'id'"),
        ({"id": None, "query": "a"}, "no 'id'"),
        ({"id": " ", "query": "a"}, "'id' is blank"),
        ({"id": 1.5, "query": "a"}, "not a string or whole number"),
        ({"id": True, "query": "a"}, "not a string or whole number"),
        ({"id": 1}, "no 'query' and no 'messages'"),
        ({"id": 1, "query": " \n"}, "blank"),
        ({"id": 1, "query": 5}, "'query' is a number, not a string"),
        ({"id": 1, "query": ["a"]}, "'query' is a list"),
        ({"id": 1, "messages": []}, "no user turn"),
        ({"id": 1, "messages": "a"}, "'messages' are a string"),
        ({"id": 1, "messages": [{"role": "assistant", "content": "a"}]}, "no user turn"),
        ({"id": 1, "messages": [{"role": "robot", "content": "a"}]}, "role is 'robot'"),
        ({"id": 1, "messages": ["a"]}, "not a message"),
        ({"id": 1, "query": "a", "reference": 42}, "'reference' is a number, not a string"),
        ({"id": 1, "query": "a", "reference": " "}, "'reference' is blank"),
        ({"id": 1, "query": "a", "topic": []}, "'topic' is a list"),
        ({"id": 1, "query": "a", "tags": "law"}, "'tags'"),
        ({"id": 1, "query": "a", "metadata": [1]}, "'metadata' is a list"),
        ({"id": 1, "query": "a", "outcomes": []}, "'outcomes' are a list"),
        ({"id": 1, "query": "a", "outcomes": {"m": "CORRECT"}}, "outcome of 'm' is a string"),
        ({"id": 1, "query": "a", "outcomes": {"m": {}}}, "neither or both"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"grade": "CORRECT", "score": 1}}}, "neither or both"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"grade": "GOOD"}}}, "'GOOD'"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"grade": 1}}}, "no grade"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"score": 1.5}}}, "outside [0, 1]"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"score": "1"}}}, "score of 'm' is a string"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"score": True}}}, "score of 'm' is true or false"),
        ({"id": 1, "query": "a", "outcomes": {"m": {"score": 1, "answer": 3}}}, "answer of 'm' is a number"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(
    tmp_path: Path, row: dict[str, object], problem: str
) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": 0, "query": "a"}, row)

    with pytest.raises(DatasetError) as caught:
        list(read_examples(path))

    assert (caught.value.source, caught.value.line) == (str(path), 2)
    assert problem in caught.value.problem


def test_an_id_that_stands_twice_is_an_error_even_as_number_and_string(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": 1, "query": "a"}, {"id": "1", "query": "b"})

    with pytest.raises(DatasetError, match="line 2: the id '1'"):
        list(read_examples(path))


@pytest.mark.parametrize("fields", [Fields(reference="gold"), Fields(topic="gold")])
def test_a_field_that_was_named_must_be_in_every_row(tmp_path: Path, fields: Fields) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": 1, "query": "a", "gold": "x"}, {"id": 2, "query": "b"})

    with pytest.raises(DatasetError, match="line 2: it has no 'gold'"):
        list(read_examples(path, fields=fields))


def test_outcomes_are_required_or_passed_over_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"id": 1, "query": "a", "outcomes": {"m": {"score": 1}}})
    bare = write(tmp_path / "bare.jsonl", {"id": 1, "query": "a"})

    assert [dict(example.outcomes) for example in read_examples(path)] == [
        {"m": Outcome(model="m", score=1.0)}
    ]
    assert [dict(example.outcomes) for example in read_examples(path, fields=Fields(outcomes=None))] == [{}]
    with pytest.raises(DatasetError, match="no 'outcomes'"):
        list(read_examples(bare, require_outcomes=True))


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.jsonl.gz", "."])
def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_jsonl(tmp_path / name))


def test_damaged_compression_is_named_after_the_rows_before_it(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"id": %d}\n' % index for index in range(20_000)))
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "plain.jsonl.gz").write_bytes(b'{"id": 1}\n')
    (tmp_path / "bent.jsonl.gz").write_bytes(whole[:5000] + bytes(200) + whole[5200:])

    with pytest.raises(DatasetError) as caught:
        list(read_jsonl(tmp_path / "cut.jsonl.gz"))
    assert caught.value.line > 1
    for name in ("plain.jsonl.gz", "bent.jsonl.gz"):
        with pytest.raises(DatasetError, match="damaged"):
            list(read_jsonl(tmp_path / name))


def test_reading_streams_and_keeps_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for index in range(3000):
            file.write(json.dumps({"id": index, "query": f"{index} " + "x" * 2000}) + "\n")

    tracemalloc.start()
    try:
        assert sum(1 for _ in read_examples(path)) == 3000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < path.stat().st_size / 5


@pytest.mark.parametrize(
    ("name", "rows", "models"),
    [
        ("simpleqa_cs", 3528, 5),
        ("routellm_mmlu", 11360, 2),
        ("mmlu_pro", 9588, 6),
        ("evouna_nq", 2400, 5),
        ("nine_models", 4464, 9),
    ],
)
def test_every_recorded_set_is_read_whole(data_folder: Path, name: str, rows: int, models: int) -> None:
    seen: set[str] = set()
    count = 0

    for example in read_examples(data_folder / f"{name}.jsonl.gz", require_outcomes=True):
        count += 1
        seen.update(example.outcomes)

    assert (count, len(seen)) == (rows, models)


def test_recorded_rows_survive_being_written(data_folder: Path, tmp_path: Path) -> None:
    rows = list(islice(read_examples(data_folder / "simpleqa_cs.jsonl.gz"), 100))

    write_examples(tmp_path / "again.jsonl.gz", rows)

    assert list(read_examples(tmp_path / "again.jsonl.gz")) == rows


@given(st.lists(st.integers(0, 3000).map(str), max_size=60))
def test_an_id_that_stands_twice_is_found_wherever_it_stands(names: list[str]) -> None:
    examples = [Example(id=name, query=Query("Why?")) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        if len(set(names)) == len(names):
            assert write_examples(file, examples) == len(names)
            assert [example.id for example in read_examples(file)] == names
        else:
            with pytest.raises(DatasetError, match="stands twice"):
                write_examples(file, examples)


def test_ids_of_many_rows_are_kept_apart(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    count = write_examples(file, (Example(id=str(n), query=Query("Why?")) for n in range(5000)))

    assert sum(1 for _ in read_examples(file)) == count == 5000
    with file.open("a") as lines:
        lines.write('{"id": "4321", "query": "Why?"}\n')
    with pytest.raises(DatasetError, match="line 5001: the id '4321' stands in an earlier line already"):
        list(read_examples(file))
