"""Words of any script: text folded for comparison, whole words found, words counted.

Rules need this, and rules may not import each other. Everything here takes
any string, lone surrogates included, in time that grows with its length.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

import attrs

from routesdk.errors import ConfigError

# Scripts that put no blanks between words, so that a word's edge cannot be seen.
# Source: Unicode line breaking (UAX #14), classes SA and ID, and Tibetan; block ranges of Unicode 16.
_SYLLABIC = (
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"  # Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham
    "\ua9e0-\ua9ff\uaa60-\uaadf"  # more Myanmar, Tai Viet
)
_IDEOGRAPHIC = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035"  # radicals, iteration marks, numerals
    "\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f"  # Hiragana, Katakana, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uf900-\ufaff"  # Han, Yi
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"  # historic kana, rare Han
)
_SYLLABIC_CHARS = re.compile(f"[{_SYLLABIC}]")
_IDEOGRAPHIC_CHARS = re.compile(f"[{_IDEOGRAPHIC}]")
_UNSPACED = re.compile(f"[{_SYLLABIC}{_IDEOGRAPHIC}]")
_UNSPACED_RUN = re.compile(f"[{_SYLLABIC}{_IDEOGRAPHIC}]+")

_IDEOGRAPHIC_PER_WORD = 2
"""Characters of Chinese or Japanese taken for a word: an estimate, as two-character words prevail."""

_SYLLABIC_PER_WORD = 5
"""Characters of Thai and its neighbours, vowel signs included, taken for a word: an estimate."""

# `\S*` runs to the next blank, so that matches never overlap and the whole search is linear.
_SPACED_WORD = re.compile(r"\w\S*")

# Normalising sorts each run of combining marks, in time that grows with the square of
# its length: 1 MB of marks would take minutes. A joiner after every 30 cuts such runs, as
# Unicode's stream-safe text format does (UAX #15). U+FF9E and U+FF9F are letters that
# become marks.
_LONG_RUN = re.compile("(?:[^\\w\\x00-\\x7f]|[\uff9e\uff9f]){30}")
_JOINER = "\u034f"

_HANGUL = re.compile("[\uac00-\ud7a3]")
# Korean writes particles onto the noun, so that a noun would hardly ever stand alone.
_KOREAN_PARTICLE = re.compile(
    "(?:은|는|이|가|을|를|의|에|에서|에게|에는|와|과|도|로|으로|만|까지|부터|처럼|보다|이나|나|란|이란|라는|이라는|하고|들|들을|들은|들의|들이)"
    "(?!\\w)"
)


def fold(text: str) -> str:
    """Return text in the form in which words are compared.

    Compatibility forms become plain ones (NFKC), case is folded, and each run
    of white space becomes one blank.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    safe = _LONG_RUN.sub(lambda run: run[0] + _JOINER, text)
    caseless = unicodedata.normalize("NFKC", safe).casefold()
    # Case folding can undo the normal form, as with U+0345.
    return " ".join(unicodedata.normalize("NFKC", caseless).split())


def count_words(text: str) -> int:
    """Count the words of a text in any script.

    Between blanks, whatever holds a letter or digit is a word. Where a script
    puts no blanks, words are estimated from characters: 2 a word in Chinese and
    Japanese, 5 in Thai, Lao, Khmer, Myanmar and Tibetan.
    """
    if text.isascii():
        return sum(1 for _ in _SPACED_WORD.finditer(text))
    ideographic = len(_IDEOGRAPHIC_CHARS.findall(text))
    syllabic = len(_SYLLABIC_CHARS.findall(text))
    spaced = sum(1 for _ in _SPACED_WORD.finditer(_UNSPACED_RUN.sub(" ", text)))
    unspaced = math.ceil(ideographic / _IDEOGRAPHIC_PER_WORD) + math.ceil(syllabic / _SYLLABIC_PER_WORD)
    return spaced + unspaced


def _has_edge(char: str) -> bool:
    """Tell whether a character belongs to a word whose edges can be seen."""
    # Combining marks and zero-width joiners are inside words, though `\w` leaves them out.
    inside = char.isalnum() or char in "_\u200c\u200d" or unicodedata.category(char)[0] == "M"
    return inside and not _UNSPACED.match(char)


@attrs.frozen
class _Entry:
    """One word as it was given and as it is looked for."""

    given: str
    folded: str
    starts: bool
    ends: bool

    def stands_in(self, text: str) -> bool:
        """Tell whether the word stands in a folded text as a whole word."""
        width = len(self.folded)
        at = text.find(self.folded)
        while at >= 0:
            if not (self._grows_left(text, at) or self._grows_right(text, at + width)):
                return True
            at = text.find(self.folded, at + 1)
        return False

    def _grows_left(self, text: str, at: int) -> bool:
        return self.starts and at > 0 and _has_edge(text[at - 1])

    def _grows_right(self, text: str, end: int) -> bool:
        if not (self.ends and end < len(text) and _has_edge(text[end])):
            return False
        return not (_HANGUL.match(self.folded[-1]) and _KOREAN_PARTICLE.match(text, end))


class Lexicon:
    """Words and phrases to look for, prepared once; safe to share between threads.

    A word is found whole: not as a part of a longer one, whatever its case or
    compatibility form. In scripts without blanks between words, where a
    word's edges cannot be seen, it is found anywhere; in Korean, also before a
    particle. An edge that is no letter, digit or mark, as in `c++`, may touch anything.

    Args:
        words: Words or phrases, in the order in which they are tried.
        key: What errors call the list: the option that it comes from.

    Raises:
        ConfigError: There is no word, or one is blank or no string.
    """

    __slots__ = ("_entries",)

    def __init__(self, words: Iterable[str], *, key: str = "words") -> None:
        if isinstance(words, str):
            raise ConfigError(key, repr(words), "is a string, not a list", "Put it in a list.")
        self._entries = tuple(_entry(f"{key}[{index}]", word) for index, word in enumerate(words))
        if not self._entries:
            raise ConfigError(key, "[]", "is empty", "List at least one word.")

    def find(self, text: str) -> str | None:
        """Return the first listed word that stands in the text, as it was listed, or None."""
        folded = fold(text)
        for entry in self._entries:
            # The bare search comes first: of a hundred words, hardly one stands in a query.
            if entry.folded in folded and entry.stands_in(folded):
                return entry.given
        return None


def _entry(key: str, word: object) -> _Entry:
    if not isinstance(word, str):
        raise ConfigError(key, repr(word), "is not a string", "Write a word or phrase.")
    folded = fold(word)
    if not folded:
        raise ConfigError(key, repr(word), "is blank", "Write a word or phrase, or remove it.")
    return _Entry(word, folded, _has_edge(folded[0]), _has_edge(folded[-1]))
