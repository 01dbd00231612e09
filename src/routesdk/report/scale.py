"""Axes: from values to places on a drawing, and round numbers to label."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import attrs

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@attrs.frozen(kw_only=True)
class Axis:
    """One axis of a plot.

    Attributes:
        label: What it measures, with its unit.
        low: Value at its beginning.
        high: Value at its end, above `low`.
        ticks: Values that are labelled.
        text: Writes a value as a label.
    """

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str]

    def place(self, value: float, start: float, end: float) -> float:
        """Return where a value lies between two ends; what lies beyond them is put onto them."""
        share = (value - self.low) / (self.high - self.low)
        return start + (end - start) * min(1.0, max(0.0, share))


def axis(
    label: str,
    values: Iterable[float],
    text: Callable[[float], str],
    *,
    ticks: int = 5,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> Axis:
    """Choose an axis that holds all values, between round numbers.

    Args:
        label: What it measures, with its unit.
        values: What it must hold; finite.
        text: Writes a value as a label.
        ticks: About how many labels.
        lowest: It does not begin below this, such as 0 for a share.
        highest: It does not end above this.

    Raises:
        ValueError: There are no values, or one is not finite.
    """
    held = [float(value) for value in values]
    if not held or not all(map(math.isfinite, held)):
        raise ValueError(f"the axis {label!r} needs finite values, not {held[:3]}")
    low, high = min(held), max(held)
    if high - low < 1e-9 * max(1.0, abs(high)):
        # All the same: some room on both sides, so that the value stands in the middle.
        room = abs(high) * 0.1 or 0.5
        low, high = low - room, high + room
    step = _round_step((high - low) / max(1, ticks))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    low, high = max(lowest, first * step), min(highest, last * step)
    labels = tuple(at * step for at in range(first, last + 1) if low - 1e-12 <= at * step <= high + 1e-12)
    return Axis(label=label, low=low, high=high, ticks=labels, text=text)


def _round_step(width: float) -> float:
    """Return the smallest round number that is no less than a width."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in _STEPS if step * power >= width * (1 - 1e-9))
