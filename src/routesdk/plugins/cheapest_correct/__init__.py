"""Offers the matrix `cheapest-correct`: for any ladder of two to eight tiers."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.cheapest_correct.matrix import CheapestCorrect
from routesdk.protocols import Component, Matrix


@hookimpl
def routesdk_matrices() -> Iterable[Component[Matrix]]:
    """Offer the matrix that names the cheapest tier that is correct."""
    yield Component(
        name="cheapest-correct",
        factory=CheapestCorrect,
        summary="Two to eight tiers: the cheapest tier that is correct, or that none is.",
    )
