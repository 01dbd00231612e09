"""Compares an answer with what a reference accepts: dates, numbers, and all else by its words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from routesdk.plugins.lexical.denial import denied
from routesdk.plugins.lexical.moment import Moment
from routesdk.plugins.lexical.numeral import forms, value_of
from routesdk.plugins.lexical.outcome import Found, hit, miss
from routesdk.plugins.lexical.passage import STOP, Passage
from routesdk.plugins.lexical.phrase import find_phrase
from routesdk.plugins.lexical.reference import Accepted, Reference

_ASKS_FOR_A_DAY = frozenset(("day", "month", "date", "exact"))
_OPPOSITES = (
    (frozenset(("bc", "bce")), frozenset(("ad", "ce"))),
    (frozenset(("am",)), frozenset(("pm",))),
)
# How far a number may lie from one that calls itself approximate, and from one with decimals.
_ABOUT_SHARE = 0.03
_DECIMAL_SHARE = 0.005
# Numbers of another size than a range's are years, or count something else.
_SIZE = 3.0
_BOUNDS_TEXT = """before after under below above fewer less more least most beyond vor nach unter mehr
weniger avant apres moins plus antes despues menos mas pred pries mene vice prima dopo meno piu przed"""
_BOUNDS = frozenset(_BOUNDS_TEXT.split())
_ASKS_FOR_A_BOUND = _BOUNDS | {"minimum", "maximum", "limit"}
_LINKS = frozenset(("than", "the", "als", "de", "que", "nez", "of", "year", "roku", "dem", "di"))
_UNITS_TEXT = {
    "length": "mm millimeter millimetre;cm centimeter centimetre;m meter metre metr metru;"
    "km kilometer kilometre kilometr kilometru;mile mi;foot feet ft;inch inche;yard yd",
    "mass": "mg milligram;g gram;kg kilogram kilo;tonne ton;pound lb;ounce oz",
    "time": "second sec;minute min;hour hr;day;week;month;year",
    "money": "dollar usd;euro eur;pound gbp;yen jpy;rupee inr;ruble rub",
    "storage": "kb;mb;gb;tb",
    "temperature": "c celsius;f fahrenheit;k kelvin",
}
_Units = frozenset[tuple[str, int]]


def _units() -> dict[str, _Units]:
    """Return what a word may be a unit of; a pound is money, or a mass."""
    found: dict[str, _Units] = {}
    for kind, units in _UNITS_TEXT.items():
        for number, names in enumerate(units.split(";")):
            for name in names.split():
                found[name] = found.get(name, frozenset()) | {(kind, number)}
    return found


_UNITS = _units()


def compare(wanted: Reference, asked: frozenset[str], passage: Passage) -> Found:
    """Look for any of the accepted answers.

    Args:
        wanted: The reference.
        asked: The question's words, which an answer may repeat and prove nothing.
        passage: The answer.
    """
    if wanted.low is not None and wanted.high is not None:
        value = _first_of_size(wanted.low, wanted.high, asked, passage)
        if value is not None and wanted.low <= value <= wanted.high:
            return hit("a number within the reference's range")
    first = None
    for accepted in wanted.accepted:
        found = _one(accepted, asked, passage)
        if found.correct:
            return found
        first = first or found
    return first or miss("the reference accepts nothing")


def _first_of_size(low: float, high: float, asked: frozenset[str], passage: Passage) -> float | None:
    """Return the answer's first number that may be meant: a range accepts one, not whichever fits."""
    least, most = sorted((low / _SIZE, high * _SIZE))
    for token in passage.figures:
        value = value_of(token)
        if token not in asked and value is not None and least <= value <= most:
            return value
    return None


def _one(accepted: Accepted, asked: frozenset[str], passage: Passage) -> Found:
    if _other_era(accepted, passage):
        return miss("the same number of another era or half of the day")
    if accepted.moment is not None:
        return _date(accepted, accepted.moment, asked, passage)
    if accepted.number is not None:
        return _number(accepted, accepted.number, asked, passage)
    return find_phrase(accepted, asked, passage)


