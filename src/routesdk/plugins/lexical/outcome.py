"""What a comparison found, and by which rule."""

from __future__ import annotations

import attrs


@attrs.frozen
class Found:
    """Whether an answer holds what is accepted.

    Attributes:
        correct: Whether it does.
        rule: The rule that says so.
    """

    correct: bool
    rule: str


def hit(rule: str) -> Found:
    """Return that a rule has found the reference."""
    return Found(True, rule)


def miss(rule: str) -> Found:
    """Return why the reference was not found."""
    return Found(False, rule)
