"""From texts to numbers: hashed words and pairs of words, and counts of characters by class.

Everything is done on arrays over all characters of a batch: a loop over words in
Python would take longer than all the rest of a decision.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from routesdk.plugins.linear.characters import CLASSES, END, START, WORD, look_up, look_up_ascii

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
_PAIR = np.uint64(0xD6E8FEB86659FD93)

SHAPES = CLASSES + 2
"""Numbers that describe a text's shape: the logarithms of its counts of characters by class,
of its characters and of its tokens."""


def _powers(base: int, first: int) -> NDArray[np.uint64]:
    factors = np.full(_CHUNK + _MARGIN, base, dtype=np.uint64)
    factors[0] = first
    return np.multiply.accumulate(factors)


class Features(NamedTuple):
    """What a batch of texts consists of. A plain tuple: one is made for each decision.

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

    def single(self, text: str) -> Features:
        """Return the features of one text; as `features` does, in half the time.

        Args:
            text: At most `LONGEST` characters.
        """
        if text.isascii():
            kinds, values, kept = look_up_ascii(f"{_OPEN}{text}{END}")
            starts, hashes = self._tokens(kinds, values)
        else:
            kinds, wide_values, kept = _look_up_mixed([_composed(text)])
            starts, hashes = self._tokens(kinds, wide_values)
        keys = self._keys(hashes)
        first = _sort(keys)
        counts = np.bincount(kept, minlength=SHAPES)
        counts[-2] = len(kept)
        counts[-1] = len(starts)
        return Features(_ZERO, keys, first, _LOGARITHMS.take(counts)[None])

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

    def _keys(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the buckets of the words of one or more texts, then those of the pairs."""
        size = len(hashes)
        keys = np.empty(2 * size - 1, dtype=np.uint64)
        keys[:size] = hashes
        pairs = keys[size:]
        np.multiply(hashes[:-1], _PAIR, out=pairs)
        pairs += hashes[1:]
        keys >>= self._down
        return keys.view(np.int64)

    def _placed_keys(
        self, hashes: NDArray[np.uint64], firsts: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the buckets of words and pairs of several texts, above each the number of its text."""
        keys = self._keys(hashes)
        places = np.repeat(np.arange(len(firsts)) << self.bits, tokens)
        keys[: len(hashes)] |= places
        keys[len(hashes) :] |= places[1:]
        # The pair of one text's end with the next one's start belongs to nobody.
        kept = np.ones(len(keys), dtype=np.bool_)
        kept[len(hashes) - 1 + firsts[1:]] = False
        return keys[kept]


def _sort(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """Sort keys in place, and return 1 for the first of each kind and 0 for its repeats."""
    keys.sort()
    first = np.empty(len(keys), dtype=np.float32)
    first[0] = 1.0
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return first


# Of all counts that a text can have.
_LOGARITHMS = np.log1p(np.arange(LONGEST + _EXTRA + 1)).astype(np.float32)
_ZERO = np.zeros(1, dtype=np.int64)


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
