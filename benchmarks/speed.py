"""Measure how fast routesdk starts and decides, and how large it is, against the targets of the design.

    python benchmarks/speed.py [--json FILE] [--skip-size]

Every figure is a median, unless it says otherwise, and stands beside the machine it was measured on. The size
needs a package index, since it installs routesdk with all that it depends on into a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[1]

PROCESSES = 15
"""Fresh processes behind each start-up figure."""

WARM_UP_CALLS, CALLS = 500, 5_000
"""Single decisions before, and within, the measurement."""

ROUNDS, BATCH = 7, 10_000
"""Batches, each of other queries, and queries in each."""

WORDS = 20
"""Words of a query, as the design has it."""

QUESTION = "Who was awarded the Oceanography Society's Jerlov Award in 2018?"


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured.
        unit: Its unit.
        value: The figure.
        target: What the design asks for; None where it asks for nothing.
        at_least: Whether more is better.
        note: How it was measured.
    """

    what: str
    unit: str
    value: float
    target: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `short`, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "ok" if (self.value > self.target) == self.at_least else "short"


def make_queries(count: int, seed: int) -> list[str]:
    """Make different questions of 20 words that read like real ones: names, places, years, clauses.

    Args:
        count: How many.
        seed: Other seeds give other questions.
    """
    rng = random.Random(seed)
    return [_question(rng) for _ in range(count)]


_OPENERS = (
    "Who was the {role} of the {thing} in {place} when {name} became {role2}",
    "In what year did {name} publish the {thing} on {topic} that changed {topic2} in {place}",
    "Explain step by step how {topic} affects {topic2} and why {name} disagreed about it in {year}",
    "Which {thing} was founded by {name} and {name2} in {place} during the {topic} crisis of {year}",
    "Write a short {thing} for a {role} in {place} who wants to learn {topic} before {year}",
    "A {thing} of mass {number} kg moves at {number2} m/s near {place}; what does {topic} say about",
    "What is the name of the {role} from {place} who received the {name} Award for {topic} in {year}",
    "If {number} of {number2} items in a {thing} are chosen by a {role}, how does {topic} describe",
)
_CLAUSES = (
    "and what did the {role} say about {topic2} afterwards in {place}",
    "according to the {thing} that {name2} wrote with a {role2} in {year}",
    "given that {number} {thing}s were counted in {place} by {name2} at that time",
    "compared with the {topic2} of {place} in the years before {year}",
)
_FILL = {
    "role": [
        "mayor",
        "physicist",
        "composer",
        "treasurer",
        "goalkeeper",
        "botanist",
        "judge",
        "director",
        "nurse",
        "cartographer",
    ],
    "role2": [
        "president",
        "editor",
        "surgeon",
        "captain",
        "archivist",
        "ambassador",
        "chemist",
        "sculptor",
        "pilot",
        "rector",
    ],
    "thing": [
        "treaty",
        "journal",
        "bridge",
        "orchestra",
        "satellite",
        "novel",
        "museum",
        "contract",
        "algorithm",
        "vaccine",
    ],
    "topic": [
        "thermodynamics",
        "jurisprudence",
        "oceanography",
        "inflation",
        "genetics",
        "topology",
        "phonetics",
        "botany",
    ],
    "topic2": [
        "taxation",
        "metallurgy",
        "cryptography",
        "migration",
        "optics",
        "grammar",
        "agriculture",
        "statistics",
    ],
    "place": [
        "Lisbon",
        "Kyoto",
        "Nairobi",
        "Bergen",
        "Lima",
        "Tbilisi",
        "Winnipeg",
        "Palermo",
        "Hanoi",
        "Utrecht",
        "Cusco",
        "Gdansk",
    ],
}
_SYLLABLES = [
    "ka",
    "ren",
    "to",
    "mi",
    "lo",
    "va",
    "sen",
    "dri",
    "el",
    "ma",
    "ro",
    "ti",
    "as",
    "hu",
    "be",
    "ni",
    "jor",
    "wil",
    "fa",
    "ces",
]


def _question(rng: random.Random) -> str:
    def name() -> str:
        first, last = ("".join(rng.choices(_SYLLABLES, k=rng.randint(2, 3))).title() for _ in "ab")
        return f"{first} {last}"

    fill: dict[str, object] = {key: rng.choice(words) for key, words in _FILL.items()}
    fill |= {"name": name(), "name2": name(), "year": rng.randint(1850, 2024)}
    fill |= {"number": rng.randint(2, 99), "number2": rng.randint(100, 9_999)}
    text = f"{rng.choice(_OPENERS)} {rng.choice(_CLAUSES)} {rng.choice(_CLAUSES)}".format(**fill)
    return " ".join(text.split()[:WORDS]) + "?"


def _wall_ms(code: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tempfile.gettempdir(), stdout=subprocess.DEVNULL
    )
    return (time.perf_counter() - started) * 1e3


