"""Runs mapped over processes: nothing is lost, nothing doubled, whatever becomes of the parts."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

import oracles
from oracles import findings
from routesdk import Component, hookimpl
from routesdk.config import Config
from routesdk.errors import ConfigError, JournalError, RunStoppedError
from routesdk.journal import Call, Journal, JournalView, Row, TierOutcome, merge, partition
from routesdk.pipeline.oracle import Progress, agenerate, generate
from routesdk.pipeline.oracle.shard import run_part
from routesdk.protocols import Backend, Benchmark, Executor
from routesdk.testing import FakeJudge, make_host
from routesdk.types import Answer, Example, Grade, PartConfig, Request, ShardResult, Usage


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded answers and verdicts of two models, which every process can read."""
    return oracles.write_recorded(tmp_path_factory.mktemp("recorded") / "answers.jsonl")


def config(folder: Path, recorded: Path, **changes: object) -> Config:
    return oracles.recorded_config(recorded, **{"journal": folder / "oracle.sqlite", **changes})


def test_there_is_something_to_test_with(recorded: Path, tmp_path: Path) -> None:
    done = generate(config(tmp_path, recorded), host=make_host())

    assert done.total > 40
    assert len(findings(tmp_path / "oracle.sqlite")) == done.total


@pytest.mark.parametrize("executor", [PartConfig("local"), PartConfig("local", {"workers": 3})])
def test_parts_find_out_what_one_run_does(recorded: Path, tmp_path: Path, executor: PartConfig) -> None:
    generate(config(tmp_path, recorded, journal=tmp_path / "whole.sqlite"), host=make_host())
    heard: list[Progress] = []
    done = generate(
        config(tmp_path, recorded, shards=4, executor=executor, concurrency=8),
        host=make_host(),
        listen=heard.append,
    )

    assert findings(tmp_path / "oracle.sqlite") == findings(tmp_path / "whole.sqlite")
    assert done.done == done.total == heard[-1].done
    assert len(heard) == 4
    assert done.calls == 2 * done.total
    assert not (tmp_path / "oracle.sqlite.parts").exists()


def test_twins_of_rows_that_are_done_are_not_paid_again(tmp_path: Path) -> None:
    def settings(suffix: str, shards: int) -> Config:
        part = PartConfig("twins", {"suffix": suffix})
        return oracles.config(
            tmp_path,
            benchmark=part,
            shards=shards,
            executor=PartConfig("dying"),
            backend=PartConfig("counting"),
        )

    host = make_host(TwinPlugin(), oracles.OraclePlugin(), DyingPlugin("stop"))
    Counting.calls = 0
    generate(settings("a", 1), host=host)
    paid = Counting.calls
    with pytest.raises(RunStoppedError):
        generate(settings("b", 2), host=host)
    # What goes out knows every reply that is there already.
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        known = {work.row.question for work in view.work()}
    replies = 0
    for part in sorted((tmp_path / "oracle.sqlite.parts").glob("part-*.sqlite")):
        with sqlite3.connect(part) as database:
            replies += database.execute("SELECT COUNT(*) FROM call").fetchone()[0]
        database.close()
    assert known == set()
    assert replies == paid > 0


class Counting(oracles.Oracle):
    """Counts the calls of every one of its kind."""

    calls = 0

    async def generate(self, request: Request) -> Answer:
        type(self).calls += 1
        return await super().generate(request)


def _counting() -> Backend:
    return Counting()


@attrs.frozen(kw_only=True)
class Twins:
    """The same questions under other ids."""

    suffix: str

    def examples(self) -> Iterator[Example]:
        return (attrs.evolve(each, id=f"{each.id}-{self.suffix}") for each in oracles.examples(40))


class TwinPlugin:
    """Offers the benchmark `twins` and the backend `counting`."""

    @hookimpl
    def routesdk_benchmarks(self) -> Iterator[Component[Benchmark]]:
        yield Component(name="twins", factory=Twins)

    @hookimpl
    def routesdk_backends(self) -> Iterator[Component[Backend]]:
        yield Component(name="counting", factory=_counting)


