"""From texts to numbers: hashed words and pairs of words, and counts of characters by class.

Everything is done on arrays over all characters of a batch: a loop over words in
Python would take longer than all the rest of a decision.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from routesdk.words.characters import (
    ASCII_SINGLES,
    CLASSES,
    END,
    START,
    WORD,
    ascii_classes,
    look_up,
    look_up_ascii,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 8000
"""Characters that a text may have."""

# Characters that are taken together: arrays of this size stay in the processor's cache.
_CHUNK = 1 << 16
_MARGIN = 1 << 13
_OPEN = f" {START}"
_BETWEEN = f"{END} {START}"
_EXTRA = 3
_BASE = 0x5851F42D4C957F2D
_SPREAD = 0xFF51AFD7ED558CCD
_PAIR = 0xD6E8FEB86659FD93
_WORD_BITS = (1 << 64) - 1

_ASCII_TOKEN = re.compile(f"[0-9a-z_]+|[{re.escape(ASCII_SINGLES)}]")
# From here on a pass over arrays is faster than one over words.
_SHORT = 600
_KNOWN_WORDS = 1 << 15

SHAPES = CLASSES + 2
"""Numbers that describe a text's shape: the logarithms of its counts of characters by class,
of its characters and of its tokens."""


def _powers(base: int, first: int) -> NDArray[np.uint64]:
    factors = np.full(_CHUNK + _MARGIN, base, dtype=np.uint64)
    factors[0] = first
    return np.multiply.accumulate(factors)


class Features(NamedTuple):
    """What a batch of texts consists of.

    Attributes:
        starts: For each text, (texts,), where its entries start.
        buckets: (entries,) hashed words and pairs; within a text ascending, repeats kept.
        first: (entries,) 1 for the first entry of its kind in a text, 0 for a repeat.
        shapes: (texts, `SHAPES`) what the texts look like.
    """

    starts: NDArray[np.int64]
    buckets: NDArray[np.int64]
    first: NDArray[np.float32]
    shapes: NDArray[np.float32]


class Single(NamedTuple):
    """What one text consists of. A plain tuple: one is made for each decision.

    Attributes:
        buckets: (entries,) hashed words and pairs, each once, in any order.
        shape: (`SHAPES`,) what the text looks like.
    """

    buckets: NDArray[np.int64]
    shape: NDArray[np.float32]


class Hasher:
    """Turns texts into features.

    A token's hash is a polynomial in its characters modulo 2**64. Sums over a token
    come from one pass over all characters, each weighted with the power of its place
    in the batch; a multiplication with the inverse power moves them back to 0.

    Args:
        bits: Buckets are 2 ** bits.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._down = np.uint64(64 - bits)
        self._mask = np.int64((1 << bits) - 1)
        # The last factor spreads a short word's bits to the high ones, which name the bucket.
        self._powers = _powers(_BASE, _SPREAD)
        self._inverses = _powers(pow(_BASE, -1, 1 << 64), 1)
        # Most words of a query were met before; how many are remembered is bounded.
        self._known = functools.lru_cache(_KNOWN_WORDS)(self._hashed)

    def features(self, texts: Sequence[str]) -> Iterator[Features]:
        """Yield the features of texts in order, some texts at a time.

        Args:
            texts: At most `LONGEST` characters each.
        """
        # Composed first: a ligature may become many characters, and a chunk has room for so many.
        texts = list(map(_composed, texts))
        start, size = 0, 0
        for end, text in enumerate(texts):
            size += len(text) + _EXTRA
            if size > _CHUNK and end > start:
                yield self._several(texts[start:end])
                start, size = end, len(text) + _EXTRA
        if start < len(texts):
            yield self._several(texts[start:])

    def words(self, text: str) -> list[tuple[str, int]]:
        """Return the words of a text with their buckets, marks left out."""
        plain = _composed(text)
        kinds, values, _ = look_up(f"{_OPEN}{plain}{END}", f"{_OPEN}{_lowered(plain)}{END}")
        starts, hashes = self._tokens(kinds, values)
        buckets = (hashes >> self._down).tolist()
        inside = kinds[1:] == WORD
        ends = np.flatnonzero(inside[:-1] & ~inside[1:]) + 1
        words = np.flatnonzero(inside[starts])
        return [
            (plain[start - 1 : end - 1], buckets[at])
            for at, start, end in zip(words.tolist(), starts[words].tolist(), ends.tolist(), strict=True)
        ]

    def single(self, text: str) -> Single:
        """Return the features of one text: the same as `features` finds, in a third of the time.

        Args:
            text: At most `LONGEST` characters.
        """
        if len(text) > _SHORT or not text.isascii():
            (found,) = self.features([text])
            return Single(found.buckets[found.first > 0.0], found.shapes[0])
        tokens = [START, *_ASCII_TOKEN.findall(text.lower()), END]
        hashed = list(map(self._known, tokens))
        down = 64 - self.bits
        buckets = {bucket for bucket, _, _ in hashed}
        buckets.update(
            [
                ((raised + plain) & _WORD_BITS) >> down
                for (_, _, raised), (_, plain, _) in itertools.pairwise(hashed)
            ]
        )
        counts = np.bincount(ascii_classes(f"{_OPEN}{text}{END}"), minlength=SHAPES)
        counts[-2] = len(text) + _EXTRA
        counts[-1] = len(tokens)
        return Single(np.fromiter(buckets, np.int64, len(buckets)), _LOGARITHMS.take(counts))

    def _hashed(self, word: str) -> tuple[int, int, int]:
        """Return a word's bucket, its hash, and the hash as the first of a pair has it."""
        total, factor = 0, _SPREAD
        for code in word.encode("ascii"):
            total += code * factor
            factor = factor * _BASE & _WORD_BITS
        total &= _WORD_BITS
        return total >> (64 - self.bits), total, total * _PAIR & _WORD_BITS

    def _several(self, texts: Sequence[str]) -> Features:
        kinds, values, kept = _look_up_mixed(texts)
        starts, hashes = self._tokens(kinds, values)
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + _EXTRA
        firsts = starts.searchsorted(sizes.cumsum() - sizes)
        tokens = np.diff(firsts, append=len(starts))
        keys = self._placed_keys(hashes, firsts, tokens)
        first = _sort(keys)
        places = keys.searchsorted(np.arange(len(texts)) << self.bits)
        return Features(places, keys & self._mask, first, _shapes(kept, sizes, tokens))

    def _tokens(
        self, kinds: NDArray[np.uint8], values: NDArray[np.uint8] | NDArray[np.uint32]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Find where tokens start, the first character left out, which is a border; and hash each."""
        # Single marks (2) always start a token; words (1) do where no word's character precedes.
        (starts,) = (kinds[1:] > (kinds[:-1] & 1)).nonzero()
        weighted = values[1:] * self._powers[: len(values) - 1]
        hashes = np.add.reduceat(weighted, starts)
        hashes *= self._inverses.take(starts)
        return starts, hashes

    def _placed_keys(
        self, hashes: NDArray[np.uint64], firsts: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the buckets of words and pairs of several texts, above each the number of its text."""
        words = (hashes >> self._down).view(np.int64)
        joined = hashes[:-1] * np.uint64(_PAIR) + hashes[1:]
        pairs = (joined >> self._down).view(np.int64)
        places = np.repeat(np.arange(len(firsts)) << self.bits, tokens)
        # The pair of one text's end with the next one's start belongs to nobody.
        kept = np.ones(len(pairs), dtype=np.bool_)
        kept[firsts[1:] - 1] = False
        return np.concatenate([words | places, (pairs | places[1:])[kept]])


def _sort(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """Sort keys in place, and return 1 for the first of each kind and 0 for its repeats."""
    keys.sort()
    first = np.empty(len(keys), dtype=np.float32)
    first[0] = 1.0
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return first


# Of all counts that a text can have.
_LOGARITHMS = np.log1p(np.arange(LONGEST + _EXTRA + 1)).astype(np.float32)


def _composed(text: str) -> str:
    """Bring a text beyond ASCII into one form of its characters; a ligature may make several."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)[:LONGEST]


def _look_up_mixed(
    texts: Sequence[str],
) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint8]]:
    """Look up runs of ASCII texts the fast way, and those between them the thorough way."""
    kinds, values, kept = [], [], []
    for ascii_only, run in itertools.groupby(texts, str.isascii):
        together = list(run)
        text = f"{_OPEN}{_BETWEEN.join(together)}{END}"
        if ascii_only:
            kind, narrow, held = look_up_ascii(text)
            values.append(narrow.astype(np.uint32))
        else:
            kind, wide, held = look_up(text, f"{_OPEN}{_BETWEEN.join(map(_lowered, together))}{END}")
            values.append(wide)
        kinds.append(kind)
        kept.append(held)
    return np.concatenate(kinds), np.concatenate(values), np.concatenate(kept)


def _lowered(text: str) -> str:
    # Few letters change their number when lowered; texts with them stay as they are.
    lowered = text if text.isascii() else text.lower()
    return lowered if len(lowered) == len(text) else text


def _shapes(
    kept: NDArray[np.uint8], sizes: NDArray[np.int64], tokens: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Describe texts by their counts of characters.

    Args:
        kept: Class of each character of all texts, with the marks before and behind each.
        sizes: Characters of each text, marks included.
        tokens: Tokens of each text, marks included.
    """
    rows = len(sizes)
    places = np.repeat(np.arange(rows) * SHAPES, sizes)
    places += kept
    counts = np.bincount(places, minlength=rows * SHAPES).reshape(rows, SHAPES)
    counts[:, -2] = sizes
    counts[:, -1] = tokens
    return _LOGARITHMS.take(counts)


@functools.lru_cache(maxsize=4)
def shared_hasher(bits: int) -> Hasher:
    """Return a hasher; its tables are the same for every router, and are never written to."""
    return Hasher(bits)
