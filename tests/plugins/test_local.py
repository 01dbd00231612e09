"""Stages run on this machine, and each shard ends with an output or an error, whatever a worker does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from routesdk.errors import ConfigError, StageError
from routesdk.host import PluginHost
from routesdk.plugins.local.executor import LocalExecutor
from routesdk.protocols import Executor
from routesdk.testing import check_executor
from routesdk.types import ShardResult

STAGES = '''
import os
import sys
import time
from pathlib import Path


def double(shard):
    """Write twice the number that the shard holds."""
    output = shard.with_suffix(".out")
    output.write_text(f"{2 * int(shard.read_text())} {os.getpid()}")
    return output


def forget(shard):
    shard.with_suffix(".out").write_text("")


def lie(shard):
    return shard.with_suffix(".never")


def leave(shard):
    sys.exit(3)


def die(shard):
    if shard.read_text() == "2":
        os._exit(1)
    return double(shard)


class KeywordOnly(Exception):
    """Can be pickled, but never read again."""

    def __init__(self, *, reason):
        super().__init__(reason)


def raise_unreadable(shard):
    raise KeywordOnly(reason="cannot cross a process border")


NUMBER = 4
'''


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module of stages that workers can import too."""
    (tmp_path / "code").mkdir()
    name = "routesdk_test_stages"
    (tmp_path / "code" / f"{name}.py").write_text(STAGES)
    (tmp_path / "code" / "routesdk_test_broken.py").write_text("import package_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.in" for number in range(5)]
    for number, file in enumerate(files):
        file.write_text(str(number))
    return files


def run(stage: str, shards: list[Path], workers: int) -> dict[Path, ShardResult]:
    results = list(LocalExecutor(workers).map(stage, shards))
    assert sorted(result.shard for result in results) == sorted(shards)
    return {result.shard: result for result in results}


def test_the_executor_is_built_by_its_name() -> None:
    executor = PluginHost(entry_points=False).executor("local", workers=3)

    assert isinstance(executor, Executor)
    assert executor == LocalExecutor(3)


def test_one_worker_runs_in_this_process_in_the_order_of_the_files(stages: str, shards: list[Path]) -> None:
    results = list(LocalExecutor().map(f"{stages}:double", shards))

    assert [result.shard for result in results] == shards
    texts = [result.output.read_text() for result in results if result.output]
    assert texts == [f"{2 * number} {os.getpid()}" for number in range(5)]


def test_several_workers_are_other_processes_and_lose_no_shard(stages: str, shards: list[Path]) -> None:
    results = run(f"{stages}:double", shards, workers=2)

    written = [results[shard].output.read_text().split() for shard in shards]  # type: ignore[union-attr]
    assert [int(number) for number, _ in written] == [0, 2, 4, 6, 8]
    pids = {int(pid) for _, pid in written}
    assert len(pids) <= 2
    assert os.getpid() not in pids


def test_one_worker_runs_a_shard_only_when_its_result_is_asked_for(stages: str, shards: list[Path]) -> None:
    results = LocalExecutor().map(f"{stages}:double", shards)

    next(results)

    assert shards[0].with_suffix(".out").exists()
    assert not shards[1].with_suffix(".out").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_shard_has_an_error_and_the_others_an_output(
    stages: str, shards: list[Path], workers: int
) -> None:
    shards[1].write_text("not a number")
    shards[3].unlink()

    results = run(f"{stages}:double", shards, workers)

    assert [results[shard].output is not None for shard in shards] == [True, False, True, False, True]
    assert results[shards[1]].error.startswith("ValueError: invalid literal")
    assert "line 11" in results[shards[1]].error
    assert results[shards[3]].error.startswith("FileNotFoundError")
    assert results[shards[0]].error == ""


def test_a_worker_that_dies_takes_only_its_own_shard_with_it(stages: str, shards: list[Path]) -> None:
    results = run(f"{stages}:die", shards, workers=2)

    assert "worker process died" in results[shards[2]].error
    outputs = [results[shard].output for shard in shards if shard != shards[2]]
    assert all(output is not None and output.exists() for output in outputs)


def test_an_exception_that_cannot_cross_a_process_border_is_an_error_like_any_other(
    stages: str, shards: list[Path]
) -> None:
    results = run(f"{stages}:raise_unreadable", shards[:1], workers=2)

    assert results[shards[0]].error.startswith("KeywordOnly: cannot cross a process border")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("forget", "returned NoneType, not the path"),
        ("lie", "does not exist"),
        ("leave", "SystemExit: 3"),
    ],
)
def test_a_stage_that_leaves_no_file_behind_has_failed(
    stages: str, shards: list[Path], function: str, error: str
) -> None:
    (result,) = LocalExecutor().map(f"{stages}:{function}", shards[:1])

    assert result.output is None
    assert error in result.error


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        ("double", "not of the form"),
        ("{stages}:", "not of the form"),
        ("{stages}:a:b", "not of the form"),
        ("..stages:double", "not of the form"),
        ("no_such_package.stages:double", "no module 'no_such_package'"),
        ("routesdk.no_such_module:double", "no module 'routesdk.no_such_module'"),
        ("{stages}:treble", "has no 'treble'"),
        ("{stages}:NUMBER", "is no function"),
        ("routesdk_test_broken:run", "ModuleNotFoundError: No module named 'package_that_is_not_there'"),
    ],
)
def test_a_stage_that_cannot_be_found_is_an_error_at_once(
    stages: str, shards: list[Path], workers: int, stage: str, problem: str
) -> None:
    with pytest.raises(StageError) as caught:
        # Not iterated on purpose: the mistake must show before any shard is paid for.
        LocalExecutor(workers).map(stage.format(stages=stages), shards)

    assert problem in caught.value.problem


@pytest.mark.parametrize("workers", [1, 2])
def test_no_shards_give_no_results(stages: str, workers: int) -> None:
    assert run(f"{stages}:double", [], workers) == {}


@pytest.mark.parametrize(
    ("options", "key"),
    [({"workers": 0}, "workers"), ({"workers": 1.5}, "workers"), ({"worker": 2}, "worker")],
)
def test_wrong_options_are_config_errors_that_name_the_key(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).executor("local", **options)

    assert caught.value.key == f"executor.local.{key}"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_executor_keeps_its_contract(workers: int) -> None:
    check_executor(LocalExecutor(workers))
