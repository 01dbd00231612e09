"""How long decisions take: one at a time, and in a batch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import attrs

from routesdk.router import Router
from routesdk.types import Decision, Query

_LONGEST_S = 10.0
"""Seconds after which no further decision is timed, so that slow routers do not hold up a table."""

_FEWEST = 5


@attrs.frozen(kw_only=True)
class Timing:
    """How long decisions took on this machine.

    Attributes:
        median_ms: Median time of a decision made alone, in milliseconds.
        decisions: How many were timed.
        batch_per_s: Decisions a second where all rows are given at once.
        batch: How many rows that were.
    """

    median_ms: float
    decisions: int
    batch_per_s: float
    batch: int


def decide_timed(
    router: Router, queries: Sequence[Query], timed: int
) -> tuple[list[Decision], Timing | None]:
    """Decide all queries in one batch, and some of them alone.

    The first decision is not timed: models are loaded and caches filled by it.

    Args:
        router: Decides.
        queries: At least one.
        timed: Up to how many to time alone; 0 for none. After ten seconds the
            timing ends early.

    Returns:
        The decisions of the batch, and the times; None where none were wanted.
    """
    if not timed:
        return router.route_batch(queries), None
    router.route(queries[0])
    started = time.perf_counter()
    decisions = router.route_batch(queries)
    batch_s = time.perf_counter() - started
    taken = times_alone(router, queries, timed)
    return decisions, Timing(
        median_ms=statistics.median(taken) * 1e3,
        decisions=len(taken),
        # A clock that stood still would make the rate infinite, which JSON has no word for.
        batch_per_s=len(queries) / max(batch_s, 1e-9),
        batch=len(queries),
    )


def times_alone(router: Router, queries: Sequence[Query], timed: int) -> list[float]:
    """Time decisions that are made one at a time, in seconds.

    Args:
        router: Decides.
        queries: What to decide.
        timed: Up to how many to time; after ten seconds the timing ends early.
    """
    taken: list[float] = []
    for query in queries[:timed]:
        if len(taken) >= _FEWEST and sum(taken) > _LONGEST_S:
            break
        started = time.perf_counter()
        router.route(query)
        taken.append(time.perf_counter() - started)
    return taken
