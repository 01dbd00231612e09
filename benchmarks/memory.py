"""Measure what memory and time parts take on short and on long files: memory must stay flat.

    python benchmarks/memory.py [--rows N ...] [--json FILE]

Each figure comes from a fresh process, which reports the most memory that it ever had. The files are made up,
with two models' answers a row, in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from peak import peak_mib

from routesdk.config import Config, OracleConfig, TierConfig
from routesdk.host import PluginHost
from routesdk.journal import JournalView
from routesdk.pipeline.oracle import generate
from routesdk.pipeline.oracle.export import export
from routesdk.types import PartConfig, Query, Request

ROWS = (1_000, 100_000)
"""Lengths of the files."""

MODELS = ("small", "big")
"""Whose answers each row has."""

LOOKUPS = 5_000
"""Questions asked of each part that looks rows up."""

FLAT = 1.25
"""How many times the memory of the shortest file the longest one may take and still count as flat."""

_WORDS = [f"{first}{second}{third}" for first in "bdfgklmnprst" for second in "aeiou" for third in "nrlstk"]


def question(row: int) -> str:
    """Return the question of a row: 12 words, and another one for each row."""
    return f"Which {_text(random.Random(row), 10)} {row}?"


def answer(row: int, model: str) -> str:
    """Return what a model answered to the question of a row: 20 words."""
    return f"{_text(random.Random(f'{row} {model}'), 20).capitalize()}."


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words))


def rows(count: int) -> Iterator[dict[str, object]]:
    """Yield rows of recorded outcomes."""
    for row in range(count):
        outcomes = {
            model: {
                "grade": "CORRECT" if (row + index) % 3 else "INCORRECT",
                "answer": answer(row, model),
                "usage": {"input_tokens": 30, "output_tokens": 25, "cost_usd": "0.0001"},
            }
            for index, model in enumerate(MODELS)
        }
        yield {"id": row, "query": question(row), "reference": f"reference {row}", "outcomes": outcomes}


def write_rows(file: Path, count: int) -> None:
    """Write rows of recorded outcomes, as JSONL."""
    with file.open("w", encoding="ascii") as lines:
        for row in rows(count):
            lines.write(json.dumps(row) + "\n")


def backend(file: Path, count: int) -> dict[str, float]:
    """Build the backend `recorded`, and ask it for answers to rows all over the file."""
    host = PluginHost(entry_points=False)
    began = time.perf_counter()
    part = host.backend("recorded", path=str(file))
    opened_s = time.perf_counter() - began
    rng = random.Random(1)

    async def run() -> list[float]:
        took = []
        for _ in range(LOOKUPS):
            row, model = rng.randrange(count), rng.choice(MODELS)
            request = Request(query=Query(question(row)), model=model)
            start = time.perf_counter()
            found = await part.generate(request)
            took.append(time.perf_counter() - start)
            assert found.text == answer(row, model)
        return took

    return {"open_s": opened_s, **_lookups(asyncio.run(run()))}


def judge(file: Path, count: int) -> dict[str, float]:
    """Build the judge `recorded`, and ask it for verdicts on answers all over the file."""
    host = PluginHost(entry_points=False)
    began = time.perf_counter()
    part = host.judge("recorded", path=str(file))
    opened_s = time.perf_counter() - began
    rng = random.Random(1)

    async def run() -> list[float]:
        took = []
        for _ in range(LOOKUPS):
            row, model = rng.randrange(count), rng.choice(MODELS)
            given = question(row), f"reference {row}", answer(row, model)
            start = time.perf_counter()
            verdict = await part.grade(*given)
            took.append(time.perf_counter() - start)
            assert "recorded verdict" in verdict.reason
        return took

    return {"open_s": opened_s, **_lookups(asyncio.run(run()))}


def benchmark(file: Path, count: int) -> dict[str, float]:
    """Read the questions of the benchmark `recorded`, all of them, keeping none."""
    host = PluginHost(entry_points=False)
    began = time.perf_counter()
    part = host.benchmark("recorded", path=str(file))
    assert sum(1 for _ in part.examples()) == count
    return {"open_s": time.perf_counter() - began}


def oracle(file: Path, count: int) -> dict[str, float]:
    """Run an oracle over all rows, beside a test part that was held out beforehand, and export it."""
    folder = file.parent / f"oracle-{count}"
    folder.mkdir()
    with (folder / "test.jsonl").open("w", encoding="ascii") as held_out:
        for row in range(10):
            held_out.write(json.dumps({"id": row, "query": f"Held out {row}?"}) + "\n")
    part = PartConfig("recorded", {"path": str(file)})
    config = OracleConfig(
        benchmark=part,
        backend=part,
        judge=part,
        tiers=(TierConfig(name="medium", model=MODELS[0]), TierConfig(name="large", model=MODELS[1])),
        held_out=folder / "test.jsonl",
        journal=folder / "oracle.sqlite",
    )
    began = time.perf_counter()
    done = generate(Config(oracle=config), host=PluginHost(entry_points=False))
    assert done.done == done.total == count
    took_s = time.perf_counter() - began
    with JournalView.open(config.journal) as view:
        assert export(view, folder / "oracle.jsonl").rows == count
    return {"open_s": took_s}


def _lookups(took_s: list[float]) -> dict[str, float]:
    return {"p50_us": statistics.median(took_s) * 1e6, "per_s": len(took_s) / sum(took_s)}


PARTS: Mapping[str, Callable[[Path, int], dict[str, float]]] = {
    "recorded backend": backend,
    "recorded judge": judge,
    "recorded benchmark": benchmark,
    "oracle run": oracle,
}
"""What is measured: a function of a file and of its rows that returns figures by name."""


def measure(part: str, file: Path, count: int) -> dict[str, float]:
    """Measure one part on one file, in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--file", str(file), "--rows", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure every part on every length, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        figures = PARTS[options.part](options.file, options.rows[0])
        print(json.dumps({**figures, "peak_mib": peak_mib()}))
        return
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.rows:
            file = Path(folder) / f"{count}.jsonl"
            write_rows(file, count)
            table += [{"part": part, "rows": count, **measure(part, file, count)} for part in PARTS]
    _print(table)
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


def _print(table: list[dict[str, object]]) -> None:
    print(
        f"{'part':20}{'rows':>10}{'open, read, run, s':>19}{'peak, MiB':>12}{'p50, µs':>10}{'lookups/s':>12}"
    )
    for row in table:
        lookups = f"{row['p50_us']:>10.0f}{row['per_s']:>12,.0f}" if "p50_us" in row else ""
        print(f"{row['part']:20}{row['rows']:>10,}{row['open_s']:>19.3f}{row['peak_mib']:>12.1f}{lookups}")
    for part in PARTS:
        peaks = [float(str(row["peak_mib"])) for row in table if row["part"] == part]
        grown = max(peaks) / peaks[0]
        print(f"{part}: {grown:.2f} times the memory, {'flat' if grown <= FLAT else 'NOT flat'}")


if __name__ == "__main__":
    main()
