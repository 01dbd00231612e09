"""Offers the benchmark, the backend and the judge `recorded`: what models once answered, from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs
from attrs.validators import min_len, optional

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Backend, Benchmark, Component, Judge


@attrs.frozen(kw_only=True)
class RecordedConfig:
    """Where outcomes were recorded.

    A row: `{"id", "query", "reference"?, "topic"?, "outcomes": {MODEL:
    {"grade" or "score", "answer"?, "usage"?}}}`.

    Attributes:
        path: A `.jsonl` file, or one that is compressed and ends in `.gz`.
        query_field: Field of the question, where a file has it in several languages.
    """

    path: Path
    query_field: str = attrs.field(default="query", validator=min_len(1))


@attrs.frozen(kw_only=True)
class RecordedBenchmarkConfig(RecordedConfig):
    """Where outcomes were recorded, and which of them to take.

    Attributes:
        topic: Take the rows of this topic alone; None for all.
    """

    topic: str | None = attrs.field(default=None, validator=optional(min_len(1)))


def _benchmark(config: RecordedBenchmarkConfig) -> Benchmark:
    from routesdk.plugins.recorded.benchmark import RecordedBenchmark

    return RecordedBenchmark(config.path, query_field=config.query_field, topic=config.topic)


def _backend(config: RecordedConfig) -> Backend:
    from routesdk.plugins.recorded.backend import RecordedBackend

    return RecordedBackend(config.path, query_field=config.query_field)


def _judge(config: RecordedConfig) -> Judge:
    from routesdk.plugins.recorded.judge import RecordedJudge

    return RecordedJudge(config.path, query_field=config.query_field)


@hookimpl
def routesdk_benchmarks() -> Iterable[Component[Benchmark]]:
    """Offer questions with the outcomes that were recorded."""
    yield Component(
        name="recorded",
        factory=_benchmark,
        config=RecordedBenchmarkConfig,
        summary="Questions with models' recorded outcomes, from a file.",
    )


@hookimpl
def routesdk_backends() -> Iterable[Component[Backend]]:
    """Offer the answers that were recorded."""
    yield Component(
        name="recorded",
        factory=_backend,
        config=RecordedConfig,
        summary="Models' recorded answers, from a file.",
    )


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    """Offer the verdicts that were recorded."""
    yield Component(
        name="recorded",
        factory=_judge,
        config=RecordedConfig,
        summary="Recorded verdicts on recorded answers, from a file.",
    )
