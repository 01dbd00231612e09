"""Measure the check of reasons: false alarms on real reasons, and how many planted leaks it finds.

Reasons are those that the heuristic analyst writes for every row of the recorded SimpleQA rows, checked
against the reference and all recorded answers. A leak is planted by adding a sentence that gives the
reference away, in a form of its own. Run `python benchmarks/reasons.py`.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from shared_sets import find_data

from routesdk.dataset import read_examples
from routesdk.host import PluginHost
from routesdk.pipeline.reasoning import leaked
from routesdk.types import Example, Grade

_NAMES = "January February March April May June July August September October November December"
_MONTHS = _NAMES.split()
_DATE = re.compile(
    rf"({'|'.join(_MONTHS)}) (\d{{1,2}}),? (\d{{4}})|(\d{{1,2}}) ({'|'.join(_MONTHS)}),? (\d{{4}})"
)
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_WORDS = _SMALL.split()


def plain(text: str) -> str | None:
    """As it stands."""
    return text


def lower(text: str) -> str | None:
    """In lower case."""
    return text.lower()


def bare(text: str) -> str | None:
    """Without diacritics, where there are any."""
    found = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return found if found != text else None


def last_name(text: str) -> str | None:
    """A person's last name alone."""
    words = text.split()
    name = len(words) in (2, 3) and all(word[0].isupper() and word.isalpha() for word in words)
    return words[-1] if name else None


def reordered(text: str) -> str | None:
    """A person's last name first."""
    words = text.split()
    name = len(words) in (2, 3) and all(word[0].isupper() and word.isalpha() for word in words)
    return f"{words[-1]}, {' '.join(words[:-1])}" if name else None


def iso_date(text: str) -> str | None:
    """A date in ISO's form."""
    found = _DATE.search(text)
    if found is None:
        return None
    month, day, year = (found[1], found[2], found[3]) if found[1] else (found[5], found[4], found[6])
    return f"{year}-{_MONTHS.index(month) + 1:02d}-{int(day):02d}"


def number_word(text: str) -> str | None:
    """A small number as a word."""
    return _WORDS[int(text)] if text.isdecimal() and 1 < int(text) < len(_WORDS) else None


def typo(text: str) -> str | None:
    """A letter of a long word left out."""
    words = list(re.finditer(r"[A-Za-z]{8,}", text))
    if not words:
        return None
    at = words[0].start() + 4
    return text[:at] + text[at + 1 :]


VARIANTS: tuple[Callable[[str], str | None], ...] = (
    plain,
    lower,
    bare,
    last_name,
    reordered,
    iso_date,
    number_word,
    typo,
)
# What analysts write of questions like these, in words that fit many of them: nothing is given away.
GENERIC = (
    "It asks for the exact date of a little-known event, which models often confuse with similar ones.",
    "The question names a rare award and a year, so the model must recall one person out of many winners.",
    "A precise figure about an obscure town is seldom found in training texts.",
    "It turns on a minor detail of a television episode that few sources describe.",
    "The subject is widely documented, so most models will know the city or the country.",
    "Two facts have to be joined: who held the office, and when the university or school was founded.",
    "The name of a scientist, artist or politician has to be recalled without any further hint.",
    "It needs detailed knowledge of a band, an album or a song that is not famous in English.",
    "Historical records of the battle or the government at that time are thin, and spellings differ.",
    "Knowledge of a company, a game or a film from its early days is needed.",
)
FRAMES = ("{} The answer is {}.", "{} It helps to know of {} here.", "{1} comes to mind. {0}")


def _from_answers(example: Example, reason: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Give a wrong answer away, whole and by one name that the query does not say."""
    wrong = [
        each.answer for each in example.outcomes.values() if each.grade is Grade.INCORRECT and each.answer
    ]
    if not wrong:
        return
    answer = rng.choice(wrong)
    yield "answer_whole", f"{reason} {answer}"
    asked = example.query.text.casefold()
    names = [
        name for name in re.findall(r"(?<=[a-z,] )[A-Z]\w{3,}", answer) if name.casefold()[:4] not in asked
    ]
    if names:
        yield "answer_name", f"{reason} One may think of {rng.choice(names)} at first."


def main() -> None:
    """Check every row, and print the counts as JSON."""
    folder = find_data()
    if folder is None:
        sys.exit("The shared sets are missing: set ROUTESDK_DATA to their folder.")
    analyst = PluginHost().analyst("heuristic")
    rng = random.Random(0)
    rows, alarms, planted, found = 0, [], Counter[str](), Counter[str]()
    others: dict[str, list[str]] = {"the query itself": [], "a generic reason": []}
    missed: list[dict[str, str]] = []
    begun = time.perf_counter()
    for example in read_examples(folder / "simpleqa_cs.jsonl.gz"):
        rows += 1
        reason = asyncio.run(analyst.reason(example.query))
        reference = example.reference or ""
        answers = [each.answer or "" for each in example.outcomes.values()]
        problem = leaked(reason, example.query, reference, answers)
        if problem:
            alarms.append({"id": example.id, "problem": problem, "reason": reason})
        for kind, harmless in zip(others, (example.query.text, rng.choice(GENERIC)), strict=True):
            problem = leaked(harmless, example.query, reference, answers)
            if problem:
                others[kind].append(f"{example.id}: {harmless} → {problem} [{reference}]")
        for name, leaking in _from_answers(example, reason, rng):
            planted[name] += 1
            found[name] += bool(leaked(leaking, example.query, None, answers))
        for variant in VARIANTS:
            text = variant(reference)
            words = set(re.findall(r"\w+", example.query.text.casefold()))
            if text is None or (variant is last_name and text.casefold() in words):
                continue
            planted[variant.__name__] += 1
            leaking = rng.choice(FRAMES).format(reason, text)
            if leaked(leaking, example.query, reference, ()):
                found[variant.__name__] += 1
            elif len(missed) < 40:
                missed.append({"query": example.query.text, "reference": reference, "leaking": leaking})
    took_s = time.perf_counter() - begun
    recall = {name: {"planted": planted[name], "found": found[name] / planted[name]} for name in planted}
    harmless = {kind: {"alarms": len(found), "examples": found[:12]} for kind, found in others.items()}
    report = {
        "rows": rows,
        "false_alarms": len(alarms),
        "alarms": alarms[:10],
        "harmless": harmless,
        "recall": recall,
    }
    print(json.dumps(report | {"seconds": round(took_s, 1)}, indent=1, ensure_ascii=False))
    if "--missed" in sys.argv:
        print(json.dumps(missed, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
