"""Candidate pairs of similar texts: MinHash signatures and banded buckets, in numpy.

Source: A. Broder, On the resemblance and containment of documents (1997); banding as in
Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]

SHINGLE_CHARACTERS = 5
_HASHES = 64
_ROWS_PER_BAND = 4
# A bucket with more texts than this is filled by a template, not by duplicates.
_BUCKET_LIMIT = 64
_CROWDED_SIMILAR = 0.8
_BLOCK_PAIRS = 50_000
# Characters hashed at a time: bounds memory at some 30 MB, whatever the corpus.
_BLOCK_CHARACTERS = 1_000_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(values: U64) -> U64:
    """Scramble 64-bit integers (the finaliser of SplitMix64)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _flat_shingles(texts: Sequence[str]) -> tuple[U64, npt.NDArray[np.int64]]:
    """Hash each text's character 5-grams.

    Returns:
        The hashes of all texts one after another, and where each text's begin. A text
        shorter than a shingle is padded to one.
    """
    padded = [text.ljust(SHINGLE_CHARACTERS, "\0") for text in texts]
    joined = "".join(padded).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(joined, dtype="<u4").astype(np.uint64)
    lengths = np.fromiter((len(text) for text in padded), dtype=np.int64, count=len(padded))
    rolled = np.zeros(len(codes) - SHINGLE_CHARACTERS + 1, dtype=np.uint64)
    for shift in range(SHINGLE_CHARACTERS):
        rolled = _mix(rolled + _GOLDEN) ^ codes[shift : shift + len(rolled)]
    ends = np.cumsum(lengths)
    counts = lengths - SHINGLE_CHARACTERS + 1
    # Shingles that reach over the end of a text belong to nobody.
    inside = np.ones(len(codes), dtype=bool)
    for back in range(1, SHINGLE_CHARACTERS):
        inside[ends - back] = False
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    return _mix(rolled[inside[: len(rolled)]]), starts


def shingles(text: str) -> U64:
    """Hash the distinct character 5-grams of a text.

    Args:
        text: Text in normal form.

    Returns:
        Sorted distinct hashes, (shingles,).
    """
    return np.unique(_flat_shingles([text])[0])


def signatures(texts: Sequence[str]) -> U64:
    """Compute a MinHash signature for each text.

    Args:
        texts: Texts in normal form.

    Returns:
        Signatures, (texts, 64): the share of equal columns of two rows estimates the
        Jaccard similarity of their character 5-grams.
    """
    signature = np.empty((len(texts), _HASHES), dtype=np.uint64)
    seeds = _mix(np.arange(1, _HASHES + 1, dtype=np.uint64) * _GOLDEN)
    low = 0
    while low < len(texts):
        high, size = low, 0
        while high < len(texts) and (high == low or size + len(texts[high]) <= _BLOCK_CHARACTERS):
            size += len(texts[high])
            high += 1
        hashed, starts = _flat_shingles(texts[low:high])
        for column, seed in enumerate(seeds):
            # One multiplication suffices: the shingles are well mixed already.
            scrambled = (hashed ^ seed) * _GOLDEN
            scrambled ^= scrambled >> np.uint64(32)
            signature[low:high, column] = np.minimum.reduceat(scrambled * _GOLDEN, starts)
        low = high
    return signature


def candidate_pairs(signature: U64, keys: U64, at_least: float) -> Pairs:
    """Find the pairs of texts that may be similar.

    A pair becomes a candidate where all four hashes of one of sixteen bands agree
    (found with probability 0.99 at a similarity of 0.7). In a bucket of more than 64
    texts, which only templates fill, each text is paired with its two neighbours in
    the order of the further hashes: time stays linear, and near-identical texts are
    neighbours in some band all the same.

    Args:
        signature: Signatures, (texts, 64).
        keys: A number for each text, (texts,); only texts with equal keys are paired.
        at_least: Smallest estimated similarity to let pass, from 0 to 1.

    Returns:
        Distinct pairs (pairs, 2) of row numbers, the smaller first, sorted.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in range(0, _HASHES, _ROWS_PER_BAND):
        columns = np.roll(signature, -band, axis=1)
        band_keys = keys
        for column in columns[:, :_ROWS_PER_BAND].T:
            band_keys = _mix(band_keys + _GOLDEN) ^ column
        for pairs, similarity in _pairs_in_buckets(band_keys, columns):
            found.append(_estimated(signature, pairs, max(at_least, similarity)))
    return np.asarray(np.unique(np.concatenate(found), axis=0), dtype=np.int64)


def _pairs_in_buckets(keys: U64, columns: U64) -> Iterator[tuple[Pairs, float]]:
    """Pair the rows that share a key, with the similarity that they must have at least."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    bounds = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1], [True])))
    sizes = np.diff(bounds)
    for size in np.unique(sizes[sizes > 1]).tolist():
        starts = bounds[:-1][sizes == size]
        if size <= _BUCKET_LIMIT:
            # All buckets of one size at once: (buckets, size) rows, upper triangle of each.
            table = order[starts[:, None] + np.arange(size)]
            left, right = np.triu_indices(size, k=1)
            yield np.stack((table[:, left].ravel(), table[:, right].ravel()), axis=1), 0.0
            continue
        for start in starts:
            bucket = order[start : start + size]
            bucket = bucket[np.lexsort(columns[bucket, _ROWS_PER_BAND:].T[::-1])]
            for step in (1, 2):
                yield np.sort(np.stack((bucket[:-step], bucket[step:]), axis=1), axis=1), _CROWDED_SIMILAR


def _estimated(signature: U64, pairs: Pairs, at_least: float) -> Pairs:
    """Keep the pairs whose signatures agree in a large enough share of columns."""
    kept = [
        block[(signature[block[:, 0]] == signature[block[:, 1]]).mean(axis=1) >= at_least]
        for block in np.array_split(pairs, max(1, len(pairs) // _BLOCK_PAIRS))
    ]
    return np.asarray(np.concatenate(kept), dtype=np.int64)
