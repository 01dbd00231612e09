"""Figures as text, the same in tables, sentences and cards."""

from __future__ import annotations

from routesdk.metrics import Interval
from routesdk.pipeline.payoff.figures import METRICS, Baseline, Figures, Payoff

_UNITS = ("B", "kB", "MB", "GB", "TB")

ABSENT = "-"
"""What stands where there is no figure."""


def interval_text(interval: Interval | None, *, signed: bool = False) -> str:
    """Write a figure with its interval, such as `0.612 [0.571, 0.655]`."""
    if interval is None:
        return ABSENT
    sign = "+" if signed else ""
    value, low, high = (
        f"{_unsigned_zero(each):{sign}.3f}" for each in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"


def time_text(median_ms: float | None) -> str:
    """Write a time with a unit that suits it, such as `95 us` or `1.8 s`."""
    if median_ms is None:
        return ABSENT
    value, unit = (
        (median_ms * 1e3, "us")
        if median_ms < 1
        else (median_ms / 1e3, "s")
        if median_ms >= 1e3
        else (median_ms, "ms")
    )
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def size_text(size: int | None) -> str:
    """Write a number of bytes with a unit that suits it, such as `2.1 MB`."""
    if size is None:
        return ABSENT
    value, place = float(size), 0
    while value >= 1000 and place < len(_UNITS) - 1:
        value, place = value / 1000, place + 1
    return f"{value:.1f} {_UNITS[place]}" if place > 0 and value < 10 else f"{value:.0f} {_UNITS[place]}"


def rate_text(figures: Figures) -> str:
    """Write how many decisions a second a batch makes."""
    return ABSENT if figures.timing is None else f"{float(f'{figures.timing.batch_per_s:.2g}'):,.0f}/s"


def figure_cells(each: Figures | Baseline) -> tuple[str, ...]:
    """Write the cells of the main table: APGR, accuracy, large calls, ECE, time, bytes of weights."""
    measured = each if isinstance(each, Figures) else None
    return (
        each.name,
        interval_text(each.apgr),
        f"{each.accuracy.value:.3f}",
        f"{each.large_share:.0%}",
        f"{measured.calibration_error.value:.3f}" if measured else ABSENT,
        time_text(measured.timing.median_ms if measured and measured.timing else None),
        size_text(measured.bytes if measured else None),
    )


FIGURE_HEADINGS = ("", "APGR [95 %]", "accuracy", "large", "ECE", "time", "weights")

CONFIDENCE_HEADINGS = ("", "ECE [95 %]", "perfect", "5-95 % (sd)", "Brier", "batch")

ACCURACY_HEADINGS = ("", "accuracy [95 %]", "policy [95 %]", "balanced [95 %]")

DIFFERENCE_HEADINGS = ("", "against", "APGR [95 %]", "accuracy [95 %]", "ECE [95 %]")


def confidence_cells(each: Figures) -> tuple[str, ...]:
    """Write the cells of a further table: calibration, spread of confidence, rate of a batch."""
    spread = each.confidence
    return (
        each.name,
        interval_text(each.calibration_error),
        f"{each.perfect_error:.3f}",
        f"{spread.low:.2f}-{spread.high:.2f} ({spread.deviation:.2f})",
        f"{each.brier.value:.3f}",
        rate_text(each),
    )


def accuracy_cells(each: Figures) -> tuple[str, ...]:
    """Write the cells of a further table: accuracy of answers, and of the likeliest policy."""
    return (
        each.name,
        interval_text(each.accuracy),
        interval_text(each.policy_accuracy),
        interval_text(each.balanced_accuracy),
    )


def difference_rows(payoff: Payoff) -> tuple[tuple[str, ...], ...]:
    """Write each candidate's paired differences from what it is to be held against."""
    return tuple(
        (
            each.name,
            other,
            *(interval_text(payoff.difference(each.name, other, metric), signed=True) for metric in METRICS),
        )
        for each in payoff.ranked()
        for other in payoff.yardsticks(each.name)
    )


def heading(payoff: Payoff) -> str:
    """Say what was measured on what."""
    ends = payoff.tiers[0], payoff.tiers[-1]
    tiers = ", ".join(f"{tier.name} {tier.model}" for tier in payoff.tiers)
    text = f"{payoff.rows:,} validation rows; {tiers}"
    if len(payoff.tiers) > 2:
        text += f"; APGR is between {ends[0].name} and {ends[1].name}"
    return text


def remarks(payoff: Payoff) -> tuple[str, ...]:
    """Say what the tables leave out: rows, candidates that failed, and why APGR is not there."""
    found = []
    if payoff.left_out:
        shown = ", ".join(payoff.left_out[:3]) + (", ..." if len(payoff.left_out) > 3 else "")
        count = len(payoff.left_out)
        rows = "1 row lacks" if count == 1 else f"{count:,} rows lack"
        found.append(f"{rows} an outcome of a tier, and {'was' if count == 1 else 'were'} left out: {shown}")
    found += [f"{failure.name} could not be measured: {failure.problem}" for failure in payoff.failures]
    if payoff.undefined:
        found.append(f"APGR is not defined on these rows: {payoff.undefined}")
    found += [f"{each.name}: {each.note}" for each in payoff.candidates if each.note]
    return tuple(found)


def _unsigned_zero(value: float) -> float:
    """Return 0 for what rounds to it: `-0.000` reads like a loss."""
    return 0.0 if abs(value) < 0.0005 else value
