"""Whatever is given as a query: a defined decision, or an error that says what was wrong and what to do."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers import by_length, make_router
from routesdk import OperatingPoint, Query, Router
from routesdk.config import load_config
from routesdk.errors import ConfigError, InvalidQueryError, PredictionError, UnknownModelError
from routesdk.record import decision_from_dict, decision_to_dict
from routesdk.testing import MODELS, SCRIPTS, FakePolicyModel, odd_queries, script_queries
from routesdk.types import Message, Proposal, RouteContext

MEGABYTE = 2**20


def ruled_router() -> Router:
    """Return a router whose rules read every query."""
    return (
        make_router(by_length, point=OperatingPoint((0.5,)))
        .with_rule("keyword", words=["nothing has this"], model=MODELS[1])
        .with_rule("math", model=MODELS[1])
        .with_rule("length", min_words=100_000, model=MODELS[1])
        .with_budget(1)
    )


@pytest.fixture(scope="module")
def router() -> Router:
    return ruled_router()


# What is no query.


@pytest.mark.parametrize("value", ["", " ", "\n\t  \r\n", "\u3000", "\x1f", "\u2028"])
def test_a_blank_query_is_refused(router: Router, value: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        router.route(value)

    assert caught.value.problem == "its text is blank"
    assert "non-blank string" in caught.value.fix


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "NoneType given"),
        (b"Who?", "bytes given"),
        (bytearray(b"Who?"), "bytearray given"),
        (5, "int given"),
        (0.5, "float given"),
        (True, "bool given"),
        (object, "type given"),
        ({"role": "user", "content": "Who?"}, "dict given"),
        ({"Who?"}, "set given"),
        (iter(["Who?"]), "list_iterator given"),
    ],
)
def test_a_value_of_another_type_is_named(router: Router, value: object, problem: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        router.route(value)  # type: ignore[arg-type]

    assert caught.value.problem == problem
    assert str(caught.value).startswith(f"Not a query: {problem}. Give ")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "no user turn"),
        ([{"role": "system", "content": "Be kind."}], "no user turn"),
        ([Message("assistant", "Yes?")], "no user turn"),
        ([{"role": "user", "content": " "}], "blank"),
        ([{"role": "user"}], "dict"),
        ([{"content": "Who?"}], "dict"),
        ([{"role": "robot", "content": "Who?"}], "'robot'"),
        ([{"role": None, "content": "Who?"}], "None"),
        ([{"role": "user", "content": None}], "NoneType"),
        ([{"role": "user", "content": [{"type": "text", "text": "Who?"}]}], "list"),
        (["Who?", "When?"], "str 'Who?'"),
        (["Who?", 5, None, b"x"], "str 'Who?'"),
        ([5, None], "int '5'"),
        ([{"role": "user", "content": "Who?"}, "When?"], "str 'When?'"),
        ((None,), "NoneType 'None'"),
    ],
)
def test_a_conversation_that_is_none_says_what_it_holds(router: Router, value: object, said: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        router.route(value)  # type: ignore[arg-type]

    assert said in caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize("tags", ["law", [5], [None], [["law"]]])
def test_tags_that_are_no_strings_are_refused(tags: object) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        Query("Who?", tags=tags)  # type: ignore[arg-type]

    assert caught.value.fix == "Give a set of strings."


def test_the_errors_cross_process_borders() -> None:
    error = InvalidQueryError("bytes given")

    assert attrs.astuple(pickle.loads(pickle.dumps(error))) == attrs.astuple(error)


def test_in_a_batch_one_bad_query_is_refused_like_a_lone_one(router: Router) -> None:
    for bad in ("", None, 5, b"x"):
        with pytest.raises(InvalidQueryError):
            router.route_batch(["Who?", bad])  # type: ignore[list-item]


# What is odd, and a query all the same.


@pytest.mark.parametrize("query", odd_queries(megabyte=False), ids=lambda query: ascii(query.text[:20]))
def test_an_odd_query_gets_a_decision_that_can_be_written_down(router: Router, query: Query) -> None:
    decision = router.route(query, explain=True)

    assert decision.policy in decision.probabilities
    written = json.dumps(decision_to_dict(decision), allow_nan=False)
    assert decision_from_dict(json.loads(written)) == decision


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_a_query_in_any_script_gets_a_decision(router: Router, script: str) -> None:
    decision = router.route(SCRIPTS[script])

    assert decision.query_id == Query(SCRIPTS[script]).id
    assert sum(decision.probabilities.values()) == pytest.approx(1)


def test_ten_scripts_in_one_batch_are_ten_decisions(router: Router) -> None:
    queries = script_queries()

    decisions = router.route_batch(queries)

    assert len({decision.query_id for decision in decisions}) == len(queries) == 10
    assert decisions == [router.route(query) for query in queries]


@pytest.mark.parametrize(
    "text",
    ["a" * MEGABYTE, "word " * (MEGABYTE // 5), "\x00" * MEGABYTE, "月" * MEGABYTE, "1+" * (MEGABYTE // 2)],
    ids=["letters", "words", "control characters", "Han", "sums"],
)
def test_a_megabyte_is_decided_with_every_rule_reading_it(router: Router, text: str) -> None:
    decision = router.route(text)

    assert decision.query_id == Query(text).id
    assert decision.estimated_cost_usd is not None


@pytest.mark.parametrize(
    "text", ["\x00", "\x07\x1b[31m", "a\x00b", "\ud800", "\udfff who?", "\ufeff", "\u200b"]
)
def test_control_characters_and_lone_surrogates_are_text(router: Router, text: str) -> None:
    decision = router.route(text)

    assert len(decision.query_id) == 16
    assert decision.query_id == Query(text).id


def test_lone_surrogates_of_one_place_are_different_queries() -> None:
    assert len({Query(text).id for text in ("\ud800", "\ud801", "?", "\ufffd")}) == 4


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=[]), min_size=1, max_size=60))
def test_any_text_that_is_not_blank_is_decided(text: str) -> None:
    if text.isspace():
        with pytest.raises(InvalidQueryError):
            Query(text)
        return

    decision = _ROUTER.route(text)

    assert decision_from_dict(json.loads(json.dumps(decision_to_dict(decision)))) == decision


_ROUTER = ruled_router()


# What plugins and files may give.


def test_a_rule_that_names_a_model_nobody_knows_is_named() -> None:
    class Stray:
        def propose(self, context: RouteContext) -> Proposal:
            return Proposal("gpt-99", "why not")

    with pytest.raises(UnknownModelError) as caught:
        make_router().with_rule(Stray()).route("Who?")

    assert (caught.value.model, caught.value.named_by) == ("gpt-99", "rule 'Stray'")
    assert "with_price" in str(caught.value)


@pytest.mark.parametrize("cells", [{"CC": 0.7, "IC": 0.4}, {"CC": 1.5, "IC": -0.5}, {"CC": float("nan")}, {}])
def test_probabilities_that_do_not_sum_to_one_are_refused(cells: Mapping[str, float]) -> None:
    with pytest.raises(PredictionError) as caught:
        make_router(cells).route("Who?")

    assert caught.value.policy_model == "FakePolicyModel"
    assert "sum to one" in caught.value.problem


def test_policies_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(PredictionError):
        make_router(policies={"Standard_Query": 0.5, "Complex_Query": 0.1, "Ambiguous_Query": 0.1}).route(
            "Who?"
        )


def test_a_policy_model_that_answers_for_other_queries_is_refused() -> None:
    class Short(FakePolicyModel):
        def predict(self, queries: object) -> object:  # type: ignore[override]
            return super().predict(list(queries)[:-1])  # type: ignore[call-overload]

    with pytest.raises(PredictionError) as caught:
        make_router(model=Short(cells={"CC": 1.0})).route_batch(["Who?", "When?"])  # type: ignore[arg-type]

    assert caught.value.policy_model == "Short"


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("[routr]\n", "routr", "Did you mean 'router'?"),
        ("[router]\nlarge_sahre = 0.5\n", "router.large_sahre", "Did you mean 'large_share'?"),
        ("[router]\nlarge_share = 2\n", "router.large_share", ""),
        ("[router]\nlarge_share = nan\n", "router.large_share", ""),
        ("[router]\nlarge_share = '0.5'\n", "router.large_share", ""),
        ("[[mapping.rules]]\nnmae = 'tag'\n", "mapping.rules[0].nmae", "Did you mean 'name'?"),
        ("[[mapping.rules]]\nname = 'tag'\non_error = 'ignore'\n", "mapping.rules[0].on_error", ""),
        ("[mapping]\npolicies = 'x'\n", "mapping.policies", ""),
    ],
)
def test_a_config_with_a_slip_names_the_key_the_file_and_the_fix(
    tmp_path: Path, text: str, key: str, fix: str
) -> None:
    file = tmp_path / "routesdk.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_config(file)

    assert (caught.value.key, caught.value.source) == (key, str(file))
    assert caught.value.fix.startswith(fix)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"tag": "law"}, "rule.tag.model"),
        ({"tag": "law", "model": ""}, "rule.tag.model"),
        ({"tag": 5, "model": "m"}, "rule.tag.tag"),
        ({"tga": "law", "model": "m"}, "rule.tag.tga"),
    ],
)
def test_a_rule_s_option_with_a_slip_is_named(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_router().with_rule("tag", **options)

    assert caught.value.key == key
    assert caught.value.fix
