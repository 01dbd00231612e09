"""A run mapped over processes or machines: parts of the journal go out, and come back to be merged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from routesdk.config import Config
from routesdk.errors import JournalError, RunStoppedError
from routesdk.host import PluginHost, attempt
from routesdk.journal import Journal, JournalView, merge, occupied, partition, parts_in, remove
from routesdk.pipeline.away import check_executor, forget
from routesdk.pipeline.oracle.caller import Halt
from routesdk.pipeline.oracle.plan import build_plan
from routesdk.pipeline.oracle.run import Listener, Progress, work_off
from routesdk.pipeline.oracle.seam import sound
from routesdk.protocols import Executor, RemoteExecutor
from routesdk.structure import structure, unstructure
from routesdk.types import Example, ShardResult, from_nano, to_nano

logger = logging.getLogger("routesdk")

STAGE = "routesdk.pipeline.oracle.shard:run_part"
"""The stage's name: names and files cross machines, never closures."""

_CONFIG = "part config"
_STOP = "stop"
# How often it is looked whether the run is to stop, in seconds.
_LOOK_S = 0.25


async def work_off_in_shards(
    config: Config, journal: Journal, host: PluginHost, listen: Listener, halt: Halt
) -> Progress:
    """Do every row of a journal that is not done, in parts that an executor runs.

    Each part has its share of the budget, of the concurrency and of the rates
    beforehand, for machines do not know of each other.

    Args:
        config: The config; its `[oracle]` names the executor and the number of parts.
        journal: Its rows are registered.
        host: Where the executor is found.
        listen: Is told where the run stands, after every part.
        halt: Asks it to stop: parts on this machine then let their calls come to their end.

    Raises:
        RunStoppedError: A part did not come to its end; what it has is merged all the same.
        JournalError: A journal cannot be used.
    """
    sitting = _Sitting(config, journal, listen)
    parts = sitting.divide()
    executor = host.executor(config.oracle.executor.name, **config.oracle.executor.options)
    watching = asyncio.ensure_future(_pass_on(halt, sitting.folder, executor))
    try:
        await sitting.collect(executor, parts)
    except BaseException:
        # Broken off: parts may still be under way, and must find the file, which the next run removes.
        await asyncio.shield(asyncio.to_thread(_ask_to_stop, sitting.folder, executor))
        raise
    finally:
        watching.cancel()
    _clear(sitting.folder)
    sitting.check()
    return sitting.progress()


class _Sitting:
    """One process's handing out and taking in."""

    def __init__(self, config: Config, journal: Journal, listen: Listener) -> None:
        self.folder = _parts_folder(journal)
        self._config = config
        self._journal = journal
        self._listen = listen
        self._start = time.monotonic()
        self._begun_at, self._total = journal.view.counts()
        self._calls = _calls(journal)
        self._spent_nano = journal.ledger.total_nano
        self._problems: list[str] = []
        self._parts = 0

    def divide(self) -> tuple[Path, ...]:
        """Write the parts."""
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            problem = f"cannot be made ({error.strerror})"
            raise JournalError(str(self.folder), problem, "Name a journal in a writable folder.") from error
        # Each part makes one call at a time at least.
        count = min(self._config.oracle.shards, self._config.oracle.concurrency)
        share = _share(self._config, self._journal, occupied(self._journal, count))
        parts = partition(self._journal, self.folder, count, {_CONFIG: json.dumps(unstructure(share))})
        self._parts = len(parts)
        return parts

    async def collect(self, executor: Executor, parts: tuple[Path, ...]) -> None:
        """Merge each part as it comes back; one that does not is named."""
        waited_for = set(parts)
        # In threads: an executor may wait for its machines from the first call on.
        mapped = (
            await asyncio.to_thread(sound, "executor", executor, executor.map, STAGE, parts) if parts else ()
        )
        results = iter(mapped)
        while True:
            result, error = await asyncio.to_thread(attempt, next, results, None)
            if error is not None:
                self._problems.append(f"the executor raised {type(error).__name__}: {error}")
            if not isinstance(result, ShardResult):
                break
            merge(self._journal, result.output or result.shard)
            forget(result.shard)
            waited_for.discard(result.shard)
            if result.shard in parts and result.output not in {None, result.shard}:
                # What came back from another machine is merged; what was sent there is of no use any more.
                remove(result.shard)
            if result.error:
                self._problems.append(result.error)
            self._listen(self.progress())
        # They may be under way still: the next run takes in what they found out.
        self._problems += [f"the executor gave no result for {part.name}" for part in sorted(waited_for)]

    def check(self) -> None:
        """Raise where rows are left."""
        done, _ = self._journal.view.counts()
        if done == self._total:
            return
        problems = self._problems or ["rows were left undone, for no reason that is known"]
        ended = f"{len(problems)} of {self._parts} parts did not come to their end"
        problem = f"{ended}; the first: {problems[0]}"
        fix = "Mend that, and run again: it goes on where it stopped."
        raise RunStoppedError(problem, fix, done, self._total)

    def progress(self) -> Progress:
        """Return where the run stands."""
        done, _ = self._journal.view.counts()
        return Progress(
            done=done,
            total=self._total,
            calls=_calls(self._journal) - self._calls,
            ledger=self._journal.ledger,
            elapsed_s=time.monotonic() - self._start,
            begun_at=self._begun_at,
            spent_before_nano=self._spent_nano,
        )


