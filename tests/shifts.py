"""Texts of two domains, and a shift score that learned one of them."""

from __future__ import annotations

import functools
import random

import numpy as np

from routesdk.pipeline.shift import learn_shift
from routesdk.shift import ShiftScore

_WHO = ("painter", "physicist", "mayor", "novelist", "goalkeeper", "composer", "botanist", "judge")
_WHERE = ("Lisbon", "Kyoto", "Nairobi", "Bergen", "Lima", "Tbilisi", "Winnipeg", "Palermo", "Hanoi")
_WHAT = ("won the medal of the city", "founded the academy", "wrote the first report", "opened the museum")
_FORMS = (
    "Who was the {who} from {where} that {what} in {year}?",
    "In what year was it that a {who} of {where} {what}, {year} or later?",
    "What is the name of the {who} who {what} at {where} in {year}?",
)


def questions(count: int, seed: int) -> list[str]:
    """Return questions of one form; other seeds give other ones."""
    rng = random.Random(seed)
    return [
        rng.choice(_FORMS).format(
            who=rng.choice(_WHO),
            where=rng.choice(_WHERE),
            what=rng.choice(_WHAT),
            year=rng.randint(1700, 2024),
        )
        for _ in range(count)
    ]


def code(count: int, seed: int = 0) -> list[str]:
    """Return lines of code."""
    rng = random.Random(seed)
    return [
        f"def f{rng.randint(0, 999)}(x):\n    return [i ** {rng.randint(2, 9)} for i in range(x)]"
        for _ in range(count)
    ]


@functools.cache
def learned(rows: int = 600, false_alarm: float = 0.05) -> ShiftScore:
    """Return a score that learned questions; every row is a group of its own."""
    texts = questions(rows, 1)
    return learn_shift({"questions": texts}, false_alarm=false_alarm, groups={"questions": np.arange(rows)})
