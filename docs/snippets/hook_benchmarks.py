"""A benchmark of sums, made up on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
from attrs.validators import ge

from routesdk import Component, PluginHost, Query, hookimpl
from routesdk.protocols import Benchmark
from routesdk.testing import check_benchmark
from routesdk.types import Example


@attrs.frozen(kw_only=True)
class Sums:
    """Ask for the sums of the numbers up to `largest`."""

    largest: int = attrs.field(default=9, validator=ge(1))

    def examples(self) -> Iterator[Example]:
        """Yield one sum at a time."""
        for a in range(1, self.largest + 1):
            for b in range(1, self.largest + 1):
                yield Example(id=f"{a}+{b}", query=Query(f"What is {a} + {b}?"), reference=str(a + b))


class SumsPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_benchmarks(self) -> Iterable[Component[Benchmark]]:
        """Offer `sums`."""
        yield Component(name="sums", factory=Sums, summary="Sums of small numbers.")


benchmark = PluginHost([SumsPlugin()]).benchmark("sums", largest=3)
check_benchmark(benchmark)
print(next(benchmark.examples()).query.text)
