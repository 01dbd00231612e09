"""Texts of two domains, and a shift score that learned one of them."""

from __future__ import annotations

import functools
import random
import string

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
USUAL = (
    "who wrote the opera carmen and when was it first performed",
    "what is the name of the longest river in south america",
    "In what year did Marie Curie receive her second Nobel Prize?",
    "who was the first woman to win the booker prize",
    "when did the berlin wall come down",
    "What is the surname of the architect who designed the Sydney Opera House?",
    "who sang the theme song of the film goldfinger",
    "where was the treaty of versailles signed",
    "In which city was the composer Antonin Dvorak born?",
    "how many moons does the planet neptune have",
    "who is the author of the novel things fall apart",
    "On what day, month, and year did the Apollo 11 mission land on the Moon?",
    "what was the first album of the band pink floyd",
    "who discovered penicillin and in what year",
    "when was the first world cup of football held",
    "What was the first and last name of the 10th president of the United States?",
    "who plays the main character in the series breaking bad",
    "what is the currency of the country of denmark",
    "In what year was the University of Bologna founded?",
    "who painted the ceiling of the sistine chapel",
)
"""Questions such as the bundled default learned from."""


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


def varied(count: int, seed: int) -> list[str]:
    """Return lines of made-up words, of many lengths and make-ups."""
    rng = random.Random(seed)

    def word() -> str:
        letters = string.ascii_lowercase if rng.random() < 0.9 else string.digits
        return "".join(rng.choices(letters, k=rng.randint(1, 9)))

    return [
        " ".join(word() for _ in range(rng.randint(3, 40))) + "\n" * rng.randint(0, 3) for _ in range(count)
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


@functools.cache
def learned_varied(rows: int = 600) -> ShiftScore:
    """Return a score that learned texts of many lengths and make-ups."""
    return learn_shift({"varied": varied(rows, 1)}, groups={"varied": np.arange(rows)})
