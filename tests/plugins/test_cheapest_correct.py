"""Cheapest-correct is total for two to eight tiers, and names the first tier that is correct."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.plugins.cheapest_correct.matrix import CheapestCorrect
from routesdk.protocols import Matrix
from routesdk.testing import check_matrix
from routesdk.types import GRADES, Grade

names = st.text(min_size=1, max_size=8).filter(lambda name: bool(name.strip()))
ladders = st.lists(names, min_size=2, max_size=8, unique=True).map(tuple)


def test_the_matrix_is_built_by_its_name_from_a_list_of_tiers() -> None:
    matrix = PluginHost(entry_points=False).matrix("cheapest-correct", tiers=["small", "medium", "large"])

    assert isinstance(matrix, Matrix)
    assert matrix.tiers == ("small", "medium", "large")
    assert [policy.name for policy in matrix.policies] == [
        "Needs_small",
        "Needs_medium",
        "Needs_large",
        "None_Correct",
    ]
    assert [policy.tier for policy in matrix.policies] == ["small", "medium", "large", "small"]


@given(ladders, st.data())
def test_the_policy_is_that_of_the_first_tier_that_is_correct(
    tiers: tuple[str, ...], data: st.DataObject
) -> None:
    matrix = CheapestCorrect(tiers=tiers)
    grades = data.draw(st.tuples(*[st.sampled_from(GRADES) for _ in tiers]))

    policy = matrix.policy(grades)

    assert policy in matrix.policies
    assert len({policy.name for policy in matrix.policies}) == len(tiers) + 1
    correct = [tier for tier, grade in zip(tiers, grades, strict=True) if grade is Grade.CORRECT]
    if correct:
        assert policy.tier == correct[0]
        assert policy.name == f"Needs_{correct[0]}"
    else:
        assert policy.tier == tiers[0]
        assert policy.name == "None_Correct"
    assert policy.tier in matrix.reason(grades)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_every_cell_has_a_policy_and_every_policy_a_cell(count: int) -> None:
    matrix = CheapestCorrect(tiers=tuple(f"t{step}" for step in range(count)))
    policies = {policy.name for policy in matrix.policies}

    given_names = {matrix.policy(grades).name for grades in product(GRADES, repeat=count)}

    assert given_names == policies


def test_a_reason_names_the_cheaper_tiers_that_are_not_correct() -> None:
    matrix = CheapestCorrect(tiers=("a", "b", "c"))
    wrong, right = Grade.INCORRECT, Grade.CORRECT

    assert matrix.reason((wrong, wrong, right)) == "c is the cheapest tier that is correct; a, b are not."
    assert matrix.reason((wrong, right, right)) == "b is the cheapest tier that is correct; a is not."
    assert matrix.reason((right, wrong, wrong)) == "The cheapest tier, a, is correct."
    assert matrix.reason((wrong, wrong, wrong)).startswith("No tier is correct")


@pytest.mark.parametrize("grades", [(), (Grade.CORRECT,), (Grade.CORRECT,) * 3, ("CORRECT", "CORRECT")])
def test_grades_that_are_not_one_a_tier_are_refused(grades: tuple[Grade, ...]) -> None:
    with pytest.raises(ConfigError, match="2 tiers"):
        CheapestCorrect().policy(grades)


@pytest.mark.parametrize(
    "tiers",
    ["medium", ["one"], [f"t{step}" for step in range(9)], ["a", "a"], ["a", " "], ["a", 1], None],
)
def test_tiers_that_are_no_ladder_are_config_errors(tiers: object) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).matrix("cheapest-correct", tiers=tiers)

    assert caught.value.key.startswith("matrix.cheapest-correct.tiers")
    with pytest.raises(ConfigError):
        CheapestCorrect(tiers=tiers)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [2, 5])
def test_the_matrix_keeps_its_contract(count: int) -> None:
    check_matrix(CheapestCorrect(tiers=tuple(f"t{step}" for step in range(count))))
