"""Offers the matrix `nine-cell`: three policies for two tiers."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.nine_cell.matrix import NineCell
from routesdk.protocols import Component, Matrix


@hookimpl
def routesdk_matrices() -> Iterable[Component[Matrix]]:
    """Offer the nine cells of two tiers."""
    yield Component(
        name="nine-cell",
        factory=NineCell,
        summary="Two tiers, three grades: Standard_Query, Complex_Query or Ambiguous_Query.",
    )
