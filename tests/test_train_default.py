"""The script that trains the bundled router, on a few made-up rows in place of the shared sets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from routesdk import Router
from routesdk.checkpoint import read_checkpoint
from routesdk.dataset import write_examples
from routesdk.pipeline.split import query_hash
from routesdk.testing import make_examples
from routesdk.types import Example, Query


@pytest.fixture(scope="module")
def tools(repository: Path) -> Iterator[Path]:
    folder = repository / "tools"
    if not folder.is_dir():
        pytest.skip("no tools here: this is not a checkout")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def data(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the shared sets, with 200 rows in each."""
    import shared_sets

    folder = tmp_path_factory.mktemp("sets")
    for each in shared_sets.SETS:
        pairs = [pair for pair in shared_sets.TEACHERS if pair.dataset == each.name]
        models = tuple(dict.fromkeys(model for pair in pairs for model in (pair.medium, pair.large)))
        rows = [_renamed(row, each.name) for row in make_examples(200, models=models)]
        write_examples(folder / each.file, rows)
    return folder


def _renamed(row: Example, name: str) -> Example:
    return attrs.evolve(row, query=Query(f"In {name}: {row.query.text}"))


def run(tools: Path, data: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            str(tools / "train_default.py"),
            "--skip-transfer",
            *options,
            "--output",
            str(output),
        ],
        env={**os.environ, "ROUTESDK_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def written(tools: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("out") / "default"
    done = run(tools, data, output)
    assert done.returncode == 0, done.stderr
    return output


def test_it_writes_a_router_that_loads_and_binds(written: Path) -> None:
    import shared_sets

    pair = shared_sets.PAIRS[0]
    router = Router.from_pretrained(written, medium=pair.medium, large=pair.large)

    assert router.shift is not None
    rows = [_renamed(row, "simpleqa").query for row in make_examples(200)]
    told = [decision.notices for decision in router.route_batch(rows)]
    assert told.count(()) >= 0.9 * len(rows)
    assert set(told) <= {(), (router.shift.notice,)}
    assert router.operating_point.large_share == pytest.approx(1 / 3, abs=0.01)


def test_the_card_has_every_pair_with_intervals_and_its_sources(written: Path) -> None:
    import shared_sets

    evidence = read_checkpoint(written).manifest.evidence

    measured = {(each.dataset, each.method) for each in evidence.metrics if each.metric == "APGR"}
    for pair in shared_sets.PAIRS:
        for method in ("bound", "generic", "prompt length"):
            assert (f"{pair.dataset}: {pair.name}", method) in measured
    assert all(each.low <= each.value <= each.high for each in evidence.metrics if each.low is not None)
    assert [source.name for source in evidence.sources] == [each.name for each in shared_sets.SETS]
    assert evidence.command == "python tools/train_default.py"


def test_the_card_says_how_often_familiar_queries_are_called_unlike(written: Path) -> None:
    import shared_sets

    manifest = read_checkpoint(written).manifest
    alarms = {each.dataset: each for each in manifest.evidence.metrics if each.method == "shift score"}
    router = Router.from_pretrained(written)

    assert set(alarms) == {each.name for each in shared_sets.SETS}
    assert manifest.shift is not None
    assert manifest.shift.false_alarm == 0.05
    assert "at most 5%" in (written / "README.md").read_text(encoding="utf-8")
    assert any("unlike" in each for each in router.route("SELECT a, b FROM t WHERE c = 1;").notices)


def test_a_shift_score_alone_changes_nothing_else(
    written: Path, tools: Path, data: Path, tmp_path: Path
) -> None:
    again = tmp_path / "default"
    plain = attrs.evolve(Router.from_pretrained(written), shift=None)
    plain.save_pretrained(again)
    before = read_checkpoint(again).manifest

    done = run(tools, data, again, "--only-shift")

    assert done.returncode == 0, done.stderr
    after = read_checkpoint(again).manifest
    assert before.shift is None
    assert after.shift == read_checkpoint(written).manifest.shift
    changed = attrs.evolve(
        after, shift=None, files=before.files, model_folder=before.model_folder, checksum=before.checksum
    )
    assert changed == before
    weights = [next(folder.glob("model-*/linear.safetensors")).read_bytes() for folder in (written, again)]
    assert weights[0] == weights[1]


def test_hashes_are_of_the_train_rows_and_of_no_test_row(written: Path, data: Path) -> None:
    import shared_sets

    hashes = set(read_checkpoint(written).training_hashes().tolist())
    sets = shared_sets.load_sets(data)
    splits = shared_sets.split_sets(sets, 0)

    for name, rows in sets.items():
        for part, expected in (("train", True), ("test", False)):
            found = {
                query_hash(row.query.text) in hashes for row in shared_sets.rows_of(rows, splits[name], part)
            }
            assert found == {expected}


def test_nothing_of_this_machine_is_in_the_checkpoint(written: Path, data: Path, repository: Path) -> None:
    for file in written.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for path in (data, written, repository, Path.home()):
                assert len(path.parts) < 3 or str(path).encode() not in content


def test_an_answer_without_a_letter_is_wrong_and_not_an_abstention(tools: Path, data: Path) -> None:
    import shared_sets

    graded = {
        name: {outcome.grade.value for row in rows for outcome in row.outcomes.values() if outcome.grade}
        for name, rows in shared_sets.load_sets(data).items()
    }

    assert graded["mmlu-pro"] == {"CORRECT", "INCORRECT"}
    assert "ABSTAINED" in graded["simpleqa"]


def test_without_the_sets_it_says_what_to_set(tools: Path, tmp_path: Path) -> None:
    done = run(tools, tmp_path / "nowhere", tmp_path / "out")

    assert done.returncode == 1
    assert "ROUTESDK_DATA" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes(written: Path, tools: Path, data: Path, tmp_path: Path) -> None:
    again = tmp_path / "default"
    assert run(tools, data, again).returncode == 0

    contents = [
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (written, again)
    ]
    assert contents[0] == contents[1]
