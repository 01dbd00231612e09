"""Offers the observer `decision-log`: every decision and answer, one JSON line each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs
from attrs.validators import ge, optional

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Observer


@attrs.frozen(kw_only=True)
class DecisionLogConfig:
    """Where decisions are written, and how much of them.

    Attributes:
        path: The file that is appended to; it is made where there is none, its folder is not.
        include_text: Whether to write questions, answers and explanations word for word.
        max_bytes: Size beyond which the file is set aside and a new one begun; None for never.
        kept: How many files that were set aside are kept: `path.1` is the newest.
    """

    path: Path
    include_text: bool = False
    max_bytes: int | None = attrs.field(default=None, validator=optional(ge(1)))
    kept: int = attrs.field(default=3, validator=ge(0))


def _decision_log(config: DecisionLogConfig) -> Observer:
    from routesdk.plugins.decision_log.log import DecisionLog

    return DecisionLog(
        config.path, include_text=config.include_text, max_bytes=config.max_bytes, kept=config.kept
    )


@hookimpl
def routesdk_observers() -> Iterable[Component[Observer]]:
    """Offer the log of decisions and answers."""
    yield Component(
        name="decision-log",
        factory=_decision_log,
        config=DecisionLogConfig,
        summary="Append each decision and answer to a JSONL file.",
    )
