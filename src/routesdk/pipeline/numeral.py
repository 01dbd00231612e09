"""Numbers and dates in whatever form an English text writes them: digits, words, ordinals, months."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

_CARDINALS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen"""
_ORDINALS = """zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_MONTHS = "january february march april may june july august september october november december"

_ONES = _CARDINALS.split()
_UNITS = {word: value for value, word in enumerate(_ONES)} | {
    word: value for value, word in enumerate(_ORDINALS.split())
}
_TEN = {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_TEN |= {f"{word[:-1]}ieth": value for word, value in list(_TEN.items())}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
# "may" is a verb far more often than a month; of the others "mar" alone is a word besides.
_MONTH = {name: place for place, name in enumerate(_MONTHS.split(), start=1) if name != "may"} | {
    name[:3]: place for place, name in enumerate(_MONTHS.split(), start=1) if name not in ("may", "march")
}
_DIGITS = re.compile(r"(\d+(?:\.\d+)?)(?:st|nd|rd|th|s|k|m|km|kg|cm|mm|ft)?")
_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})")
_CENTURIES = frozenset(("century", "centuries", "millennium"))
# Words in -s that count nothing: "three is right".
_VERBS_TEXT = "is was has comes does seems makes gives stands fits yes this its as"
_VERBS = frozenset(_VERBS_TEXT.split())
_THOUSANDS = re.compile(r"(?<=\d)[,\u00a0\u202f' ](?=\d{3}(?!\d))")

# "one" and "first" are said of anything, and so say nothing of a number.
_LONGEST_SCALED = 12
_EMPTY = {"one", "first"}
# In "a second step" an ordinal tells no number either; beside another number or a month it may.
_WEAK = {"second", "third"}


def without_thousands_marks(text: str) -> str:
    """Write 1,234 and 1 234 as 1234."""
    return _THOUSANDS.sub("", text)


def read_numbers(words: Sequence[str]) -> frozenset[str]:
    """Read every number that a text names, whatever its form.

    Args:
        words: The text's words in lower case, with thousands marks taken out.

    Returns:
        The numbers as digits without leading zeros; months as the numbers of the year's.
    """
    found: set[str] = set()
    words = [*_without_centuries(words)]
    for place, word in enumerate(words):
        digits = _DIGITS.fullmatch(word)
        if digits is not None:
            found.add(_scaled(digits[1], words[place + 1] if place + 1 < len(words) else ""))
        elif (date := _DATE.fullmatch(word)) is not None:
            found.update(_plain(part) for part in date.groups())
        elif word in _MONTH:
            found.add(str(_MONTH[word]))
    found.update(str(value) for run in _runs(words) for value in _values(run))
    # A weak word counts only where the text names numbers besides.
    strong = found - {"2", "3"}
    if not strong and not any(_DIGITS.fullmatch(word) for word in words):
        found -= {str(_UNITS[word]) for word in words if word in _WEAK and _ONES[_UNITS[word]] not in words}
    return frozenset(found)


def is_number(word: str) -> bool:
    """Tell whether a word is a number or a month, in digits or letters."""
    known = word in _UNITS or word in _TEN or word in _SCALES or word in _MONTH
    return known or (word[:1].isdigit() and bool(_DIGITS.fullmatch(word) or _DATE.fullmatch(word)))


def without_counts(words: Sequence[str]) -> list[str]:
    """Leave out the small number words that count something, as in "takes three steps" or "two facts"."""
    return [
        word
        for word, following in zip(words, [*words, ""][1:], strict=True)
        if not (word in _UNITS and following.endswith("s") and following not in _VERBS | _SCALES.keys())
    ]


def _without_centuries(words: Sequence[str]) -> Iterator[str]:
    """Leave out the number of a century: it is none of a year or a day."""
    for place, word in enumerate(words):
        if not (place + 1 < len(words) and words[place + 1] in _CENTURIES and is_number(word)):
            yield word


def _scaled(digits: str, following: str) -> str:
    """Return digits in plain form, times the scale that follows: 3 million is 3000000."""
    scale = _SCALES.get(following, 1)
    if scale == 1 or len(digits) > _LONGEST_SCALED:
        return _plain(digits)
    return _plain(format(Decimal(digits) * scale, "f"))


def _plain(digits: str) -> str:
    whole, point, rest = digits.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{rest}" if point and rest else "")


def _runs(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield runs of words that spell one number, such as "one hundred and five"."""
    run: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word in _UNITS or word in _TEN or (run and word in _SCALES):
            run.append(word)
        elif not (word == "and" and run and (following in _UNITS or following in _TEN)):
            if run:
                yield run
            run = []
    if run:
        yield run


def _values(run: list[str]) -> Iterator[int]:
    if _EMPTY.issuperset(run):
        return
    total = current = 0
    spoken: list[int] = []  # "nineteen sixty-six": two numbers that make a year
    for word in run:
        if word in _SCALES:
            current = max(1, current) * _SCALES[word]
            if _SCALES[word] > 100:
                total, current = total + current, 0
            continue
        value = _UNITS.get(word, _TEN.get(word, 0))
        fits = current % 100 == 0 or (current % 10 == 0 and value < 10 and current % 100 >= 20)
        if current and not fits:
            spoken.append(total + current)
            total = current = 0
        current += value
    spoken.append(total + current)
    if len(spoken) == 2 and 10 <= spoken[0] <= 21 and 10 <= spoken[1] <= 99:
        yield 100 * spoken[0] + spoken[1]
    else:
        yield from spoken
