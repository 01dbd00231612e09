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
_LATER = 200
_GUESSES = (
    r"probably|most likely|i believe|i think|my best guess|i would guess|perhaps",
    r"vermutlich|wahrscheinlich|probablement|probablemente|probabilmente|provavelmente",
    r"domnivam|pravdepodobne|nejpravdepodobnej|odhad|predpoklad|prawdopodobnie|вероятно",
)
_GUESS = re.compile(rf"\b(?:{'|'.join(_GUESSES)})")
# "I have no doubt" declines nothing, in whatever language.
_CERTAIN = re.compile(
    r"\b(?:doubts?|dudas?|zweifel|doutes?|dubbi\w?|duvidas?|pochyb\w*|watpliwosc\w*|сомнени\w)\b"
)
_DOUBT_REACH = 20
# A guess behind a refusal is an answer; advice is none.
_LATER_GUESS = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|most likely|(?:my )?best guess|i(?:'d| would| will|'ll) guess"
    r"|my guess"
    r"|but i (?:think|believe)|but (?:it|he|she)(?:'s| is| was)"
    r"(?! (?:\w+ )?(?:not|un\w+|hard|possible|likely|best|important))"
    r"|vielleicht|vermutlich|wahrscheinlich|peut-etre|quizas?|tal vez|forse|talvez)"
    r"[ ,:]+(?!you\b|try\b|check\b|ask\b|i\b|sie\b|du\b|vous\b|someone\b|there\b)\w"
)
# What stands before "but" in the sentence that declines.
_CLAIM = re.compile(
    r"\b(?:it|he|she|they|this|that|answer|capital|name)(?: is|'s| was| were| are)"
    r" (?!not\b|un|hard\b|difficult\b)\w"
    # Or a bare name or number is all there is.
    r"|^(?!.*\b(?:sorry|apolog\w*|thanks?|i|i'\w+|we|my|your|questions?|unfortunately|yes|no)\b)"
    r"[\w'-]+(?: [\w'-]+){0,3},? but\b"
)
_BUT_BEFORE = re.compile(r",? (?:but|although|though|yet)\b[^.!?\n]{0,20}$")
_REQUEST = re.compile(r"please|could you|can you")
_SENTENCE = re.compile(r"(?<!\b\d)(?<!\b\d\d)(?<!\b[a-z])[.!?](?=\s)|\n")

_CLAUSE = re.compile(
    rf"{_SENTENCE.pattern}|;\s|,\s(?=maybe|perhaps|possibly|probably|my best guess)"
    r"|,\s(?:but|however|although|though|yet|aber|mais|pero|ma|mas|ale|nicméně|но)\b",
    re.IGNORECASE,
)


def declines(folded: str) -> tuple[str, int]:
    """Return the words with which a folded text declines, and where; empty where it does not.

    Looks at its first and its last 4,000 characters.
    """
    for start in (0, len(folded) - _SPAN) if len(folded) > _SPAN else (0,):
        for found in _FIND.finditer(folded[start : start + _SPAN]):
            at = start + found.start()
            if not _CERTAIN.search(folded, at, at + len(found[0]) + _DOUBT_REACH):
                return found[0], at
    return "", 0


def attempts(folded: str, phrase: str, at: int) -> bool:
    """Tell whether a text that declines at a place gives an answer all the same.

    What is said in its third sentence or later is doubt about an answer; in
    the second, where the first guesses, or where it only asks for more. So it
    is after a claim and "but", and before a guess.

    Args:
        folded: The answer, folded.
        phrase: The words that decline.
        at: Where they begin.
    """
    ends = [found.end() for found in _SENTENCE.finditer(folded, 0, at)][:2]
    if len(ends) == 2 or (len(ends) == 1 and _GUESS.search(folded, 0, at)):
        return True
    if len(ends) == 1 and _REQUEST.match(phrase) and folded[: ends[0]].strip(" .!?\n"):
        return True
    opening = folded[ends[-1] if ends else 0 : at]
    opening = opening.lstrip()
    if _BUT_BEFORE.search(opening) and _CLAIM.search(opening):
        return True
    following = folded[at + len(phrase) : at + len(phrase) + _LATER]
    return bool(_LATER_GUESS.search(following))


def without_refusals(text: str) -> str:
    """Return the clauses of a text that do not decline: what they name may be an answer."""
    ends = [0, *(found.end() for found in _CLAUSE.finditer(text)), len(text)]
    sentences = [text[start:end] for start, end in itertools.pairwise(ends)]
    return "".join(sentence for sentence in sentences if not _FIND.search(fold(sentence)))
