"""Whether higher scores go with the event: area under the receiver operating characteristic.

Source: Hanley and McNeil, The Meaning and Use of the Area under a Receiver Operating
Characteristic (ROC) Curve, Radiology 143 (1982), 29-36.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import column, same_rows
from routesdk.metrics._ranking import grouped, over, ranked

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic

_METRIC = "AUROC"


def auroc(score: npt.ArrayLike, happened: npt.ArrayLike) -> float:
    """Return the chance that a row where it happened has the higher score than one where it did not.

    Args:
        score: Anything that ranks rows, (rows,); ties count half.
        happened: Whether it happened, booleans or 0 and 1, (rows,).

    Returns:
        1 for a perfect ranking, 0.5 for chance or for one score alone, 0 for the reverse.

    Raises:
        MetricError: A column is empty, holds NaN, lengths differ, an outcome is neither 0
            nor 1, or all outcomes are the same.
    """
    value = float(auroc_statistic(score, happened)(np.ones((1, len(np.asarray(score)))))[0])
    if np.isnan(value):
        raise MetricError(_METRIC, "every row has the same outcome, so that there is nothing to tell apart")
    return value


def auroc_statistic(score: npt.ArrayLike, happened: npt.ArrayLike) -> Statistic:
    """Prepare AUROC for many resamples: rows are ranked once.

    Args:
        score: As for `auroc`, (rows,).
        happened: As for `auroc`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to AUROC, (resamples,); NaN where all
        outcomes of a resample are the same.

    Raises:
        MetricError: As for `auroc`, but for the last.
    """
    ranks = column(_METRIC, "score", score)
    event = column(_METRIC, "happened", happened)
    same_rows(_METRIC, score=ranks, happened=event)
    odd = np.flatnonzero((event != 0) & (event != 1))
    if len(odd):
        row = int(odd[0])
        raise MetricError(_METRIC, f"happened is {event[row]:g} in row {row}, neither 0 nor 1")
    order, starts = ranked(ranks)
    positive = event[order]

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        hits = grouped(drawn * positive, starts)
        misses = grouped(drawn, starts) - hits
        # Rows are in falling order: each miss lies below the hits before it, and ties halve.
        above = np.cumsum(hits, axis=1) - hits / 2
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        return over(np.einsum("rb,rb->r", above, misses), pairs, pairs > 0)

    return statistic
