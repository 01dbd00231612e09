"""One call from a config to a finished journal: split, registered, answered, graded."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Iterator, Mapping, Sequence

import attrs

from routesdk.catalogue import Catalogue
from routesdk.config import Config
from routesdk.errors import ConfigError, DatasetError, LeakError
from routesdk.host import PluginHost
from routesdk.journal import Journal, Row
from routesdk.pipeline.division import TRAIN, Division, divide
from routesdk.pipeline.fingerprint import stable_hash
from routesdk.pipeline.oracle.plan import Plan, build_plan
from routesdk.pipeline.oracle.run import Listener, Progress, work_off
from routesdk.pipeline.oracle.shard import work_off_in_shards
from routesdk.protocols import Analyst, Backend, Benchmark, Judge
from routesdk.structure import unstructure
from routesdk.types import Example


def generate(
    config: Config,
    *,
    host: PluginHost | None = None,
    rows: Sequence[Example] | None = None,
    retry_unscored: bool = False,
    listen: Listener | None = None,
    benchmark: Benchmark | None = None,
    backends: Mapping[str, Backend] | None = None,
    judge: Judge | None = None,
    analyst: Analyst | None = None,
    catalogue: Catalogue | None = None,
) -> Progress:
    """Run an oracle to its end, or go on with one; see `agenerate`.

    Raises:
        RouteSDKError: As for `agenerate`.
        RuntimeError: An event loop is running: await `agenerate` there.
    """
    return asyncio.run(
        agenerate(
            config,
            host=host,
            rows=rows,
            retry_unscored=retry_unscored,
            listen=listen,
            benchmark=benchmark,
            backends=backends,
            judge=judge,
            analyst=analyst,
            catalogue=catalogue,
        )
    )


async def agenerate(
    config: Config,
    *,
    host: PluginHost | None = None,
    rows: Sequence[Example] | None = None,
    retry_unscored: bool = False,
    listen: Listener | None = None,
    benchmark: Benchmark | None = None,
    backends: Mapping[str, Backend] | None = None,
    judge: Judge | None = None,
    analyst: Analyst | None = None,
    catalogue: Catalogue | None = None,
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
        benchmark: In place of the one that the config names.
        backends: Backends by name, in place of those that the host would build. Like
            the three that follow, they cannot cross machines, and are refused with shards.
        judge: In place of the one that the config names.
        analyst: In place of the one that the config names.
        catalogue: Prices; None takes the bundled ones.

    Returns:
        Where the run stands in the end.

    Raises:
        RunStoppedError: It ended early; the error says why, and what to do.
        JournalError: The journal cannot be used, or another run is writing it.
        LeakError: Rows lie outside the train part.
        DatasetError: A row cannot be used; nothing has been paid.
        RouteSDKError: A part cannot be built, or a price is unknown; nothing has been paid.
    """
    host = host or PluginHost()
    plan = build_plan(
        config,
        host,
        benchmark=benchmark,
        backends=backends,
        judge=judge,
        analyst=analyst,
        catalogue=catalogue,
    )
    passed_in = (benchmark, backends, judge, analyst, catalogue)
    if config.oracle.shards > 1 and any(each is not None for each in passed_in[1:]):
        problem = "parts that are passed in as objects cannot cross machines"
        fix = "Name them in the config, or use one shard."
        raise ConfigError("oracle.shards", str(config.oracle.shards), problem, fix)
    division = divide(plan.benchmark, test_share=config.oracle.test_share, seed=config.oracle.split_seed)
    with Journal(config.oracle.journal) as journal:
        journal.begin(_rows(plan, division, rows), _about(config, division, host))
        if retry_unscored:
            journal.reopen_unscored()
        if config.oracle.shards > 1:
            return await work_off_in_shards(config, journal, host, listen or _deaf)
        return await work_off(plan, journal, max_usd=config.oracle.max_usd, listen=listen or _deaf)


def _deaf(_: Progress) -> None:
    """Hear nothing."""


def _rows(plan: Plan, division: Division, only: Sequence[Example] | None) -> Iterator[Row]:
    """Yield the train rows to be done, each with a reference to grade against."""
    wanted = _chosen(only, division)
    least = _threshold(plan, division)
    found = 0
    for position, example in enumerate(division.select(plan.benchmark, TRAIN)):
        if wanted is not None and example.id not in wanted:
            continue
        if least is not None and _draw(example) > least:
            continue
        if example.reference is None or not example.reference.strip():
            problem = f"row {example.id!r} has no reference that answers could be graded against"
            raise DatasetError(plan.config.benchmark.name, position + 1, problem)
        found += 1
        bare = attrs.evolve(example, outcomes={})
        yield Row(example=bare, digest=plan.row_digest(bare), position=position)
    if not found:
        name = repr(plan.config.benchmark.name)
        raise ConfigError("oracle.benchmark", name, "has no row in its train part", "Give it more rows.")


def _chosen(only: Sequence[Example] | None, division: Division) -> frozenset[str] | None:
    """Return the ids of the rows that were asked for, after a look at their part.

    Raises:
        LeakError: A row is not in the train part.
    """
    if only is None:
        return None
    outside = tuple(example.id for example in only if not division.is_train(example))
    if outside:
        raise LeakError("an oracle", outside)
    return frozenset(example.id for example in only)


def _draw(example: Example) -> int:
    return stable_hash(f"routesdk limit\x1f{example.query.text}\x1f{example.id}")


def _threshold(plan: Plan, division: Division) -> int | None:
    """Return the draw up to which rows are taken, so that a higher limit adds rows and takes none away."""
    limit = plan.config.limit
    if limit is None or limit >= division.size(TRAIN):
        return None
    draws = (_draw(example) for example in division.select(plan.benchmark, TRAIN))
    return max(heapq.nsmallest(limit, draws))


def _about(config: Config, division: Division, host: PluginHost) -> dict[str, str]:
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
    split = {"test_share": division.test_share, "seed": division.seed, "strata": division.strata}
    split |= {"train_rows": division.size(TRAIN), "rows": len(division)}
    return {
        "config": json.dumps(unstructure(oracle)),
        "split": json.dumps(split),
        "parts": json.dumps(owners),
    }
