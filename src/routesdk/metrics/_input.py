"""Checks that all metrics share: no number comes from input that has none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from routesdk.errors import MetricError

Floats = npt.NDArray[np.float64]

# Sums of qualities are exact to about this, so a smaller gap between models is none.
SMALLEST_GAP = 1e-12


def column(metric: str, name: str, values: npt.ArrayLike) -> Floats:
    """Read one column of finite numbers.

    Args:
        metric: The metric that asks, for the error.
        name: The argument, for the error.
        values: Numbers or booleans, (rows,).

    Returns:
        The values as float64, (rows,).

    Raises:
        MetricError: The column is empty, not one-dimensional, not numeric, or holds
            NaN or infinity.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:
        # Lists of unlike lengths within one another.
        raise MetricError(metric, f"{name} is no column of numbers: {error}") from error
    if found.dtype.kind not in "biuf":
        raise MetricError(metric, f"{name} holds {found.dtype} values, not numbers")
    if found.ndim != 1:
        raise MetricError(metric, f"{name} has shape {found.shape}, not (rows,)")
    if len(found) == 0:
        raise MetricError(metric, f"{name} is empty")
    numbers = found.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise MetricError(metric, f"{name} is {numbers[row]} in row {row}")
    return numbers


def unit_column(metric: str, name: str, values: npt.ArrayLike) -> Floats:
    """Read one column of numbers from 0 to 1.

    Args:
        metric: As for `column`.
        name: As for `column`.
        values: Qualities or probabilities, (rows,).

    Returns:
        The values as float64, (rows,).

    Raises:
        MetricError: As for `column`, or a value lies outside 0 to 1.
    """
    numbers = column(metric, name, values)
    outside = np.flatnonzero((numbers < 0) | (numbers > 1))
    if len(outside):
        row = int(outside[0])
        raise MetricError(metric, f"{name} is {numbers[row]:g} in row {row}, outside 0 to 1")
    return numbers


def same_rows(metric: str, **columns: npt.NDArray[np.generic]) -> None:
    """Insist that columns have one value for each row.

    Args:
        metric: The metric that asks, for the error.
        columns: The columns by argument name.

    Raises:
        MetricError: Their lengths differ.
    """
    if len({len(values) for values in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise MetricError(metric, f"the columns differ in rows: {lengths}")


def whole_number(metric: str, name: str, value: object) -> int:
    """Read one whole number of 1 or more, such as a number of bins.

    Args:
        metric: As for `column`.
        name: As for `column`.
        value: What was given.

    Raises:
        MetricError: It is no whole number, or less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise MetricError(metric, f"{name} is {value!r}, not a whole number of 1 or more")
    return int(value)
