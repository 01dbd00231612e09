"""A run mapped over processes or machines: parts of the journal go out, and come back to be merged."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from routesdk.config import Config
from routesdk.errors import JournalError, RunStoppedError
from routesdk.host import PluginHost
from routesdk.journal import Journal, JournalView, merge, partition
from routesdk.pipeline.oracle.plan import build_plan
from routesdk.pipeline.oracle.run import Listener, Progress, work_off
from routesdk.structure import structure, unstructure
from routesdk.types import Example, from_nano, to_nano

STAGE = "routesdk.pipeline.oracle.shard:run_part"
"""The stage's name: names and files cross machines, never closures."""

_CONFIG = "part config"


async def work_off_in_shards(
    config: Config, journal: Journal, host: PluginHost, listen: Listener
) -> Progress:
    """Do every row of a journal that is not done, in parts that an executor runs.

    Each part has its share of the budget, of the concurrency and of the rates
    beforehand, for machines do not know of each other.

    Args:
        config: The config; its `[oracle]` names the executor and the number of parts.
        journal: Its rows are registered.
        host: Where the executor is found.
        listen: Is told where the run stands, after every part.

    Raises:
        RunStoppedError: A part did not come to its end; what it has is merged all the same.
        JournalError: A journal cannot be used.
    """
    start = time.monotonic()
    folder = _parts_folder(journal)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        problem, fix = (
            f"cannot be made ({error.strerror})",
            "Name a journal in a folder that can be written to.",
        )
        raise JournalError(str(folder), problem, fix) from error
    begun_at, total = journal.view.counts()
    calls = _calls(journal)
    about = {_CONFIG: json.dumps(unstructure(_share(config, journal)))}
    parts = partition(journal, folder, config.oracle.shards, about)
    executor = host.executor(config.oracle.executor.name, **config.oracle.executor.options)

    def progress() -> Progress:
        done, _ = journal.view.counts()
        return Progress(
            done=done,
            total=total,
            calls=_calls(journal) - calls,
            ledger=journal.ledger,
            elapsed_s=time.monotonic() - start,
            begun_at=begun_at,
        )

    problems, waited_for = [], set(parts)
    results = iter(executor.map(STAGE, parts)) if parts else iter(())
    while (result := await asyncio.to_thread(next, results, None)) is not None:
        merge(journal, result.output or result.shard)
        waited_for.discard(result.shard)
        if result.error:
            problems.append(result.error)
        listen(progress())
    # They may be under way still: the next run takes in what they found out.
    problems += [f"the executor gave no result for {part.name}" for part in sorted(waited_for)]
    if not waited_for:
        folder.rmdir()
    if problems:
        done, _ = journal.view.counts()
        problem = f"{len(problems)} of {len(parts)} parts did not come to their end; the first: {problems[0]}"
        raise RunStoppedError(problem, "Mend that, and run again: it goes on where it stopped.", done, total)
    return progress()


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
        asyncio.run(work_off(plan, journal, max_usd=config.oracle.max_usd, listen=lambda _: None))
    return part


@attrs.frozen
class _Registered:
    """The rows that came with the part; the benchmark itself stays at home."""

    view: JournalView

    def examples(self) -> Iterator[Example]:
        return (work.row.example for work in self.view.work())


def _calls(journal: Journal) -> int:
    return sum(bill.calls for bill in journal.view.bills())


def take_in_parts(journal: Journal) -> None:
    """Merge the parts that an earlier run was killed over: what they found out is paid for.

    Raises:
        JournalError: A part is still being written, or cannot be read.
    """
    folder = _parts_folder(journal)
    for left in sorted(folder.glob("part-*.sqlite")):
        merge(journal, left)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _parts_folder(journal: Journal) -> Path:
    return journal.path.with_name(f"{journal.path.name}.parts")


def _share(config: Config, journal: Journal) -> Config:
    """Return the config of one part: an even share of everything that is bounded."""
    oracle = config.oracle
    count = oracle.shards
    left = None
    if oracle.max_usd is not None:
        left = from_nano(max(0, to_nano(oracle.max_usd) - journal.ledger.total_nano) // count)
    part = attrs.evolve(
        oracle,
        shards=1,
        concurrency=max(1, oracle.concurrency // count),
        requests_per_minute=_divided(oracle.requests_per_minute, count),
        tokens_per_minute=_divided(oracle.tokens_per_minute, count),
        max_usd=left,
    )
    return Config(oracle=part, prices=config.prices)


def _divided(bound: float | None, count: int) -> float | None:
    return None if bound is None else bound / count
