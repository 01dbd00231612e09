"""Recognises an answer that names several candidates and leaves the choice to the reader."""

from __future__ import annotations

import re

from routesdk.plugins.lexical.comparison import compare
from routesdk.plugins.lexical.passage import Passage
from routesdk.plugins.lexical.reference import Reference

_OR = re.compile(r"\s+(?:or|oder|ou|o|nebo|lub|albo|или)\s+|[或]|または", re.IGNORECASE)
_LIST = re.compile(
    r"[,;/|\n、，]|\s+(?:or|and|oder|und|ou|et|nebo|lub|или|и)\s+|[或和]|または", re.IGNORECASE
)
# What has these is no bare list.
_SENTENCE = re.compile(r"[:.!?]\s")
_FEWEST = 4
_LONGEST_WORDS = 4
_LONGEST = 1000


def hedges(answer: str, wanted: Reference, asked: frozenset[str]) -> bool:
    """Tell whether an answer is nothing but candidates, of which next to none is accepted.

    Two joined by "or" are such, and so is a bare list of four or more where
    no more than a quarter is accepted. Sentences never are.
    """
    if any("/" in word for each in wanted.accepted for word in each.words):
        return False  # an identifier's slashes part nothing
    if len(answer) > _LONGEST or _SENTENCE.search(answer):
        return False
    for pattern, fewest, share in ((_OR, 2, 0.5), (_LIST, _FEWEST, 0.25)):
        pieces = [piece for piece in pattern.split(answer) if piece.strip()]
        if len(pieces) < fewest or any(len(piece.split()) > _LONGEST_WORDS for piece in pieces):
            continue
        if any(len(each.words) >= len(pieces) for each in wanted.accepted):
            continue  # the reference is a list, too, or a title with commas
        right = sum(compare(wanted, asked, Passage.of(piece)).correct for piece in pieces)
        if right / len(pieces) <= share:
            return True
    return False
