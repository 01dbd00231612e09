"""What all metrics of a ranking share: reading its columns, and putting rows in order once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import SMALLEST_GAP, column, same_rows, unit_column

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats


def ranking_columns(
    metric: str, score: npt.ArrayLike, medium: npt.ArrayLike, large: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Read a score and both models' qualities, (rows,) each.

    Raises:
        MetricError: A column is empty, holds NaN, a quality lies outside 0 to 1, or lengths differ.
    """
    ranks = column(metric, "score", score)
    cheap = unit_column(metric, "medium", medium)
    dear = unit_column(metric, "large", large)
    same_rows(metric, score=ranks, medium=cheap, large=dear)
    return ranks, cheap, dear


def ranked(score: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Order rows by falling score, and say where each distinct score begins."""
    order = np.argsort(-score, kind="stable")
    sorted_score = score[order]
    starts = np.flatnonzero(np.concatenate(([True], sorted_score[1:] != sorted_score[:-1])))
    return order.astype(np.int64), starts.astype(np.int64)


def grouped(values: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Add up neighbouring columns, (resamples, rows), that have one score: (resamples, scores)."""
    if len(starts) == values.shape[1]:
        return values
    return np.asarray(np.add.reduceat(values, starts, axis=1), dtype=np.float64)


def moved_area(drawn: Floats, gain: Floats, starts: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Add up what is gained as rows move to the large model, from the highest score down.

    Args:
        drawn: How often each row was drawn, (resamples, rows), by falling score.
        gain: What the large model has over the medium one on each row, in that order, (rows,).
        starts: Where each distinct score begins; see `ranked`.

    Returns:
        For each resample the area under the gain against the share moved, times its rows;
        the whole gain; and its rows.
    """
    gained = grouped(drawn * gain, starts)
    drawn = grouped(drawn, starts)
    through = np.cumsum(drawn, axis=1)
    rows = through[:, -1]
    # A query moved at share s is answered by the large model over the remaining 1 - s.
    remaining = rows[:, None] - through + drawn / 2
    area = np.einsum("rb,rb->r", gained, remaining) / rows
    return area, gained.sum(axis=1), rows


def quality_gap(metric: str, medium: Floats, large: Floats) -> float:
    """Add up what the large model has over the medium one.

    Raises:
        MetricError: It is no better on these rows.
    """
    gap = float((large - medium).sum())
    if gap <= SMALLEST_GAP * len(medium):
        raise MetricError(
            metric,
            f"the large model (mean quality {large.mean():.4f}) is no better than the medium one "
            f"({medium.mean():.4f}) on these {len(medium)} rows, so there is no gap to recover",
        )
    return gap


def over(numerator: Floats, denominator: Floats, defined: npt.NDArray[np.bool_]) -> Floats:
    """Divide where a quotient is defined, and put NaN elsewhere."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=defined)
    return quotient
