"""Executors of other machines are asked for what they kept, and told to stop: nothing paid for stays."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from oracles import findings, recorded_config, write_recorded
from routesdk import Component, hookimpl
from routesdk.errors import ExecutorError, RunStoppedError
from routesdk.pipeline.away import note, note_of
from routesdk.pipeline.oracle import Progress, generate
from routesdk.pipeline.oracle.caller import Halt
from routesdk.pipeline.oracle.shard import run_part
from routesdk.protocols import Executor, RemoteExecutor
from routesdk.testing import make_host
from routesdk.types import PartConfig, ShardResult


@attrs.define
class Elsewhere:
    """An executor that works on copies in a folder of its own, as another machine would."""

    folder: Path
    fate: str = "done"
    recovered: list[str] = attrs.field(factory=list)
    cancelled: threading.Event = attrs.field(factory=threading.Event)

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        if self.fate == "no account":
            raise ExecutorError("elsewhere", "nobody is known here", "Make an account.")
        return self._map(shard_files)

    def _map(self, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        for shard in shard_files:
            there = self.folder / shard.name
            shutil.copy(shard, there)
            run_part(there)
            if self.fate == "cancelled":
                assert self.cancelled.wait(120)
                yield ShardResult(shard, None, "cancelled")
            elif self.fate == "killed":
                return
            else:
                yield ShardResult(shard, Path(shutil.copy(there, shard)))

    def recover(self, stage_name: str, shard_files: Sequence[Path]) -> None:
        for shard in shard_files:
            self.recovered.append(shard.name)
            shutil.copy(self.folder / shard.name, shard)

    def cancel(self) -> None:
        self.cancelled.set()


@attrs.frozen
class ElsewherePlugin:
    """Offers one executor as `elsewhere`."""

    executor: Elsewhere

    @hookimpl
    def routesdk_executors(self) -> Iterator[Component[Executor]]:
        yield Component(name="elsewhere", factory=lambda: self.executor)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recorded(tmp_path_factory.mktemp("recorded") / "answers.jsonl", count=24)


def run(recorded: Path, folder: Path, executor: Elsewhere, halt: Halt | None = None) -> Progress:
    settings = recorded_config(
        recorded, folder / "oracle.sqlite", shards=2, executor=PartConfig("elsewhere"), concurrency=4
    )
    return generate(settings, host=make_host(ElsewherePlugin(executor)), halt=halt)


def there(folder: Path, fate: str = "done") -> Elsewhere:
    (folder / "there").mkdir(exist_ok=True)
    executor = Elsewhere(folder / "there", fate)
    assert isinstance(executor, RemoteExecutor)
    return executor


def test_what_a_killed_run_left_on_other_machines_comes_home_before_rows_are_divided_anew(
    recorded: Path, tmp_path: Path
) -> None:
    whole = recorded_config(recorded, tmp_path / "whole.sqlite")
    generate(whole, host=make_host())
    with pytest.raises(RunStoppedError):
        run(recorded, tmp_path, there(tmp_path, "killed"))
    executor = there(tmp_path)
    # The first part was done over there; the second had not begun, and has nothing to bring home.
    shutil.copy(tmp_path / "oracle.sqlite.parts" / "part-001.sqlite", tmp_path / "there")

    done = run(recorded, tmp_path, executor)

    assert executor.recovered == ["part-000.sqlite", "part-001.sqlite"]
    assert 0 < done.begun_at < done.total == done.done
    assert findings(tmp_path / "oracle.sqlite") == findings(whole.oracle.journal)


def test_a_run_that_is_to_stop_cancels_what_cannot_see_its_file(recorded: Path, tmp_path: Path) -> None:
    executor, halt = there(tmp_path, "cancelled"), Halt()
    threading.Timer(0.1, halt.ask).start()

    with pytest.raises(RunStoppedError, match="cancelled"):
        run(recorded, tmp_path, executor, halt)

    assert executor.cancelled.is_set()


def test_an_executor_without_an_account_says_so_itself(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError) as caught:
        run(recorded, tmp_path, there(tmp_path, "no account"))

    assert caught.value.problem == "nobody is known here"


def test_a_cancel_that_fails_is_logged_and_hides_nothing(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    executor, halt = there(tmp_path, "cancelled"), Halt()

    def cancel(self: Elsewhere) -> None:
        self.cancelled.set()
        raise OSError("the network is away")

    monkeypatch.setattr(Elsewhere, "cancel", cancel)
    threading.Timer(0.1, halt.ask).start()

    with pytest.raises(RunStoppedError, match="cancelled"):
        run(recorded, tmp_path, executor, halt)

    assert "the network is away" in caplog.text


def test_a_stop_reaches_an_executor_that_had_not_begun_when_it_was_told(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, halt, told = there(tmp_path, "cancelled"), Halt(), []

    def cancel(self: Elsewhere) -> None:
        told.append("cancel")
        if len(told) > 1:
            self.cancelled.set()

    monkeypatch.setattr(Elsewhere, "cancel", cancel)
    halt.ask()

    with pytest.raises(RunStoppedError):
        run(recorded, tmp_path, executor, halt)

    assert len(told) > 1


def test_parts_that_another_executor_has_are_not_given_up_unseen(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(RunStoppedError):
        run(recorded, tmp_path, there(tmp_path, "killed"))
    part = tmp_path / "oracle.sqlite.parts" / "part-000.sqlite"
    shutil.copy(part.with_name("part-001.sqlite"), tmp_path / "there")
    note(part, "another", {"run": "7"})

    with pytest.raises(ExecutorError) as caught:
        run(recorded, tmp_path, there(tmp_path))

    assert "sent away by the executor 'another'" in caught.value.problem
    assert str(note_of(part)) in caught.value.fix
    assert part.exists()
    note_of(part).unlink()
    done = run(recorded, tmp_path, there(tmp_path))
    assert done.done == done.total
