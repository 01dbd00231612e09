"""One call from a config to a finished journal: split, registered, answered, graded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from routesdk._loop import refuse_running_loop
from routesdk.catalogue import Catalogue
from routesdk.config import Config
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.journal import Journal
from routesdk.pipeline.division import TRAIN, Division
from routesdk.pipeline.oracle.caller import Halt
from routesdk.pipeline.oracle.held_out import HeldOut
from routesdk.pipeline.oracle.plan import build_plan
from routesdk.pipeline.oracle.rows import divide_benchmark, train_rows
from routesdk.pipeline.oracle.run import Listener, Progress, work_off
from routesdk.pipeline.oracle.shard import take_in_parts, work_off_in_shards
from routesdk.protocols import Analyst, Backend, Benchmark, Judge
from routesdk.structure import unstructure
from routesdk.types import Example


class Parts(TypedDict, total=False):
    """Parts that are passed in as objects, in place of those that the config names.

    Attributes:
        benchmark: Where the questions come from.
        backends: Backends by name. Like those that follow, they cannot cross
            machines, and are refused with shards.
        judge: Grades.
        analyst: Writes reasons.
        catalogue: Prices; without it, the bundled ones.
    """

    benchmark: Benchmark
    backends: Mapping[str, Backend]
    judge: Judge
    analyst: Analyst
    catalogue: Catalogue


def generate(
    config: Config,
    *,
    host: PluginHost | None = None,
    rows: Sequence[Example] | None = None,
    retry_unscored: bool = False,
    listen: Listener | None = None,
    halt: Halt | None = None,
    **parts: Unpack[Parts],
) -> Progress:
    """Run an oracle to its end, or go on with one; see `agenerate`.

    Raises:
        RouteSDKError: As for `agenerate`.
        RunningLoopError: An event loop is running in this thread: await `agenerate` there.
    """
    refuse_running_loop("generate", "`await agenerate(...)`")
    return asyncio.run(
        agenerate(
            config,
            host=host,
            rows=rows,
            retry_unscored=retry_unscored,
            listen=listen,
            halt=halt,
            **parts,
        )
    )


async def agenerate(
    config: Config,
    *,
    host: PluginHost | None = None,
    rows: Sequence[Example] | None = None,
    retry_unscored: bool = False,
    listen: Listener | None = None,
    halt: Halt | None = None,
    **parts: Unpack[Parts],
) -> Progress:
    """Answer, grade and analyse the train rows of a benchmark, into a journal.

    Started again on the same journal, it goes on: what is settled is never
    paid for again. A changed prompt, model or parameter is another call.

    Args:
        config: `[oracle]` and `[prices]` are used.
        host: Where parts are found; None loads built-in and installed ones.
        rows: These rows alone; each must be in the benchmark's train part.
        retry_unscored: Whether rows that ended without a grade, or without a
            reason that may be used, are tried again.
        listen: Is told where the run stands, after every row.
        halt: Asks the run to stop: calls under way come to their end, and no further one is begun.
        parts: Parts as objects: see `Parts`.

    Returns:
        Where the run stands in the end.

    Raises:
        RunStoppedError: It ended early; the error says why, and what to do.
        JournalError: The journal cannot be used, or another run is writing it.
        LeakError: Rows lie outside the train part.
        DatasetError: A row cannot be used; nothing has been paid.
        RouteSDKError: A part cannot be built, or a price is unknown; nothing has been paid.
    """
    oracle, host = config.oracle, host or PluginHost()
    _check_together(config, rows, parts)
    plan = build_plan(config, host, **parts)
    division = divide_benchmark(plan)
    with Journal(oracle.journal) as journal:
        journal.begin(train_rows(plan, division, rows), _about(config, division, host))
        if retry_unscored:
            journal.reopen_unscored()
        await take_in_parts(config, journal, host)
        if oracle.shards > 1:
            return await work_off_in_shards(config, journal, host, listen or _deaf, halt or Halt())
        return await work_off(plan, journal, max_usd=oracle.max_usd, listen=listen or _deaf, halt=halt)


def _check_together(config: Config, rows: Sequence[Example] | None, parts: Parts) -> None:
    """Refuse what cannot go together.

    Raises:
        ConfigError: A limit was given beside the rows, or shards beside parts as objects.
    """
    oracle = config.oracle
    if rows is not None and oracle.limit is not None:
        problem, fix = "was given beside the rows themselves", "Give one of the two."
        raise ConfigError("oracle.limit", str(oracle.limit), problem, fix)
    if oracle.shards > 1 and set(parts) - {"benchmark"}:
        problem = "parts that are passed in as objects cannot cross machines"
        fix = "Name them in the config, or use one shard."
        raise ConfigError("oracle.shards", str(oracle.shards), problem, fix)


def _deaf(_: Progress) -> None:
    """Hear nothing."""


def _about(config: Config, division: Division | HeldOut, host: PluginHost) -> dict[str, str]:
    """Return what the journal is to remember: it must tell the run's story by itself."""
    oracle = config.oracle
    owners = {}
    named = [("benchmark", oracle.benchmark), ("judge", oracle.judge), ("analyst", oracle.analyst)]
    named += [("matrix", oracle.matrix), ("executor", oracle.executor)]
    named += [("backend", tier.backend or oracle.backend) for tier in oracle.tiers]
    for kind, part in named:
        if part.name in host.names(kind):
            offered = host.find(kind, part.name)
            owners[f"{kind} {part.name}"] = f"{offered.distribution} {offered.version}".strip()
    split: dict[str, object]
    if isinstance(division, HeldOut):
        split = {"held_out": division.file.name, "test_rows": len(division.hashes)}
    else:
        split = {"test_share": division.test_share, "seed": division.seed, "strata": division.strata}
        split |= {"train_rows": division.size(TRAIN), "rows": len(division)}
    return {
        "config": json.dumps(unstructure(oracle)),
        "split": json.dumps(split),
        "parts": json.dumps(owners),
    }
