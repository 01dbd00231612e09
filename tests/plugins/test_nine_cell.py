"""The nine cells are the design's table, each with a reason of its own."""

from __future__ import annotations

from itertools import product

import pytest

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.plugins.nine_cell.matrix import NineCell
from routesdk.protocols import Matrix
from routesdk.testing import check_matrix
from routesdk.types import GRADES, Grade

C, I, A = Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED  # noqa: E741 (the letters of a cell)


def test_the_matrix_is_built_by_its_name() -> None:
    matrix = PluginHost(entry_points=False).matrix("nine-cell")

    assert isinstance(matrix, Matrix)
    assert matrix.tiers == ("medium", "large")


@pytest.mark.parametrize(
    ("grades", "policy"),
    [
        ((C, C), "Standard_Query"),
        ((C, I), "Standard_Query"),
        ((C, A), "Standard_Query"),
        ((I, C), "Complex_Query"),
        ((I, I), "Ambiguous_Query"),
        ((I, A), "Complex_Query"),
        ((A, C), "Complex_Query"),
        ((A, I), "Ambiguous_Query"),
        ((A, A), "Ambiguous_Query"),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(grade.value[0] for grade in value),
)
def test_each_cell_has_the_policy_of_the_design(grades: tuple[Grade, ...], policy: str) -> None:
    assert NineCell().policy(grades).name == policy


def test_only_complex_queries_go_to_the_large_tier() -> None:
    tiers = {policy.name: policy.tier for policy in NineCell().policies}

    assert tiers == {"Standard_Query": "medium", "Complex_Query": "large", "Ambiguous_Query": "medium"}


def test_every_cell_gives_one_of_the_listed_policies() -> None:
    matrix = NineCell()

    given = {matrix.policy(grades) for grades in product(GRADES, repeat=2)}

    assert given == set(matrix.policies)


def test_each_cell_has_a_reason_of_its_own_that_names_no_placeholder() -> None:
    reasons = [NineCell(tiers=("small", "huge")).reason(grades) for grades in product(GRADES, repeat=2)]

    assert len(set(reasons)) == 9
    assert not any("{" in reason or "medium" in reason or "large" in reason for reason in reasons)


def test_renamed_tiers_serve_the_policies_and_stand_in_their_descriptions() -> None:
    matrix = NineCell(tiers=("{small}", "huge"))

    assert matrix.tiers == ("{small}", "huge")
    assert [policy.tier for policy in matrix.policies] == ["{small}", "huge", "{small}"]
    assert "{small}" in matrix.reason((C, C))
    assert all("medium" not in policy.description for policy in matrix.policies)


@pytest.mark.parametrize("grades", [(), (C,), (C, C, C), (C, "CORRECT"), ("C", "I"), (C, None), ([C], C)])
def test_anything_but_two_grades_is_refused(grades: tuple[Grade, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        NineCell().policy(grades)

    assert caught.value.key == "grades"
    with pytest.raises(ConfigError):
        NineCell().reason(grades)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"tiers": [" ", "large"]}, "matrix.nine-cell.tiers"),
        ({"tiers": ["medium", "medium"]}, "matrix.nine-cell.tiers"),
        ({"tiers": ["medium", 3]}, "matrix.nine-cell.tiers[1]"),
        ({"huge": "x"}, "matrix.nine-cell.huge"),
    ],
)
def test_wrong_tier_names_are_config_errors_that_name_the_key(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).matrix("nine-cell", **options)

    assert caught.value.key == key


def test_a_string_is_not_taken_for_two_tiers_of_one_letter() -> None:
    with pytest.raises(ConfigError, match="not two names"):
        NineCell(tiers="ab")


def test_the_matrix_keeps_its_contract() -> None:
    check_matrix(NineCell())
    check_matrix(NineCell(tiers=("small", "huge")))
