"""The rule `tag` looks at what the caller wrote beside the query."""

from __future__ import annotations

import pytest

from routesdk.errors import ConfigError
from routesdk.protocols import Rule
from routesdk.testing import check_rule, make_context, make_host
from routesdk.types import Proposal


def test_the_rule_is_built_by_its_name_and_keeps_the_contract() -> None:
    rule = make_host().rule("tag", tag="law", model="large-model")

    assert isinstance(rule, Rule)
    check_rule(rule, contexts=[make_context(tags={"law"})])


def test_a_tagged_query_goes_to_the_model() -> None:
    rule = make_host().rule("tag", tag="law", model="pro")

    assert isinstance(rule, Rule)
    assert rule.propose(make_context("May I sue?", tags={"law", "paid"})) == Proposal(
        "pro", "the query has the tag 'law'"
    )


@pytest.mark.parametrize("tags", [(), ("Law",), ("lawyer",), ("",)])
def test_other_tags_and_the_text_itself_say_nothing(tags: tuple[str, ...]) -> None:
    rule = make_host().rule("tag", tag="law", model="pro")

    assert isinstance(rule, Rule)
    assert rule.propose(make_context("Is this the law?", tags=tags)) is None


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"tag": ""}, "rule.tag.tag"),
        ({"model": ""}, "rule.tag.model"),
        ({"tag": 7}, "rule.tag.tag"),
        ({"tags": ["law"]}, "rule.tag.tags"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_host().rule("tag", **{"tag": "law", "model": "pro", **options})

    assert caught.value.key == key
