"""Reads dates: day, month and year in any usual order, in several languages, as far as they are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

_LINES = Path(__file__).with_name("moment.txt").read_text(encoding="utf-8").splitlines()
_NAMES = [line.split() for line in _LINES if not line.startswith("#")]
MONTHS = {word: number for number, words in enumerate(_NAMES, start=1) for word in words}
"""Name of a month, folded → its number."""

# Words between a day and its month, or a month and its year.
_LINKS = frozenset(
    ("of", "de", "del", "the", "roku", "rok", "roce", "year", "do", "den", "year", "in", "г", "года")
)
_FIRST_YEAR, _LAST_YEAR = 1000, 2199
_LONGEST_MONTH = 31
# Alone these are other words, too.
_DOUBTFUL = frozenset(("may", "mar", "mai", "mars", "sept", "dec", "maj"))


@attrs.frozen
class Moment:
    """A date as far as it was given; 0 for what was not.

    Attributes:
        year: The year.
        month: The month, from 1.
        day: The day, from 1.
        start: Its first token.
        end: The token after its last.
    """

    year: int
    month: int
    day: int
    start: int = attrs.field(default=0, eq=False)
    end: int = attrs.field(default=0, eq=False)

    @property
    def parts(self) -> int:
        """How many of the three are given."""
        return bool(self.year) + bool(self.month) + bool(self.day)

    def agreement(self, other: Moment) -> int:
        """Count the parts that both give and agree in; 0 where any differs."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        given = [mine == theirs for mine, theirs in pairs if mine and theirs]
        return len(given) if all(given) else 0


def year_of(token: str) -> int:
    """Return the year that a token may be; 0 where it is none."""
    year = int(token) if len(token) == 4 and token.isascii() and token.isdigit() else 0
    return year if _FIRST_YEAR <= year <= _LAST_YEAR else 0


def _with_note(token: str, following: list[str]) -> int:
    """Return the year of a token such as `19831`, where a footnote's mark ends the sentence."""
    if 5 <= len(token) <= 6 and token.isdigit() and (not following or following[0] == "\n"):
        return year_of(token[:4])
    return 0


def day_of(token: str) -> int:
    """Return the day of a month that a token may be; 0 where it is none."""
    day = int(token) if len(token) <= 2 and token.isascii() and token.isdigit() else 0
    return day if day <= _LONGEST_MONTH else 0


def moments(tokens: list[str]) -> Iterator[Moment]:
    """Yield the dates of a text, in order; numeric ones in both readings where they have two."""
    taken = 0
    inside: set[int] = set()
    for place, token in enumerate(tokens):
        month = MONTHS.get(token, 0)
        if month:
            found = _around(tokens, place, month, taken)
            if found is not None:
                taken = found.end
                inside.update(range(found.start, found.end))
                yield found
        elif place >= taken and token[0].isdigit():
            numeric = list(_numeric(tokens, place))
            if numeric:
                yield from numeric
                taken = numeric[0].end
                inside.update(range(place, taken))
    for place, token in enumerate(tokens):
        year = year_of(token) or _with_note(token, tokens[place + 1 : place + 2])
        if year and place not in inside:
            yield Moment(year, 0, 0, place, place + 1)


def _around(tokens: list[str], place: int, month: int, taken: int) -> Moment | None:
    """Read the day and the year that stand around a month's name."""
    start = end = place
    before = place - 1
    if before >= taken and tokens[before] in _LINKS:
        before -= 1
    day = day_of(tokens[before]) if before >= taken else 0
    if day:
        start = before
    after = place + 1
    if after < len(tokens) and not day:
        day = day_of(tokens[after])
        after += bool(day)
    end = after
    if after + 1 < len(tokens) and tokens[after] in _LINKS and year_of(tokens[after + 1]):
        after += 1
    year = 0
    if after < len(tokens):
        year = year_of(tokens[after]) or _with_note(tokens[after], tokens[after + 1 : after + 2])
    if year:
        end = after + 1
    elif start - 1 >= taken and year_of(tokens[start - 1]):
        start -= 1
        year = year_of(tokens[start])
    if not day and not year and tokens[place] in _DOUBTFUL:
        return None
    return Moment(year, month, day, start, end)


def _numeric(tokens: list[str], place: int) -> Iterator[Moment]:
    """Read a date of figures alone: 2018-02-09, 9.2.2018 or 2/9/2018, and 08-1981 where it is all."""
    three = tokens[place : place + 3]
    if len(three) == 3:
        first, second, third = three
        if year_of(first) and day_of(second) and day_of(third) and int(second) <= 12:
            yield Moment(int(first), int(second), int(third), place, place + 3)
            return
        if day_of(first) and day_of(second) and year_of(third):
            for month, day in dict.fromkeys(((int(second), int(first)), (int(first), int(second)))):
                if month <= 12:
                    yield Moment(int(third), month, day, place, place + 3)
            return
    if len(tokens) == 2 and place == 0 and 1 <= day_of(tokens[0]) <= 12 and year_of(tokens[1]):
        yield Moment(int(tokens[1]), int(tokens[0]), 0, 0, 2)
