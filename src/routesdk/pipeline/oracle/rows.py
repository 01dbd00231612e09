"""Which rows a run goes through: the train part of its benchmark, all of it or a stable choice."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import attrs

from routesdk.errors import ConfigError, DatasetError
from routesdk.journal import Row
from routesdk.pipeline.division import TRAIN, Division, divide
from routesdk.pipeline.fingerprint import stable_hash
from routesdk.pipeline.leak import refuse_outside_train
from routesdk.pipeline.oracle.held_out import HeldOut
from routesdk.pipeline.oracle.plan import Plan, has_utf8
from routesdk.protocols import Benchmark
from routesdk.types import Example


def divide_benchmark(plan: Plan) -> Division | HeldOut:
    """Divide a plan's benchmark into train and test, balanced by joint cell where outcomes are known.

    Where the config names the test part of a split that was made beforehand,
    all of the benchmark is the train part.
    """
    config = plan.config
    if config.held_out is not None:
        return HeldOut.read(config.held_out)
    models = tuple(tier.model for tier in config.tiers)
    return divide(plan.benchmark, test_share=config.test_share, seed=config.split_seed, tiers=models)


def train_rows(
    plan: Plan, division: Division | HeldOut | None = None, only: Sequence[Example] | None = None
) -> Iterator[Row]:
    """Yield the rows of a run: train rows alone, each with a reference to grade against.

    Args:
        plan: Who is asked what.
        division: The benchmark's parts; None divides it.
        only: These rows alone.

    Raises:
        LeakError: A row of `only` is not in the train part.
        DatasetError: A row has no reference.
        ConfigError: There is no row, or one of `only` is not in the benchmark.
    """
    division = division or divide_benchmark(plan)
    wanted = _chosen(only, division)
    least = _threshold(plan, division)
    found, missing = 0, set(wanted or ())
    counted = _Counted(plan.benchmark)
    for example in division.select(counted, TRAIN):
        position = counted.position
        if wanted is not None and example.id not in wanted:
            continue
        if least is not None and _draw(example) > least:
            continue
        if not has_utf8(example.id):
            problem = f"the id {example.id!a} holds half of a character, and cannot be stored"
            raise DatasetError(plan.config.benchmark.name, position + 1, problem)
        if example.reference is None or not example.reference.strip():
            problem = f"row {example.id!r} has no reference that answers could be graded against"
            raise DatasetError(plan.config.benchmark.name, position + 1, problem)
        found += 1
        missing.discard(example.id)
        bare = attrs.evolve(example, outcomes={})
        yield Row(example=bare, digest=plan.row_digest(bare), position=position)
    if missing:
        shown = ", ".join(sorted(missing)[:5])
        problem = f"the benchmark has no train row of {len(missing)} of these ids"
        raise ConfigError(
            "rows", shown, problem, "Take them out, or give the rows as the benchmark has them."
        )
    if not found:
        name = repr(plan.config.benchmark.name)
        raise ConfigError("oracle.benchmark", name, "has no row in its train part", "Give it more rows.")


class _Counted:
    """A benchmark that knows how far it was read."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark
        self.position = -1

    def examples(self) -> Iterator[Example]:
        """Yield the examples; `position` is that of the last one, from 0."""
        for position, example in enumerate(self._benchmark.examples()):
            self.position = position
            yield example


def _chosen(only: Sequence[Example] | None, division: Division | HeldOut) -> frozenset[str] | None:
    """Return the ids of the rows that were asked for, after a look at their part.

    Raises:
        LeakError: A row is not in the train part.
    """
    if only is None:
        return None
    refuse_outside_train(division, only)
    return frozenset(example.id for example in only)


def _draw(example: Example) -> int:
    return stable_hash(f"routesdk limit\x1f{example.query.text}\x1f{example.id}")


def _threshold(plan: Plan, division: Division | HeldOut) -> int | None:
    """Return the draw up to which rows are taken, so that a higher limit adds rows and takes none away."""
    limit = plan.config.limit
    if limit is None:
        return None
    draws = (_draw(example) for example in division.select(plan.benchmark, TRAIN))
    return max(heapq.nsmallest(limit, draws), default=None)
