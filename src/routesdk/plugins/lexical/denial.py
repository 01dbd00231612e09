"""Tells whether an answer denies what it names: "not Paris but Lyon", "Paris is not the capital"."""

from __future__ import annotations

from routesdk.plugins.lexical.passage import STOP, Passage

_NOT_TEXT = """not isnt wasnt arent werent never nor nicht kein keine keinen nikoli nikoliv
neni nebyl nebyla nebylo nie nao нет ни"""
_NOT = frozenset(_NOT_TEXT.split())
_INSTEAD = frozenset((("rather", "than"), ("instead", "of"), ("anstatt", "von"), ("namisto", "toho")))
_BUT_TEXT = """but sondern mais sino ma mas ale nybrz lecz rather only just nur pouze а
until till"""
_BUT = frozenset(_BUT_TEXT.split())
# What follows a name that was only asked about, or ascribed to others.
_NO = frozenset(("no", "nope", "nein", "non", "ne", "nie", "нет"))
_WRONG = frozenset(("wrong", "incorrect", "false", "untrue", "mistaken", "falsch", "spatne", "faux", "falso"))
_THAT = frozenset(("which", "that", "this", "but", "and", "though", "although", "das", "cest", "coz"))
_IS_TEXT = """is was are were did does do ist war est es era foi e"""
_IS = frozenset(_IS_TEXT.split())
_REACH = 3
_DOUBT = frozenset(("doubt", "question", "problem", "zweifel", "doute"))


def denied(passage: Passage, start: int, end: int, asked: frozenset[str] = frozenset()) -> bool:
    """Tell whether the words from one place to another are denied by others of their sentence.

    Args:
        passage: The answer.
        start: The first word's place.
        end: The last word's place.
        asked: The question's words: where it says "not", so may its right answer.
    """
    before = passage.before(start, _REACH)
    for at, token in enumerate(before if _NOT.isdisjoint(asked) else ()):
        if token in _NOT and not _BUT.intersection(before[at + 1 :]):
            return True
    if tuple(before[-2:]) in _INSTEAD:
        return True
    after = passage.tokens[end + 1 : end + 6]
    if len(after) > 2 and after[0] == STOP and after[1] in _NO and not after[2][0].isdigit():
        # "Paris? No, Lyon." but not "Paris. No doubt."
        return after[2] not in _DOUBT
    if _taken_back(after):
        return True
    return len(after) >= 3 and after[0] in _IS and after[1] in _NOT and after[2] not in _BUT


def _taken_back(after: list[str]) -> bool:
    """Tell whether "which is wrong" or the like follows."""
    place = 0
    while place < len(after) and (after[place] in _THAT or after[place] == STOP):
        place += 1
    return (
        after[place : place + 1] != []
        and after[place] in _IS
        and after[place + 1 : place + 2] != []
        and after[place + 1] in _WRONG
    )