def test_a_grade_stays_with_the_text_that_it_was_given_for(tmp_path: Path) -> None:
    def call(journal: Journal, text: str) -> bytes:
        row = next(journal.pending())
        made = Call(key=b"k" * 32, role="answer", question=row.question, provider="p", model="m")
        reply = Answer(text=text, model="m", usage=Usage(cost_usd=0))
        journal.settle(journal.reserve(made, 0), 0, made, reply)
        return made.key

    rows = [Row(example=each, digest="d", position=0) for each in oracles.examples(1)]
    with Journal(tmp_path / "main.sqlite") as journal:
        journal.begin(iter(rows), {})
        (part,) = partition(journal, tmp_path, 1, {})
        call(journal, "ours")
        with Journal(part) as theirs:
            key = call(theirs, "theirs")
            outcome = TierOutcome(model="m", grade=Grade.CORRECT, reason="", answer_key=key)
            theirs.finish(rows[0], [outcome], "", "")
        merge(journal, part)
        assert journal.view.counts() == (0, 1)
        found = journal.reply(key)
    assert found is not None
    assert found.text == "ours"


@pytest.mark.parametrize("fate", ["missing", "untouched", "raise", "text"])
def test_an_executor_that_breaks_its_contract_is_named(recorded: Path, tmp_path: Path, fate: str) -> None:
    with pytest.raises((RunStoppedError, JournalError)) as caught:
        run_dying(recorded, tmp_path, fate)
    assert "part" in str(caught.value) or "executor" in str(caught.value)
    done = run_dying(recorded, tmp_path)
    assert done.done == done.total


def test_what_an_executor_brings_back_elsewhere_is_merged(recorded: Path, tmp_path: Path) -> None:
    done = run_dying(recorded, tmp_path, "elsewhere", "elsewhere", "elsewhere")

    assert done.done == done.total
    assert not (tmp_path / "oracle.sqlite.parts").exists()


def test_there_are_no_more_parts_than_calls_at_once(recorded: Path, tmp_path: Path) -> None:
    heard: list[Progress] = []
    settings = config(tmp_path, recorded, shards=16, concurrency=2, executor=PartConfig("dying"))
    generate(settings, host=make_host(DyingPlugin()), listen=heard.append)

    assert len(heard) == 2


class Dying:
    """An executor whose parts end as a script says."""

    def __init__(self, fates: Sequence[str]) -> None:
        self._fates = list(fates)

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        assert stage_name == "routesdk.pipeline.oracle.shard:run_part"
        for shard in shard_files:
            fate = self._fates.pop(0) if self._fates else "done"
            if fate == "missing":
                yield ShardResult(shard, shard.with_name("nowhere.sqlite"))
            elif fate == "untouched":
                yield ShardResult(shard, shard)
            elif fate == "raise":
                raise ValueError("out of machines")
            elif fate == "text":
                yield str(shard)  # type: ignore[misc]
            elif fate == "elsewhere":
                copy = shard.with_name(f"back-{shard.name}")
                shutil.copy(shard, copy)
                yield ShardResult(shard, run_part(copy))
            elif fate == "lost":
                yield ShardResult(shard, None, "its worker process died")
            elif fate == "killed":
                child = os.fork()
                if child == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                os.waitpid(child, 0)
                yield ShardResult(shard, None, "killed")
            elif fate == "stop":
                return
            else:
                yield ShardResult(shard, run_part(shard))


class DyingPlugin:
    """Offers the executor `dying`."""

    def __init__(self, *fates: str) -> None:
        self._fates = fates

    @hookimpl
    def routesdk_executors(self) -> Iterator[Component[Executor]]:
        yield Component(name="dying", factory=lambda: Dying(self._fates))