def measure_start() -> list[Row]:
    """Measure fresh processes, in turns, so that a busy moment does not hit one kind alone."""
    first = f"from routesdk import Router; Router.from_pretrained('default').route({QUESTION!r})"
    codes = {
        "bare": "pass",
        "import": "import routesdk",
        "router": "from routesdk import Router",
        "first": first,
    }
    # The promise behind the figure: neither arrays nor sockets come with the package.
    _wall_ms("import sys, routesdk; assert not {'numpy', 'socket', 'huggingface_hub'} & set(sys.modules)")
    for code in codes.values():
        _wall_ms(code)
    times: dict[str, list[float]] = {kind: [] for kind in codes}
    for _ in range(PROCESSES):
        for kind, code in codes.items():
            times[kind].append(_wall_ms(code))
    median = {kind: statistics.median(measured) for kind, measured in times.items()}
    beyond = f"median of {PROCESSES} processes, less {median['bare']:.0f} ms of a bare interpreter"
    return [
        Row(
            what="`import routesdk`",
            unit="ms",
            value=median["import"] - median["bare"],
            target=100,
            note=f"{beyond}; no numpy, no socket",
        ),
        Row(
            what="`from routesdk import Router`",
            unit="ms",
            value=median["router"] - median["bare"],
            note=beyond,
        ),
        Row(
            what="new process to the first decision with `default`",
            unit="ms",
            value=median["first"],
            target=500,
            note=f"median of {PROCESSES} processes, interpreter included",
        ),
    ]


def measure_single() -> list[Row]:
    """Measure decisions one by one, each on a query that was not seen before."""
    from routesdk import Router

    router = Router.from_pretrained("default")
    queries = make_queries(WARM_UP_CALLS + CALLS, seed=1)
    for query in queries[:WARM_UP_CALLS]:
        router.route(query)
    times = []
    for query in queries[WARM_UP_CALLS:]:
        started = time.perf_counter_ns()
        router.route(query)
        times.append((time.perf_counter_ns() - started) / 1e3)
    cuts = statistics.quantiles(times, n=20)
    note = f"{CALLS:,} different queries of {WORDS} words, after {WARM_UP_CALLS}"
    return [
        Row(
            what="one decision with `default`, p50",
            unit="µs",
            value=statistics.median(times),
            target=100,
            note=note,
        ),
        Row(what="one decision with `default`, p95", unit="µs", value=cuts[18], note=note),
    ]


def measure_batch() -> list[Row]:
    """Measure batches of different queries, on one core."""
    from routesdk import Router

    router = Router.from_pretrained("default")
    router.route_batch(make_queries(1_000, seed=2))
    rates = []
    for number in range(ROUNDS):
        queries = make_queries(BATCH, seed=100 + number)
        started = time.perf_counter()
        router.route_batch(queries)
        rates.append(BATCH / (time.perf_counter() - started))
    return [
        Row(
            what="`route_batch` with `default`",
            unit="queries/s",
            value=statistics.median(rates),
            target=20_000,
            at_least=True,
            note=f"median of {ROUNDS} batches of {BATCH:,} different queries, one core",
        )
    ]


def measure_size() -> list[Row]:
    """Measure what `pip install routesdk` puts on disk, and the wheel."""
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
        (wheel,) = folder.glob("*.whl")
        target = folder / "site"
        subprocess.run([*pip, "install", "--no-compile", "--target", str(target), str(wheel)], check=True)
        files = [path for path in target.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        installed = sum(path.stat().st_size for path in files)
        own = sum(path.stat().st_size for path in files if (target / "routesdk") in path.parents)
        packages = len(list(target.glob("*.dist-info")))
        return [
            Row(
                what="base install, without bytecode",
                unit="MB",
                value=installed / 1e6,
                target=110,
                note=f"{packages} packages, of which routesdk is {own / 1e6:.1f} MB",
            ),
            Row(what="wheel", unit="MB", value=wheel.stat().st_size / 1e6, target=10),
        ]


def describe_machine() -> dict[str, str]:
    """Name the machine and the versions behind the figures."""
    import numpy as np

    import routesdk
    from routesdk import Router

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line.partition(":") for line in info.read_text(encoding="utf-8").splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return {
        "CPU": model,
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "routesdk": routesdk.__version__,
        "checkpoint": Router.from_pretrained("default").checkpoint_id,
    }


def _one_thread() -> None:
    """Keep numpy to one thread, here and in fresh processes; it must not have been loaded yet."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"


def _one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _figure(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def print_table(rows: Sequence[Row], machine: dict[str, str]) -> None:
    """Print the figures as a Markdown table."""
    print("| what | target | measured | | how |\n|---|---:|---:|---|---|")
    for row in rows:
        target = ""
        if row.target is not None:
            target = f"{'>' if row.at_least else '<'} {row.target:,.0f} {row.unit}"
        print(f"| {row.what} | {target} | {_figure(row.value, row.unit)} | {row.verdict} | {row.note} |")
    print(f"\nMeasured on: {', '.join(f'{key} {value}' for key, value in machine.items())}.")


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--skip-size", action="store_true", help="leave out what needs a package index")
    options = parser.parse_args()
    _one_thread()
    machine = describe_machine()
    _one_core()
    measures: list[Callable[[], list[Row]]] = [measure_start, measure_single, measure_batch]
    if not options.skip_size:
        measures.append(measure_size)
    rows = [row for measure in measures for row in measure()]
    print_table(rows, machine)
    if options.json:
        figures = [{**attrs.asdict(row), "verdict": row.verdict} for row in rows]
        text = json.dumps({"machine": machine, "figures": figures}, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
