"""Finds a name or another phrase in an answer, whole or in part."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from routesdk.plugins.lexical.denial import denied
from routesdk.plugins.lexical.letter import fold
from routesdk.plugins.lexical.likeness import FEMININE, alike
from routesdk.plugins.lexical.outcome import Found, hit, miss
from routesdk.plugins.lexical.passage import STOP, Owner, Passage
from routesdk.plugins.lexical.reference import FUNCTION_WORDS, THINGS, TITLES, Accepted

# An answer of no more different words than this can be part of a reference and nothing else.
_SHORT = 4
_MOST_CACHED = 200
_MOST = 0.6
_ASKS_FOR_A_PERSON_TEXT = """who whom whose kdo koho komu wer wen qui quien chi quem kto кто actor actress
singer author artist person"""
_ASKS_FOR_A_PERSON = frozenset(_ASKS_FOR_A_PERSON_TEXT.split())
# A shorter name may be an abbreviation of the right one.
_LIES_IN = re.compile(r"([^\W\d_]{1,40}), (?:in )?([A-Z][^\W\d_]{3,40})")
_WIDER = frozenset(("united", "america", "europe", "asia", "africa"))
_IS = frozenset(("ist", "war", "est", "fue", "era", "foi", "byl", "byla", "jest", "это", "был", "была"))
# Titles before a name, and surnames behind it.
_SURNAMES = frozenset(("king", "prince", "lord", "master", "general", "singer"))
_ASKS_FOR_ALL = frozenset(("full", "birth", "complete"))


def find_phrase(wanted: Accepted, asked: frozenset[str], passage: Passage) -> Found:
    """Look for the words of an accepted answer that the question does not hold already."""
    # Several answers to one question are graded one after another, and a question is rarely long.
    sought = _sought if len(asked) <= _MOST_CACHED else _sought.__wrapped__
    needed, fresh = sought(wanted.words, wanted.name, asked)
    spots = [passage.spots(word) for word in fresh]
    if wanted.pair and not any(_in_order(wanted.words, passage.tokens, at) for at in spots[0]):
        return miss("the numbers of the reference, in their order, are missing")
    if all(spots):
        return _together(spots, asked, passage)
    # An identifier may begin as a longer one does.
    if len(wanted.squeezed) >= 7 and "/" not in wanted.squeezed and wanted.squeezed in passage.squeezed:
        return hit("every word of the reference, spaced differently")
    if wanted.joined:
        return miss("one of the names of the reference is missing")
    if wanted.person and _surname(needed, spots[-1], asked, passage):
        return hit("the surname of the person in the reference")
    if any(spots) and _part_alone(wanted, fresh, spots, asked, passage):
        return hit("part of the reference, and nothing else")
    return (
        _mostly(wanted, fresh, spots)
        or _place(wanted, asked, passage)
        or miss("words of the reference are missing")
    )


@lru_cache(maxsize=4096)
def _sought(
    words: tuple[str, ...], name: bool, asked: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words without titles and, in a name, initials; and those of them that the question lacks."""
    initial = 1 if name else 0
    needed = tuple(
        word
        for place, word in enumerate(words)
        if (word not in TITLES or (name and word in _SURNAMES and 0 < place == len(words) - 1))
        and (len(word) > initial or not word.isalpha())
    )
    needed = needed or words
    fresh = tuple(word for word in needed if not any(alike(word, other) for other in asked))
    return needed, fresh or needed


def _together(spots: list[list[int]], asked: frozenset[str], passage: Passage) -> Found:
    """Tell whether the words stand near each other somewhere, and are not denied there."""
    window = 3 * len(spots) + 12
    near = False
    for place in min(spots, key=len):
        found = [_nearest(each, place) for each in spots]
        if max(found) - min(found) <= window:
            near = True
            if not denied(passage, min(found), max(found), asked):
                return hit("every word of the reference")
    if near:
        return miss("the answer names the reference, and denies it")
    return miss("the reference's words stand far apart")


