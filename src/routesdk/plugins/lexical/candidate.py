"""Recognises an answer that names several candidates and leaves the choice to the reader."""

from __future__ import annotations

import re

from routesdk.plugins.lexical.comparison import compare
from routesdk.plugins.lexical.passage import Passage
from routesdk.plugins.lexical.reference import Reference

_OR = re.compile(r"\s+(?:or|oder|ou|o|nebo|lub|albo|или)\s+|[或]|または", re.IGNORECASE)
_LIST = re.compile(
    r"[,;/|\n、，](?:\s+(?:or|and)\s)?|\s+(?:or|and|oder|und|ou|et|nebo|lub|или|и)\s+|[或和]|または",
    re.IGNORECASE,
)
# What has these is no bare list.
_SENTENCE = re.compile(r"[:.!?]\s")
_FEWEST = 4
_NUMBERED = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•])\s+")
_MIGHT = re.compile(
    r"(?:(?:it|this|that|he|she|they|the answer) )?(?:(?:could|might|may)(?: be| have been| also be)"
    r"|is either|was either|either) ",
    re.IGNORECASE,
)
# Of what it only might be, half right is not right.
_MIGHT_SHARE = 0.5
_LONGEST_WORDS = 4
_LONGEST = 1000


def hedges(answer: str, wanted: Reference, asked: frozenset[str]) -> bool:
    """Tell whether an answer is nothing but candidates, of which next to none is accepted.

    Two joined by "or" are such, and so is a bare list of four or more where
    no more than a quarter is accepted. Sentences never are.
    """
    if any("/" in word for each in wanted.accepted for word in each.words):
        return False  # an identifier's slashes part nothing
    answer, might = _bare(answer, len(wanted.accepted) < 3)
    answer = answer.rstrip(".!? ")
    if len(answer) > _LONGEST or _SENTENCE.search(answer):
        return False
    for pattern, fewest, share in ((_OR, 2, 0.5), (_LIST, _FEWEST, 0.25)):
        pieces = [piece for piece in pattern.split(answer) if piece.strip()]
        if len(pieces) < (2 if might else fewest) or any(
            len(piece.split()) > _LONGEST_WORDS for piece in pieces
        ):
            continue
        if any(len(each.words) >= len(pieces) for each in wanted.accepted):
            continue  # the reference is a list, too, or a title with commas
        right = sum(compare(wanted, asked, Passage.of(piece)).correct for piece in pieces)
        if right / len(pieces) <= (_MIGHT_SHARE if might else share):
            return True
    return False


def _bare(answer: str, few: bool) -> tuple[str, bool]:
    """Return an answer without "it could be" or the numbers of a list, and whether it had them.

    Args:
        answer: The answer.
        few: Whether the reference accepts but a few things, and is no list itself.
    """
    lines = answer.strip().splitlines()
    if few and len(lines) > 1 and all(map(_NUMBERED.match, lines)):
        return "\n".join(_NUMBERED.sub("", line, count=1) for line in lines), True
    bare, found = _MIGHT.subn("", answer.strip(), count=1)
    if found and " or " in bare:
        return bare, True
    return answer, False
