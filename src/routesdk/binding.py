"""Which models stand on which tiers, which matrix fits them, and what stays of a saved mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from routesdk.config import MappingConfig
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.manifest import Manifest, PartRecord
from routesdk.types import FrozenMapping, OperatingPoint, Policy, Tier, distinct_tiers

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


def merge_mapping(
    saved: MappingConfig, given: MappingConfig | None, matrix: str, policies: tuple[Policy, ...]
) -> MappingConfig:
    """Put what a caller gives in place of what was saved: field by field, and nothing else is lost.

    Args:
        saved: The checkpoint's mapping.
        given: The caller's: fields that hold something replace the saved ones,
            and one without any clears them all. None keeps them all.
        matrix: The matrix of the router that is loaded, for errors.
        policies: What it defines.

    Raises:
        ConfigError: The saved map names policies that the matrix does not
            define, and the caller says nothing about mappings.
    """
    names = [policy.name for policy in policies]
    strange = [name for name in saved.policies if name not in names]
    if given is None and strange:
        raise ConfigError(
            "mapping.policies",
            ", ".join(strange),
            f"stand in the checkpoint's map, and are no policies of the matrix {matrix!r}",
            f"Give mapping=MappingConfig() to load it without its mapping, or a map for {', '.join(names)}.",
        )
    if given is None:
        return saved
    if given == MappingConfig():
        return given
    # A map for another matrix's policies says nothing here; whoever gives a mapping knows of the change.
    kept: Mapping[str, str] = FrozenMapping() if strange else saved.policies
    return MappingConfig(
        policies=given.policies or kept,
        rules=given.rules or saved.rules,
        models=given.models or saved.models,
    )


def swapped_tiers(bound: Sequence[Tier], serving: Sequence[Tier]) -> dict[int, tuple[str, str]]:
    """Note for each tier that a model serves which it was not predicted for: the model, and what to say."""
    predicted = {tier.name: tier.model for tier in bound}
    return {
        place: (tier.model, f"predicted for {predicted[tier.name]}, served by {tier.model}")
        for place, tier in enumerate(serving)
        if predicted.get(tier.name, tier.model) != tier.model
    }


def check_point(point: OperatingPoint, steps: int) -> None:
    """Check that an operating point has one threshold a step.

    Raises:
        ConfigError: It has more, or fewer.
    """
    if len(point.thresholds) != steps:
        raise ConfigError(
            "operating_point.thresholds",
            str(point.thresholds),
            f"holds {len(point.thresholds)} numbers where the tiers have {steps} steps",
            "Give one threshold a step.",
        )
