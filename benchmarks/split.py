"""Measure the split at scale: time, peak memory, and how many planted duplicates it keeps together.

The questions are those of the shared sets, recombined: names and numbers of one question take the
place of another's, as benchmarks made from templates do. Into these go exact and near duplicates
whose partner is known. Run `python benchmarks/split.py [--rows 100000]`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import numpy as np
from peak import peak_mib

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from shared_sets import SETS, find_data

from routesdk.dataset import Fields, read_examples
from routesdk.pipeline.fingerprint import normalise
from routesdk.pipeline.split import Split, split

EXACT_SHARE, NEAR_SHARE = 0.02, 0.04
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'’.-]+(?: [A-Z][\w'’.-]+)*")
_NUMBER = re.compile(r"\b\d{1,4}\b")


@attrs.frozen
class Planted:
    """A row made from another: its row number, that of its original, and how it was made."""

    row: int
    original: int
    kind: str


def originals(folder: Path, rows: int, rng: random.Random) -> list[str]:
    """Return that many different questions: those of the shared sets, then recombinations of them."""
    read = [
        example.query.text
        for each in SETS
        for example in read_examples(folder / each.file, fields=Fields(outcomes=None))
    ]
    seen: dict[str, str] = {normalise(text): text for text in read}
    short = [text for text in seen.values() if len(text) < 300 and _NAME.search(text)]
    names = [found for text in short for found in _NAME.findall(text)]
    while len(seen) < rows:
        text = _NAME.sub(lambda _: rng.choice(names), rng.choice(short))
        text = _NUMBER.sub(lambda found: str(_another(int(found[0]), rng)), text)
        seen.setdefault(normalise(text), text)
    chosen = list(seen.values())[:rows]
    rng.shuffle(chosen)
    return chosen


def _another(number: int, rng: random.Random) -> int:
    return rng.randint(1800, 2024) if 1000 <= number <= 2100 else rng.randint(1, max(9, 2 * number))


def _shout(text: str, rng: random.Random) -> str:
    return text.upper() if rng.random() < 0.5 else text.lower()


def _space(text: str, rng: random.Random) -> str:
    return re.sub(r" (?=\w)", lambda _: rng.choice((" ", "  ", "\u00a0")), text) + rng.choice(
        (" ", "\n", " ?")
    )


def _typo(text: str, rng: random.Random) -> str:
    """Double, drop or exchange a letter inside one long word."""
    words = list(re.finditer(r"[a-zA-Z]{8,}", text))
    found = rng.choice(words)
    at = rng.randrange(found.start() + 1, found.end() - 2)
    swapped = text[at + 1] + text[at]
    return text[:at] + rng.choice((text[at] * 2 + text[at + 1], text[at + 1], swapped)) + text[at + 2 :]


def _article(text: str, rng: random.Random) -> str:
    places = list(re.finditer(r"(?<=\w )(the|a|an|of|in) ", text))
    found = rng.choice(places)
    return text[: found.start()] + text[found.end() :]


def _apart(text: str, rng: random.Random) -> str:
    """Write two words as one."""
    places = [found.start() for found in re.finditer(r"(?<=[a-z]{4}) (?=[a-z]{4})", text)]
    at = rng.choice(places)
    return text[:at] + text[at + 1 :]


EXACT: tuple[Callable[[str, random.Random], str], ...] = (_shout, _space)
NEAR: tuple[Callable[[str, random.Random], str], ...] = (_typo, _article, _apart)


def plant(texts: list[str], rows: int, rng: random.Random) -> tuple[list[str], list[Planted]]:
    """Add duplicates until there are that many rows; return all, and what was planted."""
    made, planted = list(texts), []
    changes = [*EXACT] * 3 + [*NEAR] * 4
    # Changing a word of four is changing the question: near duplicates are made of questions proper.
    long = [row for row, text in enumerate(texts) if 8 <= len(text.split()) <= 120]
    while len(made) < rows:
        row, change = rng.choice(long), rng.choice(changes)
        try:
            copy = change(texts[row], rng)
        except IndexError:
            continue  # nothing there that this change could change
        same = normalise(copy) == normalise(texts[row])
        if same is not (change in EXACT):
            continue
        planted.append(Planted(len(made), row, change.__name__.strip("_")))
        made.append(copy)
    return made, planted


def recall(found: Split, planted: list[Planted]) -> Iterator[dict[str, object]]:
    """Count, for each way of making a duplicate, how many stand with their original."""
    for kind in sorted({each.kind for each in planted}):
        of_kind = [each for each in planted if each.kind == kind]
        kept = sum(found.groups[each.row] == found.groups[each.original] for each in of_kind)
        yield {"kind": kind, "planted": len(of_kind), "together": int(kept), "recall": kept / len(of_kind)}


def main() -> None:
    """Make the rows, split them, and print what it took as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    given = parser.parse_args()
    folder = find_data()
    if folder is None:
        sys.exit("The shared sets are missing: set ROUTESDK_DATA to their folder.")
    rng = random.Random(given.seed)
    kept = round(given.rows * (1 - EXACT_SHARE - NEAR_SHARE))
    texts, planted = plant(originals(folder, kept, rng), given.rows, rng)
    before_mb = peak_mib()
    profile = None
    if given.profile:
        import cProfile

        profile = cProfile.Profile()
        profile.enable()
    begun, begun_cpu = time.perf_counter(), time.process_time()
    found = split(texts, [str(len(text) // 100) for text in texts])
    took_s, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    if profile is not None:
        import pstats

        profile.disable()
        pstats.Stats(profile).sort_stats("cumulative").print_stats(30)
    sizes = np.bincount(found.groups)
    print(
        json.dumps(
            {
                "rows": len(texts),
                "seconds": round(took_s, 1),
                "cpu_seconds": round(cpu_s, 1),
                "peak_mb": round(peak_mib()),
                "mb_before_splitting": round(before_mb),
                "counts": dict(found.counts()),
                "planted": list(recall(found, planted)),
                "group_sizes": {str(k): v for k, v in sorted(Counter(sizes[sizes > 0].tolist()).items())},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
