"""Rows drawn with replacement, a block of resamples at a time: the one place that draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.metrics._input import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routesdk.metrics._input import Floats

# Draws held at a time: 8 MB for each array of a statistic.
_BLOCK_VALUES = 1_000_000


def draws(rows: int, resamples: int, seed: int) -> Iterator[tuple[slice, Floats]]:
    """Say how often each row was drawn; the same rows, resamples and seed give the same draws.

    Yields:
        Which resamples these are, and the counts, (resamples, rows).

    Raises:
        MetricError: Rows or resamples are no whole number of 1 or more.
    """
    whole_number("bootstrap", "rows", rows)
    whole_number("bootstrap", "resamples", resamples)
    generator = np.random.default_rng(seed)
    step = max(1, _BLOCK_VALUES // rows)
    for low in range(0, resamples, step):
        size = min(step, resamples - low)
        drawn = generator.integers(0, rows, size=(size, rows)) + np.arange(size)[:, None] * rows
        counts = np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)
        yield slice(low, low + size), counts
