"""What a call is expected to cost, before it is made."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.catalogue import Catalogue
from routesdk.estimate import CHARACTERS_PER_TOKEN, OUTPUT_TOKENS, CostEstimator
from routesdk.types import Message, Query

CATALOGUE = (
    Catalogue(version="2026-11-23", models={})
    .with_price("cheap", input_usd_per_mtok="0.10", output_usd_per_mtok="0.40", context_tokens=10)
    .with_price("free", input_usd_per_mtok=0, output_usd_per_mtok=0, source="ours", date="2026-11-01")
)


def test_a_call_costs_its_characters_and_an_answer_of_a_paragraph() -> None:
    cost, note, warning = CostEstimator(CATALOGUE).estimate(Query("x" * 41), "cheap")

    assert cost == Decimal("0.10") * 11 / 10**6 + Decimal("0.40") * OUTPUT_TOKENS / 10**6
    assert f"{CHARACTERS_PER_TOKEN} characters a token and {OUTPUT_TOKENS} output tokens" in note
    assert warning == "about 11 tokens, and cheap reads 10"


def test_the_note_names_the_source_and_the_day_of_the_price() -> None:
    estimator = CostEstimator(CATALOGUE)

    assert estimator.estimate(Query("Who?"), "free")[1].endswith("price of 2026-11-01 (ours)")
    assert estimator.estimate(Query("Who?"), "cheap")[1].endswith("price of no date (user)")


def test_a_free_model_costs_nothing_which_is_not_unknown() -> None:
    cost, _, _ = CostEstimator(CATALOGUE).estimate(Query("Who?"), "free")

    assert cost == 0
    assert cost is not None


def test_an_unknown_price_is_none_and_never_zero() -> None:
    cost, note, warning = CostEstimator(CATALOGUE).estimate(Query("Who?"), "stranger")

    assert (cost, note, warning) == (None, "no price is known for stranger", "")


def test_a_query_that_fits_exactly_is_not_warned_of() -> None:
    estimator = CostEstimator(CATALOGUE)

    assert estimator.estimate(Query("x" * 40), "cheap")[2] == ""
    assert estimator.estimate(Query("x" * 10_000), "free")[2] == ""


def test_every_turn_of_a_conversation_counts() -> None:
    estimator = CostEstimator(CATALOGUE)
    turns = [Message("system", "x" * 30), Message("user", "y" * 10)]

    assert estimator.estimate(Query.of(turns), "cheap") == estimator.estimate(Query("z" * 40), "cheap")


def test_aliases_and_dated_names_have_the_price_of_their_model() -> None:
    catalogue = Catalogue.default()
    info = next(info for info in catalogue.values() if info.aliases and info.price is not None)
    estimator = CostEstimator(catalogue)

    by_alias = estimator.estimate(Query("Who?"), info.aliases[0])
    by_name = estimator.estimate(Query("Who?"), info.name)

    assert by_alias[0] == by_name[0] is not None


@pytest.mark.parametrize("model", ["cheap", "free", "stranger"])
def test_asking_twice_gives_the_same(model: str) -> None:
    estimator = CostEstimator(CATALOGUE)

    assert estimator.estimate(Query("Who?"), model) == estimator.estimate(Query("Who?"), model)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_longer_query_never_costs_less(one: int, other: int) -> None:
    estimator = CostEstimator(CATALOGUE)
    shorter, longer = sorted((one, other))

    assert (
        estimator.estimate(Query("x" * shorter), "cheap")[0]
        <= estimator.estimate(  # type: ignore[operator]
            Query("x" * longer), "cheap"
        )[0]
    )


def test_an_estimate_does_not_follow_the_application_s_rounding() -> None:
    query = Query("x" * 123_456)
    wanted, _, _ = CostEstimator(CATALOGUE).estimate(query, "cheap")

    with localcontext() as context:
        context.prec = 3
        found, _, _ = CostEstimator(CATALOGUE).estimate(query, "cheap")

    assert found == wanted