def _in_order(words: Sequence[str], tokens: Sequence[str], at: int) -> bool:
    """Tell whether two numbers follow one another, with at most a word such as "to" between them."""
    found = [token for token in tokens[at : at + 5] if token[0].isdigit()]
    return found[: len(words)] == list(words)


def _nearest(places: list[int], place: int) -> int:
    at = bisect_left(places, place)
    return min(places[max(0, at - 1) : at + 1], key=lambda other: abs(other - place))


def _surname(needed: Sequence[str], last: list[int], asked: frozenset[str], passage: Passage) -> bool:
    """Tell whether a question about a person is answered with the surname, without another first name."""
    if len(needed) < 2 or not asked & _ASKS_FOR_A_PERSON or asked & _ASKS_FOR_ALL:
        return False
    for place in last:
        if denied(passage, place, place, asked) or isinstance(passage.tokens[place], Owner):
            continue
        before = passage.tokens[place - 1] if place else STOP
        if before == "of":
            continue  # "the wife of Obama" is not Obama
        if before == STOP or before in FUNCTION_WORDS | TITLES | _IS or before in asked:
            return True
        if any(_shortened(token, needed[:-1]) for token in passage.tokens[max(0, place - 2) : place]):
            return True
    return False


def _shortened(token: str, given: Sequence[str]) -> bool:
    """Tell whether a word is an initial or a form of a first name: Mike for Michael, not Pauline for Paul."""
    return any(
        token[0] == name[0]
        and not (len(name) > 1 and token.startswith(name) and token[len(name) :] in FEMININE)
        for name in given
    )


def _part_alone(
    wanted: Accepted, fresh: Sequence[str], spots: list[list[int]], asked: frozenset[str], passage: Passage
) -> bool:
    """Tell whether an answer is a part of the reference, with its numbers, and nothing else."""
    if _lacks_number(fresh, spots):
        return False
    if len(passage.places) > 3 * _SHORT + len(asked):
        return False
    content = [
        word for word in passage.places if word not in FUNCTION_WORDS and word not in asked and word != STOP
    ]
    # A letter is no part of a name, nor is "a university" one; and a bare "C" no part of "C++".
    telling = 0 < len(content) <= _SHORT and any(
        (len(word) > 1 or not word.isascii()) and word not in THINGS for word in content
    )
    return telling and all(
        any(alike(word, own, inflected=passage.inflects) for own in wanted.words) for word in content
    )


def _mostly(wanted: Accepted, fresh: Sequence[str], spots: list[list[int]]) -> Found | None:
    """Accept most of three words or more, and half of a description; never without its numbers."""
    found = sum(map(bool, spots))
    if _lacks_number(fresh, spots):
        return None
    if len(fresh) >= 3 and found / len(fresh) >= _MOST and (spots[-1] or not wanted.name):
        return hit("most words of the reference")
    telling = any(places and len(word) >= 4 for word, places in zip(fresh, spots, strict=True))
    if wanted.description and len(fresh) > 1 and 2 * found >= len(fresh) and telling:
        return hit("half of the reference's description")
    return None


def _lacks_number(fresh: Sequence[str], spots: list[list[int]]) -> bool:
    return any(word[0].isdigit() and not places for word, places in zip(fresh, spots, strict=True))


def _place(wanted: Accepted, asked: frozenset[str], passage: Passage) -> Found | None:
    """Accept `Corinth` for `Corinth, Mississippi` where the question asks where."""
    if wanted.head and "where" in asked and all(map(passage.spots, wanted.head)):
        if _elsewhere(wanted, passage):
            return miss("a place of the same name that lies elsewhere")
        return hit("the place of the reference, without what it lies in")
    return None


def _elsewhere(wanted: Accepted, passage: Passage) -> bool:
    """Tell whether a comma and another name follow the place, as in "Springfield, Massachusetts"."""
    if not _WIDER.isdisjoint(wanted.words):
        return False  # England lies in the United Kingdom
    following = {fold(name) for head, name in _LIES_IN.findall(passage.text) if fold(head) == wanted.head[-1]}
    return bool(following) and not any(
        any(alike(name, word) for word in wanted.words) or name in _WIDER for name in following
    )
