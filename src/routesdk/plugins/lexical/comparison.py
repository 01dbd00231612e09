"""Compares an answer with what a reference accepts: dates, numbers, and all else by its words."""

from __future__ import annotations

from routesdk.plugins.lexical.moment import Moment
from routesdk.plugins.lexical.numeral import forms, value_of
from routesdk.plugins.lexical.outcome import Found, hit, miss
from routesdk.plugins.lexical.passage import STOP, Passage
from routesdk.plugins.lexical.phrase import find_phrase
from routesdk.plugins.lexical.reference import Accepted, Reference

_ASKS_FOR_A_DAY = frozenset(("day", "month", "date", "exact"))
_BEFORE, _AFTER = frozenset(("bc", "bce")), frozenset(("ad", "ce"))
# How far a number may lie from one that calls itself approximate, and from one with decimals.
_ABOUT_SHARE = 0.03
_DECIMAL_SHARE = 0.005


def compare(wanted: Reference, asked: frozenset[str], passage: Passage) -> Found:
    """Look for any of the accepted answers.

    Args:
        wanted: The reference.
        asked: The question's words, which an answer may repeat and prove nothing.
        passage: The answer.
    """
    if wanted.low is not None and wanted.high is not None:
        for token in passage.figures:
            value = value_of(token)
            if token not in asked and value is not None and wanted.low <= value <= wanted.high:
                return hit("a number within the reference's range")
    first = None
    for accepted in wanted.accepted:
        found = _one(accepted, asked, passage)
        if found.correct:
            return found
        first = first or found
    return first or miss("the reference accepts nothing")


def _one(accepted: Accepted, asked: frozenset[str], passage: Passage) -> Found:
    if accepted.moment is not None:
        return _date(accepted, accepted.moment, asked, passage)
    if accepted.number is not None:
        return _number(accepted, accepted.number, asked, passage)
    return find_phrase(accepted, asked, passage)


def _date(accepted: Accepted, wanted: Moment, asked: frozenset[str], passage: Passage) -> Found:
    looser = ""
    for given in passage.moments:
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


def _number(accepted: Accepted, wanted: float, asked: frozenset[str], passage: Passage) -> Found:
    token = accepted.words[0]
    fresh = [other for other in passage.figures if other not in asked]
    if _other_era(accepted, passage):
        return miss("the same number of another era")
    for form in forms(token):
        if form not in passage.places:
            continue
        if token in asked and fresh and len(passage.places[form]) < 2:
            # It only repeats the question's number, and gives another.
            continue
        if len(token) <= 2 and token not in asked and not _among_first(form, asked, passage):
            return miss("another number comes first")
        return hit("the same number")
    if accepted.about or "." in token:
        share = _ABOUT_SHARE if accepted.about else _DECIMAL_SHARE
        for other in fresh:
            value = value_of(other)
            if value is not None and abs(value - wanted) <= share * abs(wanted):
                return hit("nearly the same number")
    return miss("no number like the reference's")


def _other_era(accepted: Accepted, passage: Passage) -> bool:
    """Tell whether one of both says BC, and the other AD."""
    for mine, theirs in ((_BEFORE, _AFTER), (_AFTER, _BEFORE)):
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
