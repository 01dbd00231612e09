"""The scripts that a text is written in, by the names of its letters; standard library alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType

_BY_NAME = {
    **{
        name.upper(): name
        for name in (
            *("Arabic", "Armenian", "Bengali", "Bopomofo", "Cherokee", "Coptic", "Cyrillic", "Devanagari"),
            *("Ethiopic", "Georgian", "Greek", "Gujarati", "Gurmukhi", "Hangul", "Hebrew", "Hiragana"),
            *("Javanese", "Kannada", "Katakana", "Khmer", "Lao", "Latin", "Malayalam", "Mongolian"),
            *("Myanmar", "Oriya", "Sinhala", "Syriac", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan"),
        )
    },
    "CJK": "Han",
}

SCRIPTS: Mapping[str, None] = MappingProxyType(dict.fromkeys(sorted(_BY_NAME.values())))
"""The names of the scripts that are told apart, sorted."""


def script_share(text: str, scripts: Collection[str]) -> float:
    """Return the share of a text's letters that are written in one of the scripts, 0.0 to 1.0.

    Digits, signs and marks belong to no script; a text without letters has a share of 0.
    """
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return 0.0
    return sum(_script(char) in scripts for char in letters) / len(letters)


@lru_cache(maxsize=8192)
def _script(char: str) -> str:
    # A letter's name begins with its script: "CYRILLIC SMALL LETTER A".
    for word in unicodedata.name(char, "").replace("-", " ").split():
        # Width is no script: "FULLWIDTH LATIN CAPITAL LETTER A".
        if word not in ("FULLWIDTH", "HALFWIDTH"):
            return _BY_NAME.get(word, "")
    return ""
