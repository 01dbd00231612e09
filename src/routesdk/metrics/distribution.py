"""How often each policy or model is chosen, and how well each policy is told from the others."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics.intervals import mean_statistic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from routesdk.metrics.agreement import Confusion
    from routesdk.metrics.intervals import Statistic


@attrs.frozen(kw_only=True)
class Recognition:
    """How well one category is recognised, all shares from 0 to 1; None where nothing is there to divide by.

    Attributes:
        rows: Rows that are of the category.
        named: Rows that were said to be of it.
        precision: Share of those named that are of it.
        recall: Share of those of it that were named.
        f1: Harmonic mean of both; 0 where none was named rightly.
    """

    rows: int
    named: int
    precision: float | None
    recall: float | None
    f1: float | None


def shares(choices: Sequence[str], names: Sequence[str] = ()) -> Mapping[str, float]:
    """Count how often each choice, such as a policy or a model, was made.

    Args:
        choices: The choice for each row, (rows,).
        names: Choices to list first, in order, even where they never occur.

    Returns:
        The share of each choice, from 0 to 1; they add up to 1.

    Raises:
        MetricError: There are no rows.
    """
    found = _names(choices, names)
    return MappingProxyType({name: sum(each == name for each in choices) / len(choices) for name in found})


def share_statistics(choices: Sequence[str], names: Sequence[str] = ()) -> Mapping[str, Statistic]:
    """Prepare the share of each choice for many resamples.

    Args:
        choices: As for `shares`, (rows,).
        names: As for `shares`.

    Returns:
        For each choice a function from counts, (resamples, rows), to shares, (resamples,).

    Raises:
        MetricError: There are no rows.
    """
    found = _names(choices, names)
    column = np.asarray(choices, dtype=np.str_)
    return MappingProxyType({name: mean_statistic(column == name) for name in found})


def recognition(table: Confusion) -> Mapping[str, Recognition]:
    """Read precision and recall of each category off a confusion table.

    Args:
        table: What was said in rows, what was so in columns: `confusion(predicted, oracle)`.

    Returns:
        Each category, in the order of the table, and how well it was recognised.
    """
    counts = np.asarray(table.table)
    named, there, right = counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts)
    return MappingProxyType(
        {
            name: Recognition(
                rows=int(there[at]),
                named=int(named[at]),
                precision=_part(int(right[at]), int(named[at])),
                recall=_part(int(right[at]), int(there[at])),
                f1=_part(2 * int(right[at]), int(named[at] + there[at])),
            )
            for at, name in enumerate(table.categories)
        }
    )


def _part(some: int, whole: int) -> float | None:
    return some / whole if whole else None


def _names(choices: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    if not len(choices):
        raise MetricError("shares", "there are no rows")
    return tuple(dict.fromkeys((*names, *sorted(set(choices)))))
