"""A table of cells is a total matrix, or is refused with the name of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.plugins.nine_cell.matrix import NineCell
from routesdk.protocols import Matrix
from routesdk.testing import check_matrix
from routesdk.types import GRADES, Grade, Policy

C, I, A = Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED  # noqa: E741 (the letters of a cell)

POLICIES = {
    "Stay": {"description": "The cheap model will do.", "tier": "medium"},
    "Escalate": {"description": "The dear model is worth it.", "tier": "large"},
}
CELLS = {
    **dict.fromkeys(("CC", "CI", "CA", "II", "AI", "AA"), "Stay"),
    **dict.fromkeys(("IC", "IA", "AC"), "Escalate"),
}


HOST = PluginHost(entry_points=False)


def build(**options: object) -> Matrix:
    return HOST.matrix("table", **options)


def refused(**options: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        build(**options)
    return caught.value


def toml(cells: Mapping[str, str], *, reasons: str = "") -> str:
    listed = "".join(f'{cell} = "{policy}"\n' for cell, policy in cells.items())
    tables = "".join(
        f'[policies.{name}]\ndescription = "{entry["description"]}"\ntier = "{entry["tier"]}"\n'
        for name, entry in POLICIES.items()
    )
    return f"{tables}[cells]\n{listed}{reasons}"


def test_every_cell_leads_to_its_policy() -> None:
    matrix = build(policies=POLICIES, cells=CELLS, reasons={"IC": "It pays."})

    assert isinstance(matrix, Matrix)
    assert matrix.policy((I, C)) == Policy("Escalate", "The dear model is worth it.", "large")
    assert matrix.policy((C, I)).name == "Stay"
    assert matrix.reason((I, C)) == "It pays."
    assert matrix.reason((A, C)) == "The dear model is worth it."
    check_matrix(matrix)


def test_a_default_fills_the_cells_that_are_not_listed() -> None:
    matrix = build(policies=POLICIES, cells={"ic": "Escalate"}, default="Stay")

    escalated = [cell for cell in product(GRADES, repeat=2) if matrix.policy(cell).name == "Escalate"]

    assert escalated == [(I, C)]
    check_matrix(matrix)


def test_three_tiers_have_cells_of_three_letters() -> None:
    policies = {**POLICIES, "Top": {"description": "The dearest alone.", "tier": "huge"}}
    matrix = build(
        tiers=["medium", "large", "huge"],
        policies=policies,
        cells={"IIC": "Top", "ICC": "Escalate"},
        default="Stay",
    )

    assert matrix.policy((I, I, C)).tier == "huge"
    check_matrix(matrix)


@pytest.mark.parametrize("form", ["toml", "json"])
def test_a_file_gives_the_same_matrix_as_options(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"cells.{form}"
    path.write_text(toml(CELLS) if form == "toml" else json.dumps({"policies": POLICIES, "cells": CELLS}))

    assert build(file=str(path)) == build(policies=POLICIES, cells=CELLS)


def test_the_nine_cells_can_be_written_as_a_table() -> None:
    nine = NineCell()
    spelt = {"".join(g.value[0] for g in cell): cell for cell in product(GRADES, repeat=2)}
    matrix = build(
        policies={p.name: {"description": p.description, "tier": p.tier} for p in nine.policies},
        cells={name: nine.policy(cell).name for name, cell in spelt.items()},
        reasons={name: nine.reason(cell) for name, cell in spelt.items()},
    )

    assert matrix.policies == nine.policies
    assert all(matrix.policy(cell) == nine.policy(cell) for cell in spelt.values())
    assert all(matrix.reason(cell) == nine.reason(cell) for cell in spelt.values())


@given(st.sets(st.sampled_from(sorted(CELLS)), min_size=1))
def test_missing_cells_are_named_whichever_they_are(missing: set[str]) -> None:
    cells = {cell: policy for cell, policy in CELLS.items() if cell not in missing}

    error = refused(policies=POLICIES, cells=cells)

    assert error.key == "matrix.table.cells"
    named = error.problem.removeprefix("no policy is given for ").partition(" and ")[0].split(", ")
    assert set(named) <= missing
    assert len(named) == min(6, len(missing))


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"cells": {**CELLS, "CX": "Stay"}}, "cells.CX", "unknown grade 'X'"),
        ({"cells": {**CELLS, "CCC": "Stay"}}, "cells.CCC", "has 3 grades"),
        ({"cells": {**CELLS, "": "Stay"}}, "cells.", "has 0 grades"),
        ({"cells": {**CELLS, "cc": "Stay"}}, "cells.cc", "the cell CC stands twice"),
        ({"cells": {**CELLS, "CC": "Sty"}}, "cells.CC", "no description and no tier"),
        ({"cells": CELLS, "default": "Sty"}, "default", "no description and no tier"),
        ({"cells": CELLS, "reasons": {"CC": " "}}, "reasons.CC", "is blank"),
        ({"cells": CELLS, "reasons": {"XX": "so"}}, "reasons.XX", "unknown grade 'X'"),
        ({"cells": dict.fromkeys(CELLS, "Stay")}, "policies.Escalate", "no cell leads to this policy"),
        ({"policies": {}}, "policies", "is required"),
        (
            {"policies": {**POLICIES, "Stay": {"description": "x", "tier": "tiny"}}},
            "policies.Stay.tier",
            "none of",
        ),
        (
            {"policies": {**POLICIES, "Stay": {"description": " ", "tier": "medium"}}},
            "policies.Stay.description",
            "bl",
        ),
        ({"policies": {**POLICIES, "Stay": {"description": "x"}}}, "policies.Stay.tier", "is required"),
        ({"policies": {**POLICIES, " ": {"description": "x", "tier": "medium"}}}, "policies", "no name"),
        ({"tiers": ["medium"]}, "tiers", "two to eight"),
        ({"tiers": ["medium", "medium"]}, "tiers", "stands at two tiers"),
        ({"sells": {}}, "sells", "no such key"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(change: dict[str, object], key: str, problem: str) -> None:
    error = refused(**{"policies": POLICIES, "cells": CELLS, **change})

    assert error.key == f"matrix.table.{key}"
    assert problem in error.problem


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("cells.toml", "cells = [", "cannot be parsed"),
        ("cells.json", "{", "cannot be parsed"),
        ("cells.json", '{"cells": {"CC": "a", "CC": "b"}}', "'CC' stands twice"),
        ("cells.toml", toml({"CC": "Stay", "CC ": "Stay"}), "cannot be parsed"),
        ("cells.yaml", "a: b", "neither .toml nor .json"),
        ("cells.toml", 'file = "cells.toml"', "may not name another"),
        ("cells.toml", toml({"IC": "Escalate"}), "no policy is given for CC, CI, CA, II, IA, AC and 2 more"),
        ("cells.json", "[]", "not a table"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, text: str, problem: str) -> None:
    path = tmp_path / name
    path.write_text(text)

    error = refused(file=str(path))

    assert problem in error.problem
    assert str(path) in str(error)


def test_a_missing_file_and_a_table_beside_a_file_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refused(file=str(tmp_path / "none.toml")).problem
    assert refused(file="cells.toml", cells=CELLS).key == "matrix.table.cells"


@pytest.mark.parametrize("grades", [(), (C,), (C, C, C), ("C", "I"), ([C], C)])
def test_anything_but_one_grade_a_tier_is_refused(grades: tuple[Grade, ...]) -> None:
    matrix = build(policies=POLICIES, cells=CELLS)

    for call in (matrix.policy, matrix.reason):
        with pytest.raises(ConfigError) as caught:
            call(grades)
        assert caught.value.key == "grades"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tiers", ["medium", "large"]),
        ("tiers", ["small", "big", "huge"]),
        ("tiers", []),
        ("policies", POLICIES),
        ("cells", CELLS),
        ("default", "Stay"),
    ],
)
def test_nothing_beside_a_file_is_passed_over(tmp_path: Path, key: str, value: object) -> None:
    file = tmp_path / "matrix.toml"
    file.write_text(toml(CELLS))

    assert key in refused(file=str(file), **{key: value}).key
