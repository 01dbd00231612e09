"""The rule `length` compares a number of words with its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import ConfigError
from routesdk.plugins.length.rule import Length
from routesdk.protocols import Rule
from routesdk.testing import check_rule, make_context, make_host


def test_the_rule_is_built_by_its_name_and_keeps_the_contract() -> None:
    rule = make_host().rule("length", min_words=3, model="large-model")

    assert isinstance(rule, Rule)
    check_rule(rule)


@pytest.mark.parametrize(
    ("low", "high", "fires"),
    [(5, None, True), (6, None, False), (None, 5, True), (None, 4, False), (5, 5, True), (1, 4, False)],
)
def test_both_bounds_are_inside(low: int | None, high: int | None, fires: bool) -> None:
    rule = Length(min_words=low, max_words=high, model="pro")

    assert (rule.propose(make_context("How far is the Moon?")) is not None) is fires


@pytest.mark.parametrize(
    ("low", "high", "bounds"), [(5, None, "at least 5"), (None, 9, "at most 9"), (2, 9, "2 to 9")]
)
def test_the_reason_states_the_count_and_the_bounds(low: int | None, high: int | None, bounds: str) -> None:
    proposal = Length(min_words=low, max_words=high, model="pro").propose(
        make_context("How far is the Moon?")
    )

    assert proposal is not None
    assert (proposal.model, proposal.reason) == ("pro", f"the query has 5 words: {bounds}")


def test_a_long_query_without_blanks_between_words_is_long() -> None:
    rule = Length(min_words=100, model="pro")

    assert rule.propose(make_context("请解释一下这段很长的文字" * 20)) is not None
    assert rule.propose(make_context("请解释一下")) is None


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 20))
def test_the_rule_fires_exactly_within_its_bounds(words: int, low: int, span: int) -> None:
    rule = Length(min_words=low, max_words=low + span, model="pro")

    assert (rule.propose(make_context("word " * words)) is not None) is (low <= words <= low + span)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "rule.length.min_words"),
        ({"min_words": 9, "max_words": 3}, "rule.length.min_words"),
        ({"min_words": 0}, "rule.length.min_words"),
        ({"max_words": -1}, "rule.length.max_words"),
        ({"min_words": 2.5}, "rule.length.min_words"),
        ({"min_words": 1, "model": ""}, "rule.length.model"),
        ({"min_chars": 1}, "rule.length.min_chars"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_host().rule("length", **{"model": "pro", **options})

    assert caught.value.key == key
