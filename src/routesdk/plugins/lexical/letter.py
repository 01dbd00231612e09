"""Folds letters: case, width, diacritics and typographic forms make no difference."""

from __future__ import annotations

import unicodedata

# Letters that Unicode does not decompose, as people type them who lack the key.
_SPECIAL = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŋ": "n",
    "ƒ": "f", "’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'", "ʻ": "'", "“": '"', "”": '"', "„": '"',
    "«": '"', "»": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "×": "x",
    "·": ".", "•": " ",    "\u200b": "", "\u200c": "", "\u200d": "", "\ufeff": "", "\u00ad": "",
}  # fmt: skip
# Marks of these classes change a letter's look or optional vowels. Below ten are those that make
# another letter: kana's voicing, Indic nuktas and viramas; zero are vowel signs.
_OVERLAY, _FIRST_OPTIONAL_MARK = 1, 10


class _Fold(dict[int, str]):
    """Character → folded text, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = "".join(
            _SPECIAL.get(part, part)
            # Folding may compose anew, and decomposition may leave capitals: each is done once more.
            for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
            if (mark := unicodedata.combining(part)) != _OVERLAY and mark < _FIRST_OPTIONAL_MARK
        )
        if char.isdecimal():
            folded = str(unicodedata.decimal(char))
        self[code] = folded = _SPECIAL.get(char, folded)
        return folded


_FOLD = _Fold()


def fold(text: str) -> str:
    """Return a text without differences of case, width, diacritics and typographic signs.

    Character by character, and so in time that is linear: composing a run of
    marks would take time that grows with its square.
    """
    return text.lower() if text.isascii() else text.translate(_FOLD)
