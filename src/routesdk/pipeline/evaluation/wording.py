"""Texts of an evaluation, kept to the length that a page has room for."""

from __future__ import annotations

LONGEST_QUESTION = 240
LONGEST_ANSWER = 200


def shortened(text: str, most: int = LONGEST_QUESTION) -> str:
    """Return a text on one line, cut where it is longer than so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def percent(share: float, digits: int = 0) -> str:
    """Write a share as a percentage; what is neither none nor all is never shown as either."""
    text = f"{100 * share:.{digits}f} %"
    if 0.0 < share < 1.0 and float(text[:-2]) in (0.0, 100.0):
        return f"{100 * share:.2g} %" if share < 0.5 else f"{100 * share:.{digits + 2}f} %"
    return text


def points(difference: float) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    value = 100 * difference
    return f"{0.0 if abs(value) < 0.05 else value:+.1f}"


def usd_text(amount: float) -> str:
    """Write US dollars so that small amounts keep two figures."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.2g}" if amount > 0 else "$0"
