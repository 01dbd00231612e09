"""The budget moves decisions to the cheapest tier, exactly at its limit."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import ConfigError, UnknownPriceError
from routesdk.plugins.cost_budget.budget import CostBudget
from routesdk.protocols import Constraint
from routesdk.testing import MODELS, check_rule, make_context, make_host
from routesdk.types import Refusal, Spend

CHEAP, DEAR = MODELS
AMOUNTS = st.decimals(min_value=0, max_value=1_000_000, places=9)


def test_the_constraint_is_built_by_its_name_and_keeps_the_contract() -> None:
    rule = make_host().rule("cost-budget", budget_usd=10)

    assert isinstance(rule, Constraint)
    check_rule(rule, contexts=[make_context(spend=9)])


@pytest.mark.parametrize(
    ("spend", "refused"), [("8.5", False), ("8.999999999", False), ("9", True), ("10.5", True)]
)
def test_the_dear_model_is_refused_from_nine_tenths_of_the_budget_on(spend: str, refused: bool) -> None:
    refusal = CostBudget(budget_usd=10.0).refuse(make_context(spend=spend), DEAR)

    assert (refusal is not None) is refused


def test_the_cheapest_tier_stays_allowed_beyond_the_whole_budget() -> None:
    assert CostBudget(budget_usd=10).refuse(make_context(spend=1000), CHEAP) is None


def test_every_model_but_the_cheapest_is_refused_where_there_are_three_tiers() -> None:
    context = make_context(models=("small", "middle", "big"), spend=9)
    rule = CostBudget(budget_usd=10)

    assert [rule.refuse(context, model) is None for model in context.models] == [True, False, False]


def test_the_reason_states_what_was_spent_and_what_the_limit_is() -> None:
    refusal = CostBudget(budget_usd="20.00", downgrade_at=0.5).refuse(
        make_context(spend="12.250000000"), DEAR
    )

    assert refusal == Refusal(
        "12.25 USD are spent or promised, which reaches 10 USD (0.5 of the budget of 20 USD): "
        f"only {CHEAP!r} is allowed"
    )


def test_the_reason_stays_short_whatever_the_amounts_are() -> None:
    spent = "123456789." + "3" * 900
    refusal = CostBudget(budget_usd=0).refuse(make_context(spend=spent), DEAR)

    assert refusal is not None
    assert refusal.reason.startswith("123456789.333")
    assert len(refusal.reason) < 200


def test_money_promised_to_calls_under_way_counts() -> None:
    spend = Spend(settled_usd=Decimal(5), reserved_usd=Decimal(4))

    assert CostBudget(budget_usd=10).refuse(make_context(spend=spend), DEAR) is not None


def test_a_budget_of_zero_sends_everything_to_the_cheapest_tier_from_the_start() -> None:
    rule = CostBudget(budget_usd=0)

    assert rule.refuse(make_context(spend=0), DEAR) is not None
    assert rule.refuse(make_context(spend=0), CHEAP) is None


def test_a_model_without_a_price_cannot_be_held_against_a_budget() -> None:
    with pytest.raises(UnknownPriceError) as caught:
        CostBudget(budget_usd=10).refuse(make_context(), "home-grown")

    assert caught.value.model == "home-grown"


def test_a_refused_model_needs_no_price() -> None:
    assert CostBudget(budget_usd=10).refuse(make_context(spend=9), "home-grown") is not None


@pytest.mark.parametrize(
    "budget", [-1, -0.01, float("nan"), float("inf"), "ten", True, None, Decimal("sNaN")]
)
def test_a_budget_that_is_no_amount_is_an_error_that_names_it(budget: object) -> None:
    with pytest.raises(ConfigError) as by_name:
        make_host().rule("cost-budget", budget_usd=budget)
    with pytest.raises(ConfigError) as direct:
        CostBudget(budget_usd=budget)

    assert by_name.value.key == "rule.cost-budget.budget_usd"
    assert direct.value.key == "budget_usd"


@pytest.mark.parametrize("share", [0, -0.5, 1.01, float("nan"), "0.9"])
def test_a_share_outside_zero_to_one_is_an_error_that_names_it(share: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make_host().rule("cost-budget", budget_usd=10, downgrade_at=share)

    assert caught.value.key == "rule.cost-budget.downgrade_at"


def test_the_whole_budget_can_be_the_limit() -> None:
    rule = CostBudget(budget_usd=10, downgrade_at=1.0)

    assert rule.refuse(make_context(spend="9.999999999"), DEAR) is None
    assert rule.refuse(make_context(spend=10), DEAR) is not None


def test_the_limit_does_not_follow_the_precision_that_an_application_has_set() -> None:
    with decimal.localcontext(prec=2):
        rule = CostBudget(budget_usd="123.456789", downgrade_at=0.5)

    assert rule.refuse(make_context(spend="61.728394499"), DEAR) is None
    assert rule.refuse(make_context(spend="61.7283945"), DEAR) is not None


@given(AMOUNTS, AMOUNTS, st.integers(1, 1000))
def test_the_dear_model_is_refused_exactly_when_the_limit_is_reached(
    budget: Decimal, spend: Decimal, permille: int
) -> None:
    rule = CostBudget(budget_usd=budget, downgrade_at=permille / 1000)

    refused = rule.refuse(make_context(spend=spend), DEAR) is not None

    assert refused is (spend * 1000 >= budget * permille)


def test_what_is_spent_in_sum_does_not_follow_the_precision_that_an_application_has_set() -> None:
    spend = Spend(settled_usd="8.999", reserved_usd="0.0009")
    with decimal.localcontext(prec=3):
        refusal = CostBudget(budget_usd=10).refuse(make_context(spend=spend), DEAR)

    assert refusal is None
