"""Recognises answers that decline: "I do not know", in several languages."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from routesdk.plugins.lexical.letter import fold

_PHRASES = Path(__file__).with_name("abstention.txt").read_text(encoding="utf-8").splitlines()
# Letters are folded as in a text; what is ASCII may be syntax, such as the class of no blanks, and stays.
_FOLDED = [
    "".join(char if char.isascii() else fold(char) for char in line)
    for line in _PHRASES
    if line.strip() and not line.startswith("#")
]
# Hangul is folded into its letters, from U+1100 on.
_UNSPACED = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff]|^<")
_ANYWHERE = "|".join(line for line in _FOLDED if _UNSPACED.search(line))
_FROM_A_WORD = "|".join(line for line in _FOLDED if not _UNSPACED.search(line))
# One test for a word's beginning in front of all saves trying each of them inside words.
_FIND = re.compile(rf"\b(?:{_FROM_A_WORD})|{_ANYWHERE}")
# A sentence that declines is near the beginning or the end; a megabyte between them is an answer.
_SPAN = 4000
_GUESSES = (
    r"probably|most likely|i believe|i think|my best guess|i would guess|perhaps",
    r"vermutlich|wahrscheinlich|probablement|probablemente|probabilmente|provavelmente",
    r"domnivam|pravdepodobne|nejpravdepodobnej|odhad|predpoklad|prawdopodobnie|вероятно",
)
_GUESS = re.compile(rf"\b(?:{'|'.join(_GUESSES)})")
_SENTENCE = re.compile(r"(?<!\b\d)(?<!\b\d\d)(?<!\b[a-z])[.!?](?=\s)|\n")

_CLAUSE = re.compile(
    rf"{_SENTENCE.pattern}|,\s(?:but|however|although|though|yet|aber|mais|pero|ma|mas|ale|nicméně|но)\b",
    re.IGNORECASE,
)


def declines(folded: str) -> tuple[str, int]:
    """Return the words with which a folded text declines, and where; empty where it does not.

    Looks at its first and its last 4,000 characters.
    """
    found = _FIND.search(folded[:_SPAN])
    if found is not None:
        return found[0], found.start()
    if len(folded) > _SPAN:
        found = _FIND.search(folded[-_SPAN:])
        if found is not None:
            return found[0], len(folded) - _SPAN + found.start()
    return "", 0


def attempts(folded: str, at: int) -> bool:
    """Tell whether a text that declines at a place has given an answer before.

    What is said in its third sentence or later is doubt about an answer; in
    the second, where the first guesses.
    """
    ends = [found.start() for found in _SENTENCE.finditer(folded, 0, at)][:2]
    return len(ends) == 2 or (len(ends) == 1 and bool(_GUESS.search(folded, 0, at)))


def without_refusals(text: str) -> str:
    """Return the clauses of a text that do not decline: what they name may be an answer."""
    ends = [0, *(found.end() for found in _CLAUSE.finditer(text)), len(text)]
    sentences = [text[start:end] for start, end in itertools.pairwise(ends)]
    return "".join(sentence for sentence in sentences if not _FIND.search(fold(sentence)))
