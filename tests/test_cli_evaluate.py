"""`routesdk evaluate`, as a person types it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from command import Command
from routesdk.dataset import write_examples
from routesdk.pipeline.evaluation import Advice, from_record, read_evaluation
from routesdk.testing import MODELS, make_examples
from routesdk.types import Example, Query

BOUND = ("--checkpoint", "default", "--medium", MODELS[0], "--large", MODELS[1])
QUICK = ("--resamples", "100", "--timed", "0", "--reasons", "0")
TRAINED = (
    *("--tier", f"medium={MODELS[0]}", "--tier", f"large={MODELS[1]}"),
    *("--trainer", "linear", "--option", "bits=10", "--compare", "none", "-o", "router", "--work", "work"),
)
FILES = ("router_results.jsonl", "router_metrics.json", "comparison.json")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `routesdk` in a folder of its own, in which rows lie."""
    monkeypatch.chdir(tmp_path)
    write_examples(tmp_path / "test.jsonl", make_examples(90))
    return Command(monkeypatch, capsys)


def test_results_and_a_report_are_written_and_the_verdict_stands_last(run: Command, tmp_path: Path) -> None:
    done = run("evaluate", "test.jsonl", *BOUND, *QUICK)

    assert done.code == 0, done.err
    home = tmp_path / "evaluation" / "results"
    assert sorted(path.name for path in home.iterdir()) == sorted((*FILES, "report.html"))
    evaluation = read_evaluation(home, results=True)
    assert len(evaluation.results) == evaluation.rows == 90
    assert evaluation.verdict.sentences[0] in " ".join(done.out.split())
    for line in evaluation.lines:
        assert line.name in done.out
    assert evaluation.resamples == 100
    page = (home / "report.html").read_text("utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_provenance_names_file_hash_and_command(run: Command, tmp_path: Path) -> None:
    run("evaluate", "test.jsonl", *BOUND, *QUICK, "-o", "out")

    found = read_evaluation(tmp_path / "out").provenance
    (file,) = found.data
    assert (file.name, file.rows) == ("test.jsonl", 90)
    assert file.sha256 == hashlib.sha256((tmp_path / "test.jsonl").read_bytes()).hexdigest()
    assert found.command == " ".join(("routesdk evaluate test.jsonl", *BOUND, *QUICK, "-o", "out"))
    assert found.checkpoint == "default"
    assert found.checkpoint_id


def test_json_is_one_object_on_standard_output(run: Command, tmp_path: Path) -> None:
    done = run("evaluate", "test.jsonl", *BOUND, *QUICK, "--format", "json", "-o", "out")

    (record,) = done.rows
    assert from_record(record) == read_evaluation(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)


def test_markdown_is_printed_and_written(run: Command, tmp_path: Path) -> None:
    done = run("evaluate", "test.jsonl", *BOUND, *QUICK, "--format", "md", "-o", "out")

    assert done.out == (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "| always medium |" in done.out


def test_a_config_says_what_to_evaluate_and_the_command_line_wins(run: Command, tmp_path: Path) -> None:
    (tmp_path / "routesdk.toml").write_text(
        f'[router]\nmedium = "{MODELS[0]}"\nlarge = "{MODELS[1]}"\n'
        '[evaluate]\ndata = ["test.jsonl"]\noutput = "here"\nresamples = 100\nseed = 5\ntopics = false\n'
        'perturbations = ["case"]\ntimed = 0\nreasons = 0\nmistakes = 1\n'
        f'[prices."{MODELS[0]}"]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
        f'[prices."{MODELS[1]}"]\ninput_usd_per_mtok = 10\noutput_usd_per_mtok = 20\n'
    )
    done = run("evaluate", "-c", "routesdk.toml", "--seed", "6")

    assert done.code == 0, done.err
    found = read_evaluation(tmp_path / "here")
    assert (found.seed, found.resamples) == (6, 100)
    assert [each.name for each in found.perturbations] == ["case"]
    assert "topic" not in {each.by for each in found.breakdowns}
    assert found.cost.basis == "estimated"
    assert f"{MODELS[1]} 10/20 US dollars per million tokens" in found.cost.note
    kinds = [each.kind for each in found.mistakes]
    assert len(kinds) == len(set(kinds))


def test_no_wordings_are_tried_where_none_are_wanted(run: Command, tmp_path: Path) -> None:
    run("evaluate", "test.jsonl", *BOUND, *QUICK, "--perturbation", "none", "-o", "out")

    assert read_evaluation(tmp_path / "out").perturbations == ()


def test_rows_that_the_router_learned_from_are_refused_with_their_ids(run: Command, tmp_path: Path) -> None:
    assert run("train", "test.jsonl", *TRAINED).code == 0
    error = run("evaluate", "test.jsonl", "--checkpoint", "router", *QUICK).refused()

    assert "must not be used for evaluation" in error
    assert "row-" in error
    assert not (tmp_path / "evaluation").exists()


def test_a_trained_router_needs_no_models_named(run: Command, tmp_path: Path) -> None:
    rows = make_examples(200)
    write_examples(tmp_path / "train.jsonl", rows[:120])
    write_examples(tmp_path / "held_out.jsonl", rows[120:])
    assert run("train", "train.jsonl", *TRAINED).code == 0
    done = run("evaluate", "held_out.jsonl", "--checkpoint", "router", *QUICK)

    assert done.code == 0, done.err
    found = read_evaluation(tmp_path / "evaluation" / "results")
    assert [tier.model for tier in found.tiers] == list(MODELS)
    assert found.provenance.checkpoint == "router"
    assert found.rows == 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "there is nothing to evaluate on"),
        (("absent.jsonl",), "absent.jsonl"),
        (("test.jsonl",), "no row has an outcome of medium (gemini-2.5-flash)"),
        (("test.jsonl", "test.jsonl", *BOUND), "90 ids stand twice"),
        (("test.jsonl", *BOUND, "--resamples", "10"), "evaluate.resamples"),
        (("test.jsonl", *BOUND, "--format", "pdf"), "evaluate.format"),
        (("test.jsonl", *BOUND, "--perturbation", "rot13"), "evaluate.perturbations"),
        (("test.jsonl", *BOUND, "--timed", "-1"), "evaluate.timed"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_sentence(
    run: Command, arguments: tuple[str, ...], words: str
) -> None:
    assert words in run("evaluate", *arguments).refused()


def test_a_file_that_is_no_rows_is_refused_with_its_line(run: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("How far is the Moon?\n")

    assert "notes.txt" in run("evaluate", "notes.txt", *BOUND).refused()


def test_results_of_an_evaluation_are_no_rows_to_evaluate(run: Command) -> None:
    assert run("evaluate", "test.jsonl", *BOUND, *QUICK, "-o", "out").code == 0

    assert "none has outcomes" in run("evaluate", "out/router_results.jsonl", *BOUND).refused()


def test_one_row_is_measured_and_not_made_much_of(run: Command, tmp_path: Path) -> None:
    write_examples(tmp_path / "one.jsonl", make_examples(1))
    done = run("evaluate", "one.jsonl", *BOUND, *QUICK)

    assert done.code == 0, done.err
    assert "Not enough data to say: 1 row" in done.out
    assert read_evaluation("evaluation/results").verdict.advice is Advice.NOT_ENOUGH_DATA


def test_text_that_a_terminal_does_not_take_is_no_trouble(run: Command, tmp_path: Path) -> None:
    odd = "[bold]Who?\x1b[31m \ud800 </script> & | `x`"
    rows = [
        Example(id=f"{at} [red]", query=Query(f"{odd} {at}"), topic=odd, outcomes=row.outcomes)
        for at, row in enumerate(make_examples(40))
    ]
    write_examples(tmp_path / "odd.jsonl", rows)
    done = run("evaluate", "odd.jsonl", *BOUND, *QUICK)

    assert done.code == 0, done.err
    assert "\x1b[31m" not in done.out
    first = (tmp_path / "evaluation" / "results" / "router_results.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["query"] == f"{odd} 0"
