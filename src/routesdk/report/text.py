"""Figures as text, the same in the page, in its plots and in Markdown."""

from __future__ import annotations

import math
from decimal import Decimal

from routesdk.metrics import Interval

ABSENT = "–"
"""What stands where there is no figure."""

_QUERIES = 1000
"""A query costs so little that the cost of a thousand is what can be read."""


def percent(value: float, places: int = 1) -> str:
    """Write a share, such as `61.2 %`."""
    return f"{_unsigned_zero(100 * value, places):.{places}f} %"


def points(value: float) -> str:
    """Write a difference of shares in percentage points, such as `+2.1`."""
    return _signed(100 * value, 1)


def plain_number(value: float) -> str:
    """Write a figure that has no unit, such as `0.612`."""
    return f"{_unsigned_zero(value, 3):.3f}"


def signed_number(value: float) -> str:
    """Write a difference of figures that have no unit, such as `+0.012`."""
    return _signed(value, 3)


def dollars(value: float | Decimal) -> str:
    """Write an amount of US dollars with three figures that count, such as `$0.00123`."""
    amount = float(value)
    if not amount:
        return "$0"
    places = max(2, 2 - math.floor(math.log10(abs(amount))))
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{min(places, 9)}f}"


def tick_dollars(value: float) -> str:
    """Write an amount of US dollars on an axis, where it is round: `$0.2`."""
    return f"${value:,.10g}"


def dollars_per_thousand(value: float | Decimal) -> str:
    """Write the cost of one query as that of a thousand."""
    return dollars(float(value) * _QUERIES)


def between(interval: Interval | None, unit: str = "") -> str:
    """Write a figure with its interval, such as `61.2 % [57.1, 65.5]`.

    Args:
        interval: The figure; None where there is none.
        unit: `share`, `points` (a difference of shares), `signed` (a difference of others), `usd`
            (of a query, written as that of a thousand), `each` (of a query, as it is) or empty.
    """
    if interval is None:
        return ABSENT
    return f"{figure(interval, unit)} {ends(interval, unit)}"


def figure(interval: Interval, unit: str = "") -> str:
    """Write a figure without its interval."""
    return value_text(interval.value, unit)


def ends(interval: Interval, unit: str = "") -> str:
    """Write an interval without its figure, such as `[57.1, 65.5]`."""
    low, high = (
        value_text(end, unit).removesuffix(" %").replace("$", "") for end in (interval.low, interval.high)
    )
    return f"[{low}, {high}]"


def value_text(value: float, unit: str = "") -> str:
    """Write one value in its unit, see `between`; what is no number is said to be none."""
    if not math.isfinite(value):
        return str(value)
    writers = {
        "share": percent,
        "points": points,
        "signed": signed_number,
        "usd": dollars_per_thousand,
        "each": dollars,
        "": plain_number,
    }
    return writers[unit](value)


def level_text(interval: Interval) -> str:
    """Write what an interval is meant to cover, such as `95 %`."""
    return f"{100 * interval.level:g} %"


def count(number: float, one: str, more: str = "") -> str:
    """Write how many there are, such as `1 row` or `1,200 rows`."""
    return f"{number:,.10g} {one if number == 1 else more or one + 's'}"


def sentence(text: str) -> str:
    """Let a text begin with a capital and end with a full stop."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def _signed(value: float, places: int) -> str:
    shown = _unsigned_zero(value, places)
    return f"{shown:+.{places}f}" if shown else f"{0:.{places}f}"


def _unsigned_zero(value: float, places: int) -> float:
    """Return 0 for what rounds to it: `-0.0` reads like a loss."""
    return 0.0 if abs(value) < 0.5 * 10**-places else value
