"""Which models stand on which tiers, and which matrix fits them."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.manifest import Manifest, PartRecord
from routesdk.types import Tier, distinct_tiers

ANY_TIERS_MATRIX = "cheapest-correct"
"""The matrix taken where the checkpoint's does not fit the number of tiers."""


def default_matrix(bound: tuple[Tier, ...], host: PluginHost) -> PartRecord:
    """Name the matrix that these tiers get where nobody names one."""
    return named_matrix("nine-cell" if len(bound) == 2 else ANY_TIERS_MATRIX, host, bound)


def bind_tiers(
    saved: tuple[Tier, ...], medium: str | None, large: str | None, tiers: Mapping[str, str] | None
) -> tuple[Tier, ...]:
    """Bind tiers to the models that a caller names, and leave the others as they were saved.

    Args:
        saved: The checkpoint's tiers.
        medium: Model of the tier `medium`; None keeps it.
        large: Model of the tier `large`; None keeps it.
        tiers: Tier → model in place of all of them.

    Raises:
        ConfigError: Both forms are given, the checkpoint lacks a tier, or a
            name or model stands twice.
    """
    named = {"medium": medium, "large": large}
    given = {name: model for name, model in named.items() if model is not None}
    if tiers is not None:
        if given:
            raise ConfigError(
                "tiers", str(dict(tiers)), f"was given beside {', '.join(given)}", "Give one of the two."
            )
        return distinct_tiers(tuple(Tier(name, model) for name, model in tiers.items()))
    names = [tier.name for tier in saved]
    for name, model in given.items():
        if name not in names:
            raise ConfigError(
                name,
                repr(model),
                f"is no tier of this checkpoint, which has {', '.join(names)}",
                "Use `tiers`.",
            )
    return distinct_tiers(tuple(Tier(tier.name, given.get(tier.name, tier.model)) for tier in saved))


def choose_matrix(
    manifest: Manifest, wanted: str | None, bound: tuple[Tier, ...], host: PluginHost
) -> PartRecord:
    """Choose the matrix: the caller's, the checkpoint's where it fits the tiers, or one for any tiers.

    Args:
        manifest: What the checkpoint says.
        wanted: The matrix that the caller names; None for none.
        bound: The tiers that the router will have.
        host: Where matrices are found.
    """
    if wanted is not None:
        return named_matrix(wanted, host, bound)
    if [tier.name for tier in bound] == [tier.name for tier in manifest.tiers]:
        return manifest.matrix
    return named_matrix(
        manifest.matrix.name if len(bound) == len(manifest.tiers) else ANY_TIERS_MATRIX, host, bound
    )


def named_matrix(name: str, host: PluginHost, bound: tuple[Tier, ...]) -> PartRecord:
    """Name a matrix for these tiers; one that takes `tiers` as an option is told their names.

    Raises:
        UnknownComponentError: No plugin offers it.
    """
    component = host.find("matrix", name).component
    takes = component.config or component.factory
    fields = (
        [field.name for field in attrs.fields(takes)] if isinstance(takes, type) and attrs.has(takes) else []
    )
    options = {"tiers": [tier.name for tier in bound]} if "tiers" in fields else {}
    return PartRecord(kind="matrix", name=name, options=options)
