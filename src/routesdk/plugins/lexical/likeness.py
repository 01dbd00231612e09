"""Whether two words are one: inflected, spelled as in another language, or with one letter mistyped."""

from __future__ import annotations

_SHORTEST_STEM = 4
_SHORTEST_TYPO = 6
_LONGEST_ENDING = 3
_LONGEST_WORD = 40
_COMPOUNDS = frozenset(("ite", "ate", "ide"))
FEMININE = frozenset(("a", "e", "ia", "ina", "ine", "ette", "elle", "ella"))
"""Endings that make a woman's name of a man's."""
_VOWELS = frozenset("aeiou")
# Letters that languages exchange in one and the same name: Cuba, Kuba; Tolstoy, Tolstoi.
_SOUNDS = str.maketrans("cywz", "kivs")
_NEIGHBOURS = {
    "c": "ck",
    "k": "kc",
    "y": "yi",
    "i": "iy",
    "w": "wv",
    "v": "vw",
    "z": "zs",
    "s": "sz",
    "p": "pf",
    "f": "fp",
}


def neighbours(letter: str) -> str:
    """Return the letters that a word may begin with to be one with a word that begins with this letter."""
    return _NEIGHBOURS.get(letter, letter)


def alike(word: str, other: str, *, inflected: bool = True) -> bool:
    """Tell whether two words are one word, up to spelling, its ending or one letter.

    Words that differ in a figure never are, nor are compounds such as nitrite and nitrate.

    Args:
        word: A word, folded.
        other: Another.
        inflected: Whether they may be cases of a name; Daniela is a case of Daniel in
            Czech, and another person in English.
    """
    if word == other:
        return True
    if not (word.isalpha() and other.isalpha()) or max(len(word), len(other)) > _LONGEST_WORD:
        return False
    if abs(len(word) - len(other)) > _LONGEST_ENDING + 1:
        return False
    if _differs(word, other, inflected):
        return False
    short, long = sorted((_sound(word), _sound(other)), key=len)
    common = _common(short, long)
    if len(short) < _SHORTEST_STEM - 1:
        return short == long
    return _inflected(short, long, common) or (
        len(short) >= _SHORTEST_TYPO and common >= 1 and _one_letter_apart(short, long, common)
    )


def _differs(word: str, other: str, inflected: bool) -> bool:
    """Tell whether endings make two words of one stem two things."""
    if word[-3:] != other[-3:] and word[-3:] in _COMPOUNDS and other[-3:] in _COMPOUNDS:
        return True
    short, long = sorted((word, other), key=len)
    if not long.startswith(short):
        return False
    # Niger and Nigeria; no language's case ends like this.
    return long[len(short) :] == "ia" or (not inflected and long[len(short) :] in FEMININE)


def _inflected(short: str, long: str, common: int) -> bool:
    """Tell whether two words differ in their ending alone."""
    rest, ending = len(short) - common, len(long) - common
    if rest == 0:
        return (
            ending == 0
            or (common >= 5 and ending <= _LONGEST_ENDING)
            or long[common:] in ("s", "es", "a", "em")
        )
    if len(short) == len(long) and rest == 1:
        return common >= 3 and short[-1] in _VOWELS and long[-1] in _VOWELS
    return rest <= 2 and ending <= _LONGEST_ENDING and common >= max(_SHORTEST_STEM, (2 * len(long) + 2) // 3)


def _sound(word: str) -> str:
    return word.translate(_SOUNDS).replace("ph", "f")


def _common(short: str, long: str) -> int:
    common = 0
    for left, right in zip(short, long, strict=False):
        if left != right:
            break
        common += 1
    return common


def _one_letter_apart(short: str, long: str, common: int) -> bool:
    """Tell whether one letter is missing, wrong, or swapped with its neighbour."""
    rest, other = short[common:], long[common:]
    if len(short) == len(long):
        swapped = len(rest) > 1 and rest[:2] == other[1::-1] and rest[2:] == other[2:]
        return rest[1:] == other[1:] or swapped
    return len(long) - len(short) == 1 and rest == other[1:]
