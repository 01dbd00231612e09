"""The mapper without a policy model, and the design's own example."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from routesdk import get_hybrid_mapper
from routesdk.catalogue import Catalogue
from routesdk.errors import ConfigError, InvalidQueryError, PolicyParseError, UnknownPriceError
from routesdk.testing import make_host
from routesdk.types import Stage


def test_the_design_s_example_holds_word_for_word() -> None:
    model = get_hybrid_mapper(cost_budget=10.0, current_spend=8.5).get_model(
        "Write Python code", "Standard_Query"
    )

    assert model == "gemini-2.5-pro"


@pytest.mark.parametrize(
    ("spent", "model"),
    [
        ("8.999999999", "gemini-2.5-pro"),
        (9.0, "gemini-2.5-flash"),
        (9, "gemini-2.5-flash"),
        (Decimal("9.5"), "gemini-2.5-flash"),
        (25, "gemini-2.5-flash"),
    ],
)
def test_at_ninety_percent_of_the_budget_everything_goes_to_the_cheap_model(
    spent: object, model: str
) -> None:
    mapper = get_hybrid_mapper(cost_budget=10.0, current_spend=spent, host=make_host())  # type: ignore[arg-type]

    assert mapper.get_model("Write Python code", "Standard_Query") == model
    if model == "gemini-2.5-flash":
        assert mapper.get_model("Who wrote Faust?", "Complex_Query") == model


@pytest.mark.parametrize(
    ("query", "policy", "model", "source"),
    [
        ("Who wrote Faust?", "Standard_Query", "gemini-2.5-flash", "policy map"),
        ("Who wrote Faust?", "Ambiguous_Query", "gemini-2.5-flash", "policy map"),
        ("Who wrote Faust?", "Complex_Query", "gemini-2.5-pro", "policy map"),
        ("Write Python code", "Standard_Query", "gemini-2.5-pro", "keyword"),
        ("What is 12 * 34?", "Standard_Query", "gemini-2.5-pro", "math"),
        ("word " * 150, "Standard_Query", "gemini-2.5-pro", "length"),
        ("word " * 149, "Standard_Query", "gemini-2.5-flash", "policy map"),
    ],
)
def test_keywords_mathematics_and_length_send_a_query_up(
    query: str, policy: str, model: str, source: str
) -> None:
    choice = get_hybrid_mapper(host=make_host()).choose(query, policy)

    assert (choice.model, choice.trace[-1].source) == (model, source)


def test_the_trace_says_that_the_budget_overruled_a_keyword() -> None:
    mapper = get_hybrid_mapper(cost_budget=10, current_spend=9.5, host=make_host())

    steps = mapper.choose("Write Python code", "Standard_Query").trace

    assert [(step.stage, step.source, step.chosen) for step in steps] == [
        (Stage.DEFAULT, "policy map", "gemini-2.5-flash"),
        (Stage.OVERRIDE, "keyword", "gemini-2.5-pro"),
        (Stage.CONSTRAINT, "cost-budget", "gemini-2.5-flash"),
    ]
    assert "9.5 USD" in steps[-1].reason


def test_a_live_spend_source_is_asked_at_every_decision() -> None:
    host = make_host()
    spend = host.spend_source("memory")
    mapper = get_hybrid_mapper(cost_budget=1, spend=spend, host=host)

    before = mapper.get_model("Write Python code", "Standard_Query")
    spend.reserve(Decimal("0.95"))
    after = mapper.get_model("Write Python code", "Standard_Query")

    assert (before, after) == ("gemini-2.5-pro", "gemini-2.5-flash")


def test_a_policy_map_is_taken_from_a_dict_or_a_file(tmp_path: Path) -> None:
    given = {"Ambiguous_Query": "gpt-5.2"}
    file = tmp_path / "policy_map.json"
    file.write_text(json.dumps(given))

    for policy_map in (given, file, str(file)):
        mapper = get_hybrid_mapper(policy_map=policy_map, host=make_host())
        assert mapper.get_model("Who?", "Ambiguous_Query") == "gpt-5.2"
        assert mapper.get_model("Who?", "Standard_Query") == "gemini-2.5-flash"


def test_other_models_serve_the_tiers() -> None:
    mapper = get_hybrid_mapper(medium="mini", large="maxi", host=make_host())

    assert mapper.get_model("Who?", "Standard_Query") == "mini"
    assert mapper.get_model("Write Python code", "Standard_Query") == "maxi"


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "much", True])
@pytest.mark.parametrize("name", ["cost_budget", "current_spend"])
def test_an_amount_that_is_none_is_named(name: str, amount: object) -> None:
    with pytest.raises(ConfigError) as caught:
        get_hybrid_mapper(host=make_host(), **{name: amount})  # type: ignore[arg-type]

    assert (caught.value.key, caught.value.value) == (name, repr(amount))
    assert caught.value.fix


def test_a_budget_of_zero_sends_everything_to_the_cheap_model() -> None:
    mapper = get_hybrid_mapper(cost_budget=0, host=make_host())

    assert mapper.get_model("Write Python code", "Complex_Query") == "gemini-2.5-flash"


def test_a_budget_over_a_model_without_price_raises() -> None:
    mapper = get_hybrid_mapper(cost_budget=10, medium="nobody-knows-me", host=make_host())

    with pytest.raises(UnknownPriceError) as caught:
        mapper.get_model("Who?", "Standard_Query")

    assert caught.value.model == "nobody-knows-me"


def test_an_empty_catalogue_is_the_caller_s_and_not_replaced() -> None:
    empty = Catalogue(version="", models={})

    mapper = get_hybrid_mapper(cost_budget=10, catalogue=empty, host=make_host())

    with pytest.raises(UnknownPriceError):
        mapper.get_model("Who?", "Standard_Query")


@pytest.mark.parametrize("policy", ["standard_query", "", None, ["Standard_Query"]])
def test_a_policy_that_no_cell_has_is_named_with_the_nearest(policy: object) -> None:
    mapper = get_hybrid_mapper(host=make_host())

    with pytest.raises(PolicyParseError) as caught:
        mapper.get_model("Who?", policy)  # type: ignore[arg-type]

    assert caught.value.policy == str(policy)
    assert caught.value.known == ("Standard_Query", "Complex_Query", "Ambiguous_Query")
    assert "Standard_Query" in str(caught.value)


def test_a_policy_map_over_an_unknown_policy_is_refused() -> None:
    with pytest.raises(PolicyParseError) as caught:
        get_hybrid_mapper(policy_map={"Complex": "gpt-5.2"}, host=make_host())

    assert caught.value.policy == "Complex"


@pytest.mark.parametrize("query", ["", " \n", None, 5, b"bytes", []])
def test_what_is_no_query_is_refused(query: object) -> None:
    with pytest.raises(InvalidQueryError):
        get_hybrid_mapper(host=make_host()).get_model(query, "Standard_Query")  # type: ignore[arg-type]
