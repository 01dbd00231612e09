"""Says in words what a calibration came to."""

from __future__ import annotations

import attrs

from routesdk.metrics import Interval
from routesdk.pipeline.calibration.result import COST, QUALITY, Target


@attrs.frozen(kw_only=True)
class Found:
    """What a calibration came to.

    Attributes:
        target: What was asked for.
        met: Whether a point meets it on the rows.
        nearest: What the chosen point comes to on the rows: cost, quality or share.
        quality: Of rows that were left out in turn.
        large_share: Of the same.
        cost: Of the same; None where unknown.
        rows: How many rows.
    """

    target: Target
    met: bool
    nearest: float
    quality: Interval
    large_share: Interval
    cost: Interval | None
    rows: int


def is_sure(found: Found) -> bool:
    """Tell whether new rows like these meet the target, as far as the interval says."""
    if not found.met:
        return False
    if found.target.kind == COST:
        return found.cost is not None and found.cost.high <= found.target.value
    if found.target.kind == QUALITY:
        return found.quality.low >= found.target.value
    return found.large_share.low <= found.target.value <= found.large_share.high


def say(found: Found) -> str:
    """Say it in two sentences at most."""
    kind = found.target.kind
    if not found.met:
        return _unreachable(found)
    figures = [
        f"a quality of {_share(found.quality)}",
        f"{_share(found.large_share)} of the calls above the cheapest tier",
    ]
    if found.cost is not None:
        figures.append(f"{_usd(found.cost)} a query")
    wanted = found.target.text[:1].upper() + found.target.text[1:]
    expected = f"On new rows like these expect {', '.join(figures)}."
    if is_sure(found):
        return f"{wanted} is reached. {expected}"
    return f"{wanted} is reached on these rows, and not surely on new ones{_why(kind)}. {expected}"


def _why(kind: str) -> str:
    ends = {COST: ": the interval of the cost reaches above it", QUALITY: ": the interval reaches below it"}
    return ends.get(kind, "")


def _unreachable(found: Found) -> str:
    kind = found.target.kind
    start = f"This data cannot reach {found.target.text}"
    if kind == COST and found.cost is not None:
        return f"{start}: even the cheapest point costs {_usd(found.cost)} a query, on {found.rows:,} rows."
    if kind == QUALITY:
        return (
            f"{start}: the best point comes to {found.nearest:.1%}, and to {_share(found.quality)} on rows "
            f"left out, of {found.rows:,}."
        )
    return f"{start}: so many rows have the same expected gain that the nearest share is {found.nearest:.1%}."


def _share(interval: Interval) -> str:
    return f"{interval.value:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def _usd(interval: Interval) -> str:
    return f"${interval.value:.6f} [{interval.low:.6f}, {interval.high:.6f}]"
