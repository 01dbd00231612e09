"""What makes two queries the same query: one normal form, and its 64-bit hash."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Marks that change what a formula, a number or a name says, and so are not always dropped.
_MEANINGFUL = frozenset(".-/*%#&@,")
# Apostrophes vanish ("what's" and "whats" are one word); other marks part two words.
_VANISHING = frozenset("'‘’ʼ`´")

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DOT = re.compile(r"(?<!\d)\.|\.(?!\d)")
_DASH = re.compile(r"-(?!\d)")
_SLASH = re.compile(r"(?<!\w)/|/(?!\w)")
_STAR = re.compile(r"(?<!\w)\*|\*(?!\w)")
_MARKS = ((".", _DOT), ("-", _DASH), ("/", _SLASH), ("*", _STAR))


class _Fold(dict[int, str]):
    """A translation table that fills itself with the characters it meets."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        self[code] = folded
        return folded


def _fold_character(character: str) -> str:
    category = unicodedata.category(character)
    if character in _VANISHING or category == "Cf":
        return ""  # format characters: zero-width spaces, soft hyphens, direction marks
    if category == "Pd":
        return "-"  # every dash is the same dash
    laid_out = category[0] in "PZ" or category == "Cc"
    return " " if laid_out and character not in _MEANINGFUL else character


_FOLD = _Fold()


def normalise(text: str) -> str:
    """Reduce a query to what identifies it.

    Compatibility forms (NFKC), case, whitespace, format characters and punctuation
    are folded away. Kept are symbols, decimal points, minus signs, and slashes and
    stars between letters or digits, because "2+2", "2-2" and "2*2" are three
    queries. Text without a letter, a digit or a symbol becomes empty.

    Args:
        text: Any string, in any script.

    Returns:
        Lower-case words with single spaces between them.
    """
    folded = text.lower()
    if not text.isascii():
        # Folding case can undo a composition, so compose again.
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = folded.translate(_FOLD)
    if "," in folded:
        folded = _THOUSANDS.sub("", folded).replace(",", " ")
    for mark, pattern in _MARKS:
        # Most texts have few of the marks, and looking for one costs next to nothing.
        if mark in folded:
            folded = pattern.sub(" ", folded)
    return " ".join(folded.split())


def query_hash(text: str) -> int:
    """Hash the normal form of a query.

    The same on every machine, in every process and version: checkpoints carry these
    numbers to refuse rows that they learned from.

    Args:
        text: The query as it was asked.

    Returns:
        The first eight bytes of BLAKE2b over the UTF-8 of `normalise(text)`, as an
        unsigned big-endian integer below 2**64.
    """
    return stable_hash(normalise(text))


def stable_hash(text: str) -> int:
    """Hash any text to 64 bits, the same in every process (unlike `hash`).

    Args:
        text: The text, taken as it stands; lone surrogates are allowed.

    Returns:
        An unsigned integer below 2**64.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")