def run_dying(recorded: Path, folder: Path, *fates: str) -> Progress:
    settings = config(folder, recorded, shards=3, executor=PartConfig("dying"))
    return generate(settings, host=make_host(DyingPlugin(*fates)))


def test_a_part_that_dies_loses_nothing_and_the_next_run_does_its_rows(
    recorded: Path, tmp_path: Path
) -> None:
    generate(config(tmp_path, recorded, journal=tmp_path / "whole.sqlite"), host=make_host())
    with pytest.raises(RunStoppedError, match="1 of 3 parts did not come to their end") as caught:
        run_dying(recorded, tmp_path, "done", "lost", "done")
    assert 0 < caught.value.done < caught.value.total

    done = run_dying(recorded, tmp_path)
    assert done.done == done.total
    assert findings(tmp_path / "oracle.sqlite") == findings(tmp_path / "whole.sqlite")


@pytest.mark.parametrize("shards", [1, 3])
def test_parts_that_a_killed_run_left_behind_are_taken_in_first(
    recorded: Path, tmp_path: Path, shards: int
) -> None:
    generate(config(tmp_path, recorded, journal=tmp_path / "whole.sqlite"), host=make_host())
    with pytest.raises(RunStoppedError, match="no result"):
        run_dying(recorded, tmp_path, "stop")
    folder = tmp_path / "oracle.sqlite.parts"
    left = sorted(folder.glob("part-*.sqlite"))
    assert len(left) == 3
    run_part(left[1])
    with JournalView.open(left[1]) as view:
        theirs = view.counts()[0]

    # Whether it has parts itself, or none.
    done = run_dying(recorded, tmp_path) if shards > 1 else generate(config(tmp_path, recorded))
    assert done.begun_at == theirs > 0
    assert done.done == done.total
    assert findings(tmp_path / "oracle.sqlite") == findings(tmp_path / "whole.sqlite")


@attrs.frozen
class Slow:
    """An executor that tells when it was asked, and whose parts are under way until they are let go."""

    begun: threading.Event
    held: threading.Event

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        self.begun.set()
        assert self.held.wait(120)
        yield from (ShardResult(shard, None, "broken off") for shard in shard_files)


@attrs.frozen
class SlowPlugin:
    """Offers the executor `slow`."""

    begun: threading.Event
    held: threading.Event

    @hookimpl
    def routesdk_executors(self) -> Iterator[Component[Executor]]:
        yield Component(name="slow", factory=lambda: Slow(self.begun, self.held))


def test_parts_of_a_run_that_is_broken_off_are_asked_to_stop(recorded: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, recorded, shards=2, executor=PartConfig("slow"))
    begun, held = threading.Event(), threading.Event()

    async def break_off() -> None:
        task = asyncio.ensure_future(agenerate(settings, host=make_host(SlowPlugin(begun, held))))
        while not begun.is_set() and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        held.set()
        assert task.cancelled()

    folder = tmp_path / "oracle.sqlite.parts"
    asyncio.run(break_off())
    part = min(folder.glob("part-*.sqlite"))
    with pytest.raises(RunStoppedError, match="asked to stop"):
        run_part(part)
    # The next run takes them in, and goes on.
    done = generate(config(tmp_path, recorded, shards=2), host=make_host())
    assert done.done == done.total
    assert not folder.exists()


def test_the_budget_is_divided_beforehand(recorded: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, recorded, shards=3, executor=PartConfig("dying"), max_usd=Decimal("0.9"))
    with pytest.raises(RunStoppedError):
        generate(settings, host=make_host(DyingPlugin("stop")))
    shares = []
    for part in sorted((tmp_path / "oracle.sqlite.parts").glob("part-*.sqlite")):
        with JournalView.open(part) as view:
            shares.append(view.about()["part config"])
    assert all('"max_usd": "0.3' in share and '"shards": 1' in share for share in shares)


def test_parts_that_are_passed_in_cannot_cross_machines(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot cross machines"):
        generate(config(tmp_path, recorded, shards=2), host=make_host(), judge=FakeJudge())
