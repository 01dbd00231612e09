"""What the shift score reads of a text: its runs of four bytes, hashed, and what it looks like."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
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
# Arrays of so many bytes at a time stay small, however many texts there are.
_CHUNK = 1 << 18


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


def surprise(texts: Sequence[bytes], table: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    """Return the mean of a table's entries over each text's runs, (texts, columns).

    Sums are of whole numbers, so that they are the same for one text and for many.

    Args:
        texts: What `plain` made of them.
        table: (2 ** bits, columns).
        bits: Bits of a bucket.
    """
    found = np.empty((len(texts), table.shape[1]))
    start = 0
    while start < len(texts):
        end, size = start + 1, len(texts[start])
        while end < len(texts) and size + len(texts[end]) <= _CHUNK:
            size += len(texts[end])
            end += 1
        found[start:end] = _means(texts[start:end], table, bits)
        start = end
    return found


def _means(texts: Sequence[bytes], table: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    starts = sizes.cumsum() - sizes
    counts = sizes - RUN + 1
    # The last three places of a text begin runs that reach into the next one: they are summed apart.
    bounds = np.stack([starts, starts + counts], axis=1).ravel()[:-1]
    rows = table.take(runs(b"".join(texts), bits), axis=0)
    sums = np.add.reduceat(rows, bounds, axis=0, dtype=np.int64)[::2]
    return np.asarray(sums / counts[:, None])
