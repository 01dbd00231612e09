"""Measure an oracle run: calls a second beside a bare loop over the same client, and beside the ideal.

    python benchmarks/oracle.py [--rows 800] [--pairs 3] [--json FILE]

A bare loop keeps 64 calls under way with the provider's own client, against a local server in a
process of its own that answers after 200 ms; the run does the same calls, with all that it does
beside them: the journal, the money, the verdicts, the reasons. Both take turns. In process, a
backend that only waits shows what the run reaches of what its concurrency allows.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs

from routesdk import PluginHost, Query
from routesdk.config import Config, OracleConfig, PriceConfig, TierConfig
from routesdk.pipeline.oracle import generate
from routesdk.types import Answer, Chunk, Example, PartConfig, Request, Usage

TESTS = Path(__file__).resolve().parents[1] / "tests"

CONCURRENCY, LATENCY_S = 64, 0.2
MUST_REACH = {"client": 0.95, "in process": 0.90}
MODELS = ("medium-model", "large-model")
PRICE = PriceConfig(input_usd_per_mtok=1, output_usd_per_mtok=4)


@attrs.frozen
class Questions:
    """So many questions, none of them like another."""

    count: int

    def examples(self) -> Iterator[Example]:
        """Yield them."""
        for number in range(self.count):
            digest = hashlib.blake2b(str(number).encode(), digest_size=6).hexdigest()
            text = f"In what year was the {digest[:4]} of {digest[4:8]} given to the {digest[8:]} society?"
            yield Example(id=str(number), query=Query(text), reference=f"{1000 + number}", topic="prizes")


def config(folder: Path, backend: PartConfig) -> Config:
    """Describe a run: two tiers, the lexical judge, the heuristic analyst, a budget."""
    tiers = (TierConfig(name="medium", model=MODELS[0]), TierConfig(name="large", model=MODELS[1]))
    oracle = OracleConfig(
        backend=backend,
        judge=PartConfig("lexical"),
        tiers=tiers,
        journal=folder / "oracle.sqlite",
        concurrency=CONCURRENCY,
        max_output_tokens=64,
        max_usd=1000,
    )
    return Config(oracle=oracle, prices=dict.fromkeys(MODELS, PRICE))


def serve(ready: multiprocessing.Queue[str], done: multiprocessing.Event) -> None:  # type: ignore[valid-type]
    """Answer after 200 ms until told to stop."""
    sys.path.insert(0, str(TESTS))
    from provider_server import ProviderServer

    with ProviderServer(latency_s=LATENCY_S) as server:
        ready.put(server.url)
        done.wait()


async def bare(url: str, calls: int) -> float:
    """Make so many calls, 64 at once, with the client alone; return calls a second."""
    import openai

    waiting = iter(range(calls))
    system = OracleConfig().system
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:

        async def work() -> None:
            for number in waiting:
                await client.chat.completions.create(
                    model=MODELS[number % 2],
                    messages=[
                        {"role": "system", "content": system},
                        {"role": "user", "content": f"In what year was the prize {number} given?"},
                    ],
                    max_tokens=64,
                )

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())
        return calls / (time.perf_counter() - begun)


def run(backend: PartConfig, rows: int, **parts: object) -> float:
    """Run an oracle, and return its calls a second; the split before it is not counted."""
    # The train part has four fifths of the rows.
    with tempfile.TemporaryDirectory() as folder:
        done = generate(
            config(Path(folder), backend),
            host=PluginHost(entry_points=False),
            benchmark=Questions(rows * 5 // 4),
            **parts,  # type: ignore[arg-type]
        )
    return done.calls / done.elapsed_s


class Waiting:
    """A backend in process that only waits."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s

    async def generate(self, request: Request) -> Answer:
        """Wait, and answer."""
        await asyncio.sleep(self._latency_s)
        usage = Usage(input_tokens=20, output_tokens=8, latency_s=self._latency_s)
        return Answer(text="It was given in 1984.", model=request.model, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Wait, and answer in one piece."""
        answer = await self.generate(request)
        yield Chunk(text=answer.text)
        yield Chunk(usage=answer.usage, finish_reason=answer.finish_reason)


def beside_the_client(rows: int, pairs: int) -> dict[str, object]:
    """Compare with a bare loop over the same client; both take turns."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Queue(), context.Event()
    server = context.Process(target=serve, args=(ready, done), daemon=True)
    server.start()
    url = ready.get(timeout=60)
    backend = PartConfig("openai-compatible", {"base_url": f"{url}/v1"})
    ratios, alone, ours = [], [], []
    try:
        asyncio.run(bare(url, 200))
        for _ in range(pairs):
            alone.append(asyncio.run(bare(url, 2 * rows)))
            ours.append(run(backend, rows))
            ratios.append(ours[-1] / alone[-1])
    finally:
        done.set()
        server.join()
    return _figure("client", alone, ours, ratios)


def beside_the_ideal(rows: int, pairs: int) -> dict[str, object]:
    """Compare with what the concurrency allows, in process."""
    ideal = CONCURRENCY / LATENCY_S
    ours = [run(PartConfig("waiting"), rows, backends={"waiting": Waiting(LATENCY_S)}) for _ in range(pairs)]
    return _figure("in process", [ideal] * pairs, ours, [each / ideal for each in ours])


def _figure(name: str, other: list[float], ours: list[float], ratios: list[float]) -> dict[str, object]:
    return {
        "name": name,
        "other_calls_per_s": statistics.median(other),
        "ours_calls_per_s": statistics.median(ours),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "must_reach": MUST_REACH[name],
    }


def main() -> None:
    """Measure both, and print them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1600)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures = [beside_the_client(given.rows, given.pairs), beside_the_ideal(given.rows, given.pairs)]
    for each in figures:
        verdict = "ok" if float(str(each["ratio"])) >= float(str(each["must_reach"])) else "short"
        print(
            f"{each['name']:>10}: {each['ours_calls_per_s']:.0f} of {each['other_calls_per_s']:.0f} calls/s, "
            f"ratio {each['ratio']:.3f} (must reach {each['must_reach']}): {verdict}"
        )
    print(f"load: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
