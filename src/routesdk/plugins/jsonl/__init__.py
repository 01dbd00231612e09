"""Offers the benchmark `jsonl`: questions of one's own, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs
from attrs.validators import min_len, optional

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Benchmark, Component


@attrs.frozen(kw_only=True)
class JSONLConfig:
    """Where the questions are, and which fields hold what.

    Attributes:
        path: A `.jsonl` file, or one that is compressed and ends in `.gz`.
        id: Field of the id: a string or a whole number, unique in the file.
        query: Field of the question; under its usual name, a row may have
            `messages`, a whole conversation, in its place.
        reference: Field of the right answer, which every row must then have;
            None: the field `reference`, where a row has it.
        topic: Field of the topic, which every row must then have; None: the
            field `topic`, where a row has it.
    """

    path: Path
    id: str = attrs.field(default="id", validator=min_len(1))
    query: str = attrs.field(default="query", validator=min_len(1))
    reference: str | None = attrs.field(default=None, validator=optional(min_len(1)))
    topic: str | None = attrs.field(default=None, validator=optional(min_len(1)))


def _jsonl(config: JSONLConfig) -> Benchmark:
    from routesdk.plugins.jsonl.benchmark import JSONLBenchmark

    return JSONLBenchmark(config)


@hookimpl
def routesdk_benchmarks() -> Iterable[Component[Benchmark]]:
    """Offer questions from a JSONL file."""
    yield Component(
        name="jsonl",
        factory=_jsonl,
        config=JSONLConfig,
        summary="Questions from a .jsonl or .jsonl.gz file, one a line.",
    )
