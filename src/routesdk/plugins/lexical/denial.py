"""Tells whether an answer denies what it names: "not Paris but Lyon", "Paris is not the capital"."""

from __future__ import annotations

from routesdk.plugins.lexical.passage import Passage

_NOT_TEXT = """not isnt wasnt arent werent never nor nicht kein keine keinen nikoli nikoliv
neni nebyl nebyla nebylo nie nao нет ни"""
_NOT = frozenset(_NOT_TEXT.split())
_INSTEAD = frozenset((("rather", "than"), ("instead", "of"), ("anstatt", "von"), ("namisto", "toho")))
_BUT_TEXT = """but sondern mais sino ma mas ale nybrz lecz rather only just nur pouze а"""
_BUT = frozenset(_BUT_TEXT.split())
_IS_TEXT = """is was are were did does do ist war est es era foi e"""
_IS = frozenset(_IS_TEXT.split())
_REACH = 3


def denied(passage: Passage, start: int, end: int) -> bool:
    """Tell whether the words from one place to another are denied by others of their sentence."""
    before = passage.before(start, _REACH)
    for at, token in enumerate(before):
        if token in _NOT and not _BUT.intersection(before[at + 1 :]):
            return True
    if tuple(before[-2:]) in _INSTEAD:
        return True
    after = passage.tokens[end + 1 : end + 4]
    return len(after) == 3 and after[0] in _IS and after[1] in _NOT and after[2] not in _BUT
