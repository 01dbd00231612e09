"""What the shift score reads of a text: its runs of four bytes, hashed, and what it looks like."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT = 1000
"""Characters that are read: by then a text has shown what it is."""

SHAPES = 6
"""Numbers that describe a text's shape."""

RUN = 4
"""Bytes in a run."""

# Marks beginning and end, and gives each of a text's own bytes a whole run to begin.
_OPEN, _CLOSE = b" ", b"   "
_SPREAD = np.uint32(0x9E3779B1)
_LETTERS, _DIGITS = string.ascii_lowercase.encode(), string.digits.encode()
_ASCII = bytes(range(128))
# Bits that hold how many bytes of one kind a text has: it has four thousand and a few at most.
_KIND_BITS = 16
_KIND_MASK = (1 << _KIND_BITS) - 1
# Arrays of so many bytes at a time stay small, however many texts there are.
_CHUNK = 1 << 18


def _kinds() -> NDArray[np.int64]:
    """Return, for each byte, a one in the counter of its kind, in the order of `shape`."""
    table = np.zeros(256, dtype=np.int64)
    for kind, members in enumerate((_LETTERS, b" ", _DIGITS, bytes(range(128, 256)))):
        table[list(members)] = 1 << (_KIND_BITS * kind)
    return table


_KINDS = _kinds()


def plain(text: str) -> bytes:
    """Return what is read of a text: lower case, single blanks, UTF-8."""
    words = " ".join(text[:LIMIT].lower().split())
    return _OPEN + words.encode("utf-8", "surrogatepass") + _CLOSE


def runs(data: bytes, bits: int) -> NDArray[np.uint32]:
    """Return the bucket of each run of four bytes."""
    # A view that steps by one byte: no loop, and no copy before the product.
    codes: NDArray[np.uint32] = np.ndarray((len(data) - RUN + 1,), "<u4", data, 0, (1,))
    return (codes * _SPREAD) >> np.uint32(32 - bits)


def shape(text: str, data: bytes) -> tuple[float, ...]:
    """Describe a text: the logarithm of its length, and shares of kinds of bytes and of new lines.

    Args:
        text: The text.
        data: What `plain` made of it.
    """
    size = len(data)
    return (
        math.log(size),
        (size - len(data.translate(None, _LETTERS))) / size,
        data.count(b" ") / size,
        (size - len(data.translate(None, _DIGITS))) / size,
        len(data.translate(None, _ASCII)) / size,
        text.count("\n", 0, LIMIT) / size,
    )


def shapes(texts: Sequence[str], data: Sequence[bytes]) -> NDArray[np.float64]:
    """Return what `shape` does of each text, (texts, `SHAPES`), to the last bit, and sooner of many."""
    found = np.empty((len(texts), SHAPES))
    for part in _portions(data):
        found[part] = _shapes(texts[part], data[part])
    return found


def _shapes(texts: Sequence[str], data: Sequence[bytes]) -> NDArray[np.float64]:
    sizes, starts = _places(data)
    codes = np.frombuffer(b"".join(data), dtype=np.uint8)
    sums = np.add.reduceat(_KINDS.take(codes), starts)
    found = np.empty((len(texts), SHAPES))
    # numpy's logarithm may differ from `math.log` in the last bit.
    found[:, 0] = list(map(math.log, sizes.tolist()))
    for kind in range(SHAPES - 2):
        found[:, kind + 1] = (sums >> (_KIND_BITS * kind)) & _KIND_MASK
    found[:, -1] = [text.count("\n", 0, LIMIT) for text in texts]
    found[:, 1:] /= sizes[:, None]
    return found


def _places(texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how long texts are, and where each begins once they are joined."""
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return sizes, sizes.cumsum() - sizes


def surprise(texts: Sequence[bytes], table: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    """Return the mean of a table's entries over each text's runs, (texts, columns).

    Sums are of whole numbers, so that they are the same for one text and for many.

    Args:
        texts: What `plain` made of them.
        table: (2 ** bits, columns).
        bits: Bits of a bucket.
    """
    found = np.empty((len(texts), table.shape[1]))
    for part in _portions(texts):
        found[part] = _means(texts[part], table, bits)
    return found


def _portions(texts: Sequence[bytes]) -> Iterator[slice]:
    """Cut texts into portions of a size that caches hold; a longer text is one of its own."""
    start = 0
    while start < len(texts):
        end, size = start + 1, len(texts[start])
        while end < len(texts) and size + len(texts[end]) <= _CHUNK:
            size += len(texts[end])
            end += 1
        yield slice(start, end)
        start = end


def _means(texts: Sequence[bytes], table: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    sizes, starts = _places(texts)
    counts = sizes - RUN + 1
    # The last three places of a text begin runs that reach into the next one: they are summed apart.
    bounds = np.stack([starts, starts + counts], axis=1).ravel()[:-1]
    rows = table.take(runs(b"".join(texts), bits), axis=0)
    sums = np.add.reduceat(rows, bounds, axis=0, dtype=np.int64)[::2]
    return np.asarray(sums / counts[:, None])