def _date(accepted: Accepted, wanted: Moment, asked: frozenset[str], passage: Passage) -> Found:
    looser = ""
    for given in passage.moments:
        if _excluded(accepted, asked, passage, given.start, given.end - 1) or _is_decade(
            accepted, passage, given
        ):
            continue
        same = wanted.agreement(given)
        if same == wanted.parts:
            return hit("the same date")
        if same and wanted.year and given.year:
            looser = "month" if given.month else "year"
    if looser and not asked & _ASKS_FOR_A_DAY:
        return hit(f"the same {looser}, of a fuller date")
    if accepted.decade and any(given.year // 10 == wanted.year // 10 for given in passage.moments):
        return hit("a year of the reference's decade")
    return miss("no date like the reference's")


def _is_decade(accepted: Accepted, passage: Passage, given: Moment) -> bool:
    """Tell whether a year is the name of its decade, and the reference is none."""
    return not accepted.decade and given.parts == 1 and passage.tokens[given.end : given.end + 1] == ["s"]


def _excluded(accepted: Accepted, asked: frozenset[str], passage: Passage, start: int, end: int) -> bool:
    """Tell whether an answer denies a number or date, or only says on which side of it the truth lies."""
    if denied(passage, start, end, asked):
        return True
    before = passage.before(start, 4)
    if before and before[-1] == "minus":
        return "minus" not in accepted.words
    while before and before[-1] in _LINKS:
        before.pop()
    if before and before[-1] in _BOUNDS:
        # "Not until" and "not before" name the very time; a reference may be a bound, too.
        bounded = (
            accepted.about
            or not _BOUNDS.isdisjoint(accepted.words)
            or not _ASKS_FOR_A_BOUND.isdisjoint(asked)
        )
        return not bounded and "not" not in before
    return _between(passage, start, end) and "between" not in accepted.words


def _between(passage: Passage, start: int, end: int) -> bool:
    """Tell whether a number is an end of "between 1985 and 1990"."""
    tokens = passage.tokens
    if "between" in passage.before(start, 1):
        return "and" in tokens[end + 1 : end + 3]
    before = passage.before(start, 4)
    return before[-1:] == ["and"] and "between" in before and before[-2][0].isdigit()


def _number(accepted: Accepted, wanted: float, asked: frozenset[str], passage: Passage) -> Found:
    token = accepted.words[0]
    fresh = [other for other in passage.figures if other not in asked]
    for form in forms(token):
        if form not in passage.places:
            continue
        if token in asked and fresh and len(passage.places[form]) < 2:
            # It only repeats the question's number, and gives another.
            continue
        if len(token) <= 2 and token not in asked and not _among_first(form, asked, passage):
            return miss("another number comes first")
        unit = _unit(accepted.words)
        if all(
            _excluded(accepted, asked, passage, at, at) or _other_unit(unit, passage, at)
            for at in passage.places[form]
        ):
            return miss("the answer denies the number, bounds it or gives it another unit")
        return hit("the same number")
    if accepted.about or "." in token:
        for other in fresh:
            value = value_of(other)
            if value is None:
                continue
            if accepted.about and abs(value - wanted) <= _ABOUT_SHARE * abs(wanted):
                return hit("nearly the same number")
            if abs(value - wanted) <= _DECIMAL_SHARE * abs(wanted) and _rounds_to(token, other):
                return hit("the same number, rounded")
    return miss("no number like the reference's")


def _rounds_to(wanted: str, given: str) -> bool:
    """Tell whether a number is another one, rounded or cut off at its own decimals."""
    places = Decimal(1).scaleb(-len(given.partition(".")[2]))
    return any(
        Decimal(wanted).quantize(places, rounding) == Decimal(given)
        for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN)
    )


def _unit(words: Iterable[str]) -> _Units:
    """Return what the first word that is a unit may be; nothing where there is none."""
    found = (_UNITS.get(word) or _UNITS.get(word.removesuffix("s")) for word in words)
    return next((units for units in found if units), frozenset())


def _other_unit(unit: _Units, passage: Passage, at: int) -> bool:
    """Tell whether a number stands beside a unit of the same kind that is another one."""
    after = [token for token in passage.tokens[at + 1 : at + 3] if not token.startswith("degree")][:1]
    given = _unit(after) or _unit(passage.before(at, 1))
    kinds = {kind for kind, _ in unit}.intersection(kind for kind, _ in given)
    return bool(kinds) and unit.isdisjoint(given)


def _other_era(accepted: Accepted, passage: Passage) -> bool:
    """Tell whether one of both says BC or AM, and the other AD or PM."""
    for mine, theirs in (*_OPPOSITES, *(pair[::-1] for pair in _OPPOSITES)):
        if not mine.isdisjoint(accepted.words) and mine.isdisjoint(passage.places):
            return not theirs.isdisjoint(passage.places)
    return False


def _among_first(form: str, asked: frozenset[str], passage: Passage) -> bool:
    """Tell whether a number stands in the first sentence that has numbers of its own.

    A small number stands somewhere in every long answer.
    """
    seen = False
    for token in passage.tokens:
        if token == form:
            return True
        if token == STOP:
            if seen:
                return False
        elif token[0].isdigit() and len(token) <= 3 and token not in asked:
            seen = True
    return False
