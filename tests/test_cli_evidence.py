"""The commands `split` and `leak-check`: what they write, what they print, how they leave."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from routers import make_router
from routesdk.cli import main
from routesdk.dataset import read_examples

TOPICS = ("Art", "Music")
QUESTIONS = [
    f"Who {verb} the {noun} of {place}?"
    for verb in ("painted", "restored", "described", "sold")
    for noun in ("great ceiling", "old gate", "long wall")
    for place in ("Avignon", "Bergen", "Coimbra", "Dubrovnik", "Esztergom")
]


@attrs.frozen
class Result:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["routesdk", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return Result(int(left.value.code or 0), said.out, said.err)

    return command


def jsonl(path: Path, questions: list[str] = QUESTIONS) -> Path:
    rows = ({"id": at, "query": text, "topic": TOPICS[at % 2]} for at, text in enumerate(questions))
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def lines(path: Path, *questions: str) -> Path:
    path.write_text("\n".join(questions) + "\n", encoding="utf-8")
    return path


# split


def test_a_file_is_divided_into_two_and_the_strata_are_counted(run: Run, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "mine.jsonl.gz")

    result = run("split", source)

    assert result.code == 0
    table = {line.split()[0]: line.split()[1:] for line in result.out.splitlines()}
    assert table["Art"] == ["24", "6", "20.0%"]
    train, test = (list(read_examples(tmp_path / f"mine_{part}.jsonl")) for part in ("train", "test"))
    assert (len(train), len(test)) == (48, 12)
    assert sorted(int(row.id) for row in train + test) == list(range(60))
    assert f"train: 48 rows in {tmp_path / 'mine_train.jsonl'}" in result.out


def test_share_seed_and_place_can_be_chosen_and_the_same_choice_gives_the_same_files(
    run: Run, tmp_path: Path
) -> None:
    source = jsonl(tmp_path / "mine.jsonl")

    for stem in ("one", "two"):
        assert run("split", source, "--test-share", 0.5, "--seed", 3, "-o", tmp_path / stem).code == 0

    first = (tmp_path / "one_test.jsonl").read_bytes()
    assert first == (tmp_path / "two_test.jsonl").read_bytes()
    assert first.count(b"\n") == 30


def test_a_benchmark_by_name_takes_options(run: Run, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "mine.jsonl")

    result = run("split", "--benchmark", "jsonl", "--option", f"path={source}", "--option", 'id="id"')

    assert result.code == 0
    assert (tmp_path / "jsonl_train.jsonl").is_file()


def test_joint_cells_are_balanced_where_tiers_are_named(run: Run, data_folder: Path) -> None:
    haiku, sonnet = "claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"

    result = run("split", data_folder / "simpleqa_cs.jsonl.gz", "-o", "cs", "--tier", haiku, "--tier", sonnet)

    table = {line.split()[0]: line.split()[1:] for line in result.out.splitlines()}
    assert table["joint"][0] == "cell"
    assert table["II"] == ["999", "250", "20.0%"]
    assert len(table) >= 10


def test_topics_are_balanced_with_a_notice_where_outcomes_are_missing(run: Run, tmp_path: Path) -> None:
    result = run("split", jsonl(tmp_path / "mine.jsonl"), "--tier", "small", "--tier", "big")

    assert result.code == 0
    assert result.err == "not every row has an outcome of small, big: no joint cells to balance\n"
    assert result.out.startswith("topic")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give either a file or a benchmark"),
        (("missing.jsonl",), "is no file"),
        (("mine.jsonl", "--benchmark", "jsonl"), "give either a file or a benchmark"),
        (("mine.jsonl", "--option", "a=b"), "is for a benchmark by name"),
        (("--benchmark", "jsonl", "--option", "path"), "is not KEY=VALUE"),
        (("--benchmark", "jsnl"), "Did you mean 'jsonl'?"),
        (("mine.jsonl", "--test-share", "1.5"), "not between 0 and 1"),
        (("mine_train.jsonl", "-o", "mine"), "would replace the rows"),
        (("broken.jsonl",), "broken.jsonl, line 2"),
        (("empty.txt",), "has no rows"),
    ],
)
def test_what_cannot_be_divided_is_refused_in_a_sentence(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    jsonl(tmp_path / "mine.jsonl")
    jsonl(tmp_path / "mine_train.jsonl")
    (tmp_path / "broken.jsonl").write_text('{"id": 1, "query": "Who?"}\n{"id": 2}\n')
    (tmp_path / "empty.txt").write_text("\n\n")

    result = run("split", *arguments)

    assert result.code == 2
    assert problem in result.err
    assert result.err.count("\n") == 1


# leak-check


def test_files_of_every_form_are_compared_with_each_other(run: Run, tmp_path: Path) -> None:
    left = jsonl(tmp_path / "left.jsonl")
    plain = lines(tmp_path / "right.txt", "What is new?", "", QUESTIONS[7].upper())
    csv = lines(tmp_path / "right.csv", "metadata,problem,answer", f'"{{}}",{QUESTIONS[7]},Me')

    assert run("leak-check", left, plain, "--json").rows == [
        {
            "left": {"id": "7", "text": QUESTIONS[7]},
            "right": {"id": "3", "text": QUESTIONS[7].upper()},
            "similarity": 1.0,
            "exact": True,
        }
    ]
    (row,) = run("leak-check", csv, jsonl(tmp_path / "right.jsonl.gz"), "--json").rows
    assert (row["left"], row["right"]) == (
        {"id": "0", "text": QUESTIONS[7]},
        {"id": "7", "text": QUESTIONS[7]},
    )


def test_near_duplicates_are_shown_with_their_likeness_and_the_exit_code_is_3(
    run: Run, tmp_path: Path
) -> None:
    left = lines(
        tmp_path / "a.txt", "Where did Hemmingway write the Old Man and the Sea?", "Who [red]wrote[/] it?"
    )
    right = lines(
        tmp_path / "b.txt", "Where did Hemingway write Old Man and the Sea?", "Who [red]wrote[/] it?"
    )

    result = run("leak-check", left, right)

    assert (result.code, result.err) == (3, "")
    assert "near, 0." in result.out and "Hemmingway" in result.out and "Hemingway" in result.out
    assert "Who [red]wrote[/] it?" in result.out
    assert "2 pairs: 1 exact, 1 near" in result.out


def test_no_leak_leaves_with_0(run: Run, tmp_path: Path) -> None:
    left, right = lines(tmp_path / "a.txt", "Who wrote Faust?"), lines(tmp_path / "b.txt", "Why is it late?")

    result = run("leak-check", left, right)

    assert (result.code, result.out) == (0, "no leak: no question stands on both sides, exactly or nearly\n")
    assert run("leak-check", left, right, "--json") == Result(0, "", "")


def test_one_file_is_searched_for_duplicates_and_few_are_printed(run: Run, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "twice.jsonl", [*QUESTIONS, *map(str.upper, QUESTIONS)])

    result = run("leak-check", source, "--limit", 5)

    assert result.code == 3
    assert "60 pairs: 60 exact, 0 near; 55 more are not shown" in result.out
    assert result.out.count("exact") == 6
    assert len(run("leak-check", source, "--json").rows) == 60


def test_the_sides_of_a_split_have_no_leak_also_where_the_file_has_duplicates(
    run: Run, tmp_path: Path
) -> None:
    source = jsonl(tmp_path / "twice.jsonl", [*QUESTIONS, *map(str.upper, QUESTIONS)])
    assert run("split", source).code == 0

    assert run("leak-check", source, "--split").code == 0
    assert run("leak-check", tmp_path / "twice_train.jsonl", tmp_path / "twice_test.jsonl").code == 0


def test_rows_that_the_bundled_router_learned_from_are_listed_with_its_sources(
    run: Run, data_folder: Path, tmp_path: Path
) -> None:
    result = run(
        "leak-check", data_folder / "simple_qa_test_set.csv", "--checkpoint", "default", "--limit", 2
    )

    assert result.code == 3
    assert "2823 rows that default learned from; 2821 more are not shown" in result.out
    assert "it was trained on 2,823 rows of simpleqa" in result.out
    fresh = lines(tmp_path / "fresh.txt", "Who is asked this for the first time today?")
    assert "learned from none of these rows" in run("leak-check", fresh, "--checkpoint", "default").out
    known = run("leak-check", data_folder / "simple_qa_test_set.csv", "--checkpoint", "default", "--json")
    assert len(known.rows) == 2_823 and set(known.rows[0]) == {"id", "text", "checkpoint"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("missing.txt",), "is no file"),
        (("a.txt", "b.txt", "--split"), "was given beside OTHER"),
        (("a.txt", "--split", "--checkpoint", "default"), "was given beside --split"),
        (("a.txt", "--checkpoint", "no-such-folder/x"), "error"),
        (("bad.txt",), "bad.txt, line 2: it is no text"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_a_sentence(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    lines(tmp_path / "a.txt", "Why?")
    lines(tmp_path / "b.txt", "Who?")
    (tmp_path / "bad.txt").write_bytes(b"Who?\n\xff\xfe\n")

    result = run("leak-check", *arguments)

    assert result.code == 2
    assert problem in result.err


def test_a_checkpoint_without_hashes_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = lines(tmp_path / "a.txt", "Why?")
    router = make_router({"CC": 1.0})
    monkeypatch.setattr("routesdk.router.Router.from_pretrained", lambda *_, **__: router)

    result = run("leak-check", source, "--checkpoint", "mine")

    assert result.code == 2
    assert "carries no hashes of what it learned from" in result.err
    assert "no leak" not in result.out


def test_an_empty_part_is_said(run: Run, tmp_path: Path) -> None:
    result = run("split", lines(tmp_path / "one.txt", "Why?"), "--test-share", 0.01)

    assert result.code == 0
    assert "the test part is empty" in result.err
    assert "the train part is empty" not in result.err
