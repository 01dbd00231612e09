"""What each character is to the features: part of a word, a token by itself, or a border; and its class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BORDER, WORD, SINGLE = 0, 1, 2
"""A character parts tokens, is one of a word's, or is a token by itself."""

START, END = "\x02", "\x03"
"""Tokens around each text: the first word and the last mark become pairs with them."""

_LATIN = 256
_LAST = _LATIN - 1

# Ranges above Latin-1, by their first code point, up to the next one. Scripts without blanks
# between words (Thai, Han, Kana) are read character by character, and so are symbols and emoji.
_WIDE_RANGES = (
    (0x0100, WORD),
    (0x0E00, SINGLE),  # Thai, Lao
    (0x0F00, WORD),
    (0x1000, SINGLE),  # Myanmar
    (0x10A0, WORD),
    (0x1780, SINGLE),  # Khmer
    (0x1800, WORD),
    (0x2000, BORDER),  # blanks and joiners
    (0x2010, SINGLE),  # dashes, quotes
    (0x2028, BORDER),
    (0x2030, SINGLE),  # punctuation, currency, arrows, mathematics
    (0x2C00, WORD),
    (0x2E80, SINGLE),  # Han, Kana
    (0xA4D0, WORD),  # Hangul among others: blanks part its words
    (0xF900, SINGLE),
    (0xFB00, WORD),
    (0xFE30, SINGLE),
    (0xFE70, WORD),
    (0x10000, SINGLE),  # emoji, rare Han
)
_WIDE_STARTS = np.array([start for start, _ in _WIDE_RANGES], dtype=np.uint32)
_WIDE_KINDS = np.array([kind for _, kind in _WIDE_RANGES], dtype=np.uint8)


def _kind(code: int) -> int:
    character = chr(code)
    if character in (START, END):
        return SINGLE
    if code <= 32 or 127 <= code <= 160 or code == 173:
        return BORDER
    return WORD if character.isalnum() or character == "_" else SINGLE


def _value(code: int) -> int:
    # Borders add nothing to the sum that a token's hash is.
    return 0 if _kind(code) == BORDER else ord(chr(code).lower()) if code < 128 else code


_MARKS = [code for code in range(33, 127) if not chr(code).isalnum()]
_LOWER, _UPPER, _DIGIT, _SPACE, _NEWLINE, _CONTROL, _ACCENTED, _WIDE = range(8)


def _class(code: int) -> int:
    character = chr(code)
    if code in _MARKS:
        return 8 + _MARKS.index(code)
    if code >= 128:
        # The last code of the table stands for all that lies beyond it.
        return _WIDE if code == _LAST else _ACCENTED
    if character.isalnum():
        return _DIGIT if character.isdigit() else _LOWER if character.islower() else _UPPER
    return {" ": _SPACE, "\n": _NEWLINE}.get(character, _CONTROL)


CLASSES = 8 + len(_MARKS)
"""How many classes of characters are counted: each ASCII mark, and eight kinds of the rest."""

_KINDS, _VALUES, _CLASSES = (bytes(map(of, range(_LATIN))) for of in (_kind, _value, _class))
_KIND_TABLE, _VALUE_TABLE, _CLASS_TABLE = (
    np.frombuffer(table, dtype=np.uint8) for table in (_KINDS, _VALUES, _CLASSES)
)


ASCII_SINGLES = "".join(chr(code) for code in range(128) if _KINDS[code] == SINGLE)
"""The marks of ASCII that are tokens by themselves."""


def ascii_classes(text: str) -> NDArray[np.uint8]:
    """Return the class of each character of an ASCII text."""
    return np.frombuffer(text.encode("ascii").translate(_CLASSES), dtype=np.uint8)


def look_up_ascii(text: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return kind, value and class of each character of an ASCII text.

    The value is the lower-case code point, and 0 for borders.
    """
    codes = text.encode("ascii")
    # Translating bytes is several times as fast as indexing an array with an array.
    return (
        np.frombuffer(codes.translate(_KINDS), dtype=np.uint8),
        np.frombuffer(codes.translate(_VALUES), dtype=np.uint8),
        np.frombuffer(codes.translate(_CLASSES), dtype=np.uint8),
    )


def look_up(text: str, lowered: str) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint8]]:
    """Return kind, value and class of each character of any text; see `look_up_ascii`.

    Args:
        text: The text; lone surrogates are allowed.
        lowered: The same in lower case, with as many characters.
    """
    codes = _codes(lowered)
    narrow = np.minimum(codes, _LAST)
    kinds, values = _KIND_TABLE[narrow], _VALUE_TABLE[narrow].astype(np.uint32)
    wide = np.flatnonzero(codes >= _LATIN)
    if len(wide):
        found = codes[wide]
        kinds[wide] = _WIDE_KINDS[np.searchsorted(_WIDE_STARTS, found, side="right") - 1]
        values[wide] = np.where(kinds[wide] == BORDER, 0, found)
    return kinds, values, _CLASS_TABLE[np.minimum(_codes(text), _LAST)]


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
