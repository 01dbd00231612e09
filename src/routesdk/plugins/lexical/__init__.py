"""Offers the judge `lexical`: a normalised match of the reference, with no network."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Judge


def _judge() -> Judge:
    from routesdk.plugins.lexical.judge import LexicalJudge

    return LexicalJudge()


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    """Offer a judge that compares words, numbers and dates."""
    yield Component(
        name="lexical",
        factory=_judge,
        summary="Compare words, numbers, dates and names with the reference, offline.",
    )