async def _pass_on(halt: Halt, folder: Path, executor: Executor) -> None:
    """Tell the parts, once the run is to stop."""
    while not halt.wanted:
        await asyncio.sleep(_LOOK_S)
    await asyncio.to_thread(_ask_to_stop, folder, executor)
    # Again and again: the executor may not have come to its first part when it was told.
    while True:
        await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(_cancel, executor)


def _ask_to_stop(folder: Path, executor: Executor) -> None:
    """Write the file that parts on this machine look for; cancel those that cannot see it."""
    with contextlib.suppress(OSError):
        (folder / _STOP).touch()
    _cancel(executor)


def _cancel(executor: Executor) -> None:
    if isinstance(executor, RemoteExecutor):
        # Whatever is stopping the run is what its caller must hear of.
        _, error = attempt(executor.cancel)
        if error is not None:
            logger.warning("the executor cannot cancel its parts: %s: %s", type(error).__name__, error)


class _StopFile(Halt):
    """A halt that a file asks for: parts may run in other processes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looked = -math.inf

    @property
    def wanted(self) -> bool:
        """Whether the file is there; looked for four times a second at the most."""
        now = time.monotonic()
        if not self._wanted and now - self._looked >= _LOOK_S:
            self._looked = now
            self._wanted = self._file.exists()
        return self._wanted


def run_part(part: Path) -> Path:
    """Do the rows of one part, in whatever process or machine this is; its journal is its result.

    Args:
        part: A journal that `partition` wrote.

    Returns:
        The same file.

    Raises:
        RouteSDKError: As for `work_off`.
    """
    with Journal(part) as journal:
        about = journal.view.about()
        if _CONFIG not in about:
            raise JournalError(str(part), "it is no part of a run", "Give a part that `partition` wrote.")
        config = structure(json.loads(about[_CONFIG]), Config, source=str(part))
        plan = build_plan(config, PluginHost(), benchmark=_Registered(journal.view))
        limit, halt = config.oracle.max_usd, _StopFile(part.with_name(_STOP))
        asyncio.run(work_off(plan, journal, max_usd=limit, listen=lambda _: None, halt=halt))
    return part


@attrs.frozen
class _Registered:
    """The rows that came with the part; the benchmark itself stays at home."""

    view: JournalView

    def examples(self) -> Iterator[Example]:
        return (work.row.example for work in self.view.work())


def _calls(journal: Journal) -> int:
    return sum(bill.calls for bill in journal.view.bills())


async def take_in_parts(config: Config, journal: Journal, host: PluginHost) -> None:
    """Merge the parts that an earlier run was killed over: what they found out is paid for.

    Args:
        config: The config; parts that were on other machines come home through the executor that it names.
        journal: The journal.
        host: Where the executor is found.

    Raises:
        JournalError: A part is still being written, or cannot be read.
        ExecutorError: The other machines cannot be reached, or parts are with another executor.
    """
    folder = _parts_folder(journal)
    left = parts_in(folder)
    for part in left:
        check_executor(part, config.oracle.executor.name)
    if left:
        executor = host.executor(config.oracle.executor.name, **config.oracle.executor.options)
        if isinstance(executor, RemoteExecutor):
            await asyncio.to_thread(sound, "executor", executor, executor.recover, STAGE, left)
    for part in left:
        merge(journal, part)
        forget(part)
    _clear(folder)


def _clear(folder: Path) -> None:
    """Remove the folder of parts, unless parts are left in it: they may be under way, and asked to stop."""
    if parts_in(folder):
        return
    (folder / _STOP).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _parts_folder(journal: Journal) -> Path:
    return journal.path.with_name(f"{journal.path.name}.parts")


def _share(config: Config, journal: Journal, count: int) -> Config:
    """Return the config of one of so many parts: an even share of everything that is bounded."""
    oracle, count = config.oracle, max(1, count)
    left = None
    if oracle.max_usd is not None:
        left = from_nano(max(0, to_nano(oracle.max_usd) - journal.ledger.total_nano) // count)
    part = attrs.evolve(
        oracle,
        shards=1,
        concurrency=oracle.concurrency // count,
        requests_per_minute=_divided(oracle.requests_per_minute, count),
        tokens_per_minute=_divided(oracle.tokens_per_minute, count),
        max_usd=left,
    )
    return Config(oracle=part, prices=config.prices)


def _divided(bound: float | None, count: int) -> float | None:
    return None if bound is None else bound / count
