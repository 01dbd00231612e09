"""A matrix from a list of cells: total, or refused with the name of the cell that is wrong."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import ConfigError
from routesdk.structure import structure
from routesdk.types import GRADES, FrozenMapping, Grade, Policy, distinct_names

if TYPE_CHECKING:
    from routesdk.plugins.table import TableConfig

_TIERS = ("medium", "large")
_LETTERS = {grade.value[0]: grade for grade in GRADES}
# Of a list of hundreds of cells the first few say what is wrong.
_SHOWN_CELLS = 6


@attrs.frozen(kw_only=True)
class Table:
    """Look each cell's policy up.

    Attributes:
        tiers: Names of the tiers, cheapest first.
        policies: Every policy that some cell has.
        cells: Cell → policy and reason; all cells are there.
    """

    tiers: tuple[str, ...]
    policies: tuple[Policy, ...]
    cells: Mapping[tuple[Grade, ...], tuple[Policy, str]]

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        """Return the policy of one cell.

        Raises:
            ConfigError: There are not as many grades as tiers.
        """
        return self._cell(grades)[0]

    def reason(self, grades: tuple[Grade, ...]) -> str:
        """Say in a sentence why the cell has its policy.

        Raises:
            ConfigError: There are not as many grades as tiers.
        """
        return self._cell(grades)[1]

    def _cell(self, grades: tuple[Grade, ...]) -> tuple[Policy, str]:
        try:
            return self.cells[tuple(grades)]
        except (KeyError, TypeError):
            problem = f"not one grade for each of {len(self.tiers)} tiers"
            raise ConfigError("grades", repr(grades), problem, "Give one a tier, cheapest first.") from None


def read_matrix(config: TableConfig) -> Table:
    """Check a table, from its file where it names one, and build the matrix.

    Raises:
        ConfigError: The file cannot be read; a cell is missing, is no cell, stands twice,
            or leads to a policy that is not described; a policy has no description, no
            cell, or a tier that there is not. Key or cell, and the file, are named.
    """
    if config.file is None:
        try:
            return _build(config)
        except ConfigError as error:
            # As the host names the keys of options that are of the wrong type.
            raise attrs.evolve(error, key=f"matrix.table.{error.key}") from error
    given = _read_file(config.file)
    inner = structure(given, type(config), source=str(config.file))
    if inner.file is not None:
        fix = "Put the table itself into the file."
        raise ConfigError("file", str(inner.file), "a file may not name another one", fix, str(config.file))
    try:
        return _build(inner)
    except ConfigError as error:
        raise attrs.evolve(error, source=str(config.file)) from error


def _read_file(file: Path) -> object:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_unique)
        if file.suffix.lower() == ".toml":
            return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            "file", str(file), f"cannot be read ({error.strerror})", "Check the path."
        ) from error
    except (ValueError, RecursionError) as error:
        # Both parsers raise subclasses of ValueError, as decoding does.
        raise ConfigError("file", str(file), f"cannot be parsed: {error}", "Mend it.") from error
    raise ConfigError("file", str(file), "is neither .toml nor .json", "Give a table as one of the two.")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = value
    return found


def _build(config: TableConfig) -> Table:
    tiers = distinct_names(_TIERS if config.tiers is None else config.tiers)
    policies = _read_policies(config, tiers)
    listed = _read_cells("cells", config.cells, len(tiers))
    reasons = _read_cells("reasons", config.reasons, len(tiers))
    for cell, name in listed.items():
        _known(f"cells.{_spelt(cell)}", name, policies)
    if config.default is not None:
        _known("default", config.default, policies)
    cells = {}
    missing: list[str] = []
    for cell in itertools.product(GRADES, repeat=len(tiers)):
        policy = policies.get(listed.get(cell, config.default or ""))
        if policy is None:
            missing.append(_spelt(cell))
            continue
        cells[cell] = policy, reasons.get(cell, policy.description)
    if missing:
        more = f" and {len(missing) - _SHOWN_CELLS} more" if len(missing) > _SHOWN_CELLS else ""
        problem = f"no policy is given for {', '.join(missing[:_SHOWN_CELLS])}{more}"
        raise ConfigError("cells", f"{len(listed)} cells", problem, "Add them, or give a 'default'.")
    given = {policy.name for policy, _ in cells.values()}
    for name in policies:
        if name not in given:
            problem = "no cell leads to this policy"
            raise ConfigError(f"policies.{name}", "(a table)", problem, "Give it a cell, or remove it.")
    return Table(tiers=tiers, policies=tuple(policies.values()), cells=FrozenMapping(cells))


def _read_policies(config: TableConfig, tiers: tuple[str, ...]) -> dict[str, Policy]:
    if not config.policies:
        raise ConfigError("policies", "nothing", "is required", "Describe each policy that a cell leads to.")
    found = {}
    for name, entry in config.policies.items():
        key = f"policies.{name}"
        if not name.strip():
            raise ConfigError("policies", repr(name), "is no name of a policy", "Give a name.")
        if not entry.description.strip():
            problem = "is blank"
            raise ConfigError(f"{key}.description", repr(entry.description), problem, "Say when it holds.")
        if entry.tier not in tiers:
            problem, fix = "is none of the tiers", f"Use one of {', '.join(tiers)}."
            raise ConfigError(f"{key}.tier", repr(entry.tier), problem, fix)
        found[name] = Policy(name, entry.description, entry.tier)
    return found


def _read_cells(key: str, cells: Mapping[str, str], tiers: int) -> dict[tuple[Grade, ...], str]:
    """Read the names of cells; no text that they lead to may be blank."""
    found: dict[tuple[Grade, ...], str] = {}
    for name, text in cells.items():
        unknown = [letter for letter in name.upper() if letter not in _LETTERS]
        if unknown:
            problem = f"the cell {name!r} has the unknown grade {unknown[0]!r}"
            raise ConfigError(f"{key}.{name}", repr(text), problem, "Use C, I and A, such as IC.")
        cell = tuple(_LETTERS[letter] for letter in name.upper())
        if len(cell) != tiers:
            problem = f"the cell {name!r} has {len(cell)} grades, and there are {tiers} tiers"
            raise ConfigError(f"{key}.{name}", repr(text), problem, "Give one letter a tier, cheapest first.")
        if cell in found:
            problem = f"the cell {_spelt(cell)} stands twice"
            raise ConfigError(f"{key}.{name}", repr(text), problem, "Remove one of the two.")
        if not text.strip():
            raise ConfigError(f"{key}.{name}", repr(text), "is blank", "Write it, or leave the cell out.")
        found[cell] = text
    return found


def _known(key: str, name: str, policies: Mapping[str, Policy]) -> None:
    if name not in policies:
        described = f"Described are: {', '.join(policies)}."
        raise ConfigError(key, repr(name), "this policy has no description and no tier", described)


def _spelt(cell: tuple[Grade, ...]) -> str:
    return "".join(grade.value[0] for grade in cell)
