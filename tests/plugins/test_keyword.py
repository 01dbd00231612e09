"""The rule `keyword` fires on whole words; tests/test_lexicon.py has the words themselves."""

from __future__ import annotations

import pytest

from routesdk.errors import ConfigError
from routesdk.plugins.keyword.rule import Keyword
from routesdk.protocols import Rule
from routesdk.testing import check_rule, make_context, make_host
from routesdk.types import Proposal


def test_the_rule_is_built_by_its_name_and_keeps_the_contract() -> None:
    rule = make_host().rule("keyword", model="large-model")

    assert isinstance(rule, Rule)
    check_rule(rule, contexts=[make_context("Write Python code")])


def test_a_query_with_a_word_goes_to_the_model() -> None:
    rule = make_host().rule("keyword", words=["visa", "green card"], model="pro")

    assert isinstance(rule, Rule)
    assert rule.propose(make_context("How do I get a Green\nCard?")) == Proposal(
        "pro", "the query has the word 'green card'"
    )
    assert rule.propose(make_context("An advisable card, and green")) is None


@pytest.mark.parametrize(
    "text",
    [
        "Write Python code",
        "What does this code do?",
        "Prove that the sum is even",
        "Is this a breach of contract?",
        "¿Qué hace este código?",
        "用Python写一个排序算法",
        "이 코드를 설명해 줘",
        "Докажите, что сумма чётна",
        "Is C++ faster than C#?",
    ],
)
def test_signs_of_hard_work_are_known_without_a_list(text: str) -> None:
    assert Keyword(model="pro").propose(make_context(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Who decoded the Enigma?",
        "What is the area code for Phoenix?",
        "Is it proof enough, in Morse code?",
        "How hot is the coffee on Java?",
        "Is my house fireproof?",
        "Who won the contract?",
        "バーコードとは何ですか？",
        "Lemmas and dilemmas are not lemmata",
    ],
)
def test_words_that_only_look_like_hard_work_are_left_alone(text: str) -> None:
    assert Keyword(model="pro").propose(make_context(text)) is None


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"words": []}, "rule.keyword.words"),
        ({"words": ["fine", " \t"]}, "rule.keyword.words[1]"),
        ({"words": ["fine", 7]}, "rule.keyword.words[1]"),
        ({"words": "code"}, "rule.keyword.words"),
        ({"model": ""}, "rule.keyword.model"),
        ({"word": ["code"]}, "rule.keyword.word"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_host().rule("keyword", **{"model": "pro", **options})

    assert caught.value.key == key


def test_a_model_is_required() -> None:
    with pytest.raises(ConfigError) as caught:
        make_host().rule("keyword")

    assert caught.value.key == "rule.keyword.model"
