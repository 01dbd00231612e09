"""Offers the matrix `table`: each cell's policy as a file or the options list it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from routesdk.errors import ConfigError
from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Matrix
from routesdk.types import FrozenMapping


@attrs.frozen(kw_only=True)
class PolicyEntry:
    """One policy of a table.

    Attributes:
        description: When it holds, for people and for prompts.
        tier: The tier that serves it where no mapping says otherwise.
    """

    description: str
    tier: str


@attrs.frozen(kw_only=True)
class TableConfig:
    """The cells of a matrix, and the policies that they lead to.

    Attributes:
        file: A `.toml` or `.json` file with all of the keys below, in place of them.
        tiers: Names of two to eight tiers, cheapest first; `medium` and `large` where left out.
        policies: Policy → its description and its tier.
        cells: Cell → policy. A cell is a letter a tier, cheapest first: C for correct,
            I for incorrect, A for abstained, as in `IC`.
        reasons: Cell → why it has its policy; the policy's description where it is left out.
        default: Policy of the cells that are not listed; without one, every cell must be.
    """

    file: Path | None = None
    tiers: tuple[str, ...] | None = None
    policies: Mapping[str, PolicyEntry] = attrs.field(factory=FrozenMapping)
    cells: Mapping[str, str] = attrs.field(factory=FrozenMapping)
    reasons: Mapping[str, str] = attrs.field(factory=FrozenMapping)
    default: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.file is not None:
            names = ("policies", "cells", "reasons", "default")
            given = [name for name in names if getattr(self, name)]
            if self.tiers is not None:
                given.insert(0, "tiers")
            if given:
                problem = "was given beside a file"
                raise ConfigError(
                    given[0], "(not shown)", problem, "Put it into the file, or leave the file out."
                )


def _table(config: TableConfig) -> Matrix:
    from routesdk.plugins.table.matrix import read_matrix

    return read_matrix(config)


@hookimpl
def routesdk_matrices() -> Iterable[Component[Matrix]]:
    """Offer a matrix whose cells are listed."""
    yield Component(
        name="table",
        factory=_table,
        config=TableConfig,
        summary="Two to eight tiers: each cell's policy from a TOML or JSON file, or from options.",
    )
