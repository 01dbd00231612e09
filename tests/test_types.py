"""The words of routesdk: what they take, what they refuse, and that nobody can change them."""

from __future__ import annotations

import decimal
import pickle
from collections.abc import Callable
from decimal import Decimal

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk import types
from routesdk.errors import ConfigError, InvalidQueryError, PredictionError
from routesdk.testing import make_context, make_decision, odd_queries, script_queries
from routesdk.types import (
    GRADES,
    Example,
    FrozenMapping,
    Grade,
    Message,
    OperatingPoint,
    Outcome,
    Prediction,
    PredictionBatch,
    Price,
    Query,
    Request,
    Reservation,
    Spend,
    Stage,
    Tier,
    TraceStep,
    Usage,
    distinct_tiers,
    frozen,
    usd,
)

CONVERSATION = ({"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Goethe."})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "its text is blank"),
        (" \n\t\u2003", "its text is blank"),
        (b"bytes", "bytes given"),
        (bytearray(b"x"), "bytearray given"),
        (None, "NoneType given"),
        (3, "int given"),
        (3.5, "float given"),
        ([], "no user turn"),
        (["mixed", 3, None], "holds str 'mixed', not a message"),
        ([{"role": "user"}], "holds dict"),
        ([{"role": "user", "content": None}], "content is NoneType, not a string"),
        ([{"role": "user", "content": "  "}], "its text is blank"),
        ([{"role": "robot", "content": "Hi"}], "role is 'robot'"),
        ([{"role": "assistant", "content": "Hi"}], "no user turn"),
        ({"role": "user", "content": "Hi"}, "dict given"),
        pytest.param((each for each in "ab"), "generator given", id="a generator"),
    ],
    ids=repr,
)
def test_what_is_no_query_is_refused_with_a_fix(value: object, problem: str) -> None:
    with pytest.raises(InvalidQueryError, match="Not a query: ") as caught:
        Query.of(value)  # type: ignore[arg-type]

    assert problem in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("tags", ["law", [1], [None]], ids=repr)
def test_tags_are_strings_and_not_one_string(tags: object) -> None:
    with pytest.raises(InvalidQueryError, match="set of strings"):
        Query("Hi?", tags=tags)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"messages": [{"role": "user", "content": "Hi?"}]}, "its messages hold dict"),
        ({"messages": "Hi?"}, "its messages are str"),
        ({"messages": None}, "its messages are NoneType"),
        ({"messages": {Message("user", "Hi?")}}, "its messages are set"),
        ({"metadata": "law"}, "its metadata is str"),
        ({"metadata": None}, "its metadata is NoneType"),
        ({"metadata": {"row": 3}}, "its metadata holds int at 'row'"),
        ({"metadata": {3: "row"}}, "its metadata holds str at 3"),
        ({"metadata": FrozenMapping({"row": ["a"]})}, "its metadata holds list at 'row'"),
        ({"tags": None}, "tags are None"),
        ({"tags": {"law": True}}, "tags are {'law': True}"),
        ({"id": 7}, "its id is int"),
        ({"id": None}, "its id is NoneType"),
    ],
    ids=str,
)
def test_a_query_that_is_put_together_by_hand_is_checked_too(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        Query("Hi?", **fields)  # type: ignore[arg-type]

    assert problem in caught.value.problem


def test_a_query_takes_any_iterable_of_tags_and_keeps_its_turns_in_a_tuple() -> None:
    turns = [Message("user", "Hi?")]
    query = Query("Hi?", turns, tags=(tag for tag in "ab"))  # type: ignore[arg-type]
    turns.clear()

    assert query.tags == {"a", "b"}
    assert query.messages == (Message("user", "Hi?"),)
    assert hash(query) == hash(attrs.evolve(query))


def test_a_conversation_is_about_its_last_user_turn() -> None:
    query = Query.of([*CONVERSATION, Message("user", "When?"), Message("assistant", "1808.")], tags=["a"])

    assert query.text == "When?"
    assert [turn.role for turn in query.messages] == ["user", "assistant", "user", "assistant"]
    assert query.tags == {"a"}


def test_a_query_stays_a_query_and_may_gain_tags() -> None:
    query = Query("Hi?", tags={"a"})

    assert Query.of(query) is query
    assert Query.of(query, tags={"b"}).tags == {"a", "b"}


def test_every_odd_text_is_a_query_with_an_identity_of_its_own() -> None:
    queries = [*script_queries(), *odd_queries()]

    assert len({query.id for query in queries}) == len(queries)
    for query in queries:
        assert len(query.id) == 16
        assert Query(query.text, query.messages).id == query.id
        assert pickle.loads(pickle.dumps(query)) == query


@given(st.text().filter(lambda text: text and not text.isspace()))
def test_any_text_that_is_not_blank_is_a_query(text: str) -> None:
    assert Query.of(text).text == text
    assert (
        Query.of(text).id == Query.of([{"role": "user", "content": text}]).id or Query.of(text).messages == ()
    )


def test_the_identity_tells_turns_apart_that_join_to_one_text() -> None:
    one = Query.of([{"role": "user", "content": "ab"}, {"role": "user", "content": "c"}])
    other = Query.of([{"role": "user", "content": "a"}, {"role": "user", "content": "c"}])

    assert one.id != other.id
    assert Query("c", id="mine").id == "mine"


@pytest.mark.parametrize(
    "value",
    [
        Query("Hi?", tags={"a"}, metadata={"b": "c"}),
        make_decision(),
        make_context("Hi?").prediction,
        Example(id="a", query=Query("Hi?"), outcomes={"m": Outcome(model="m", score=0.5)}),
        Request(query=Query("Hi?"), model="m"),
        Usage(cost_usd="0.1"),
        Spend(),
        Tier("medium", "m"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_cannot_be_changed_and_survive_pickling(value: attrs.AttrsInstance) -> None:
    first = attrs.fields(type(value))[0].name

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, first, None)
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_frozen_mapping_is_a_copy_that_keeps_its_order_and_can_be_a_key() -> None:
    given_by_caller = {"b": 1, "a": 2}
    mapping = frozen(given_by_caller)
    given_by_caller["c"] = 3

    assert list(mapping.items()) == [("b", 1), ("a", 2)]
    assert mapping == {"a": 2, "b": 1}
    assert hash(mapping) == hash(FrozenMapping({"a": 2, "b": 1}))
    assert frozen(mapping) is mapping
    assert repr(mapping) == "{'b': 1, 'a': 2}"
    with pytest.raises(TypeError):
        mapping["a"] = 3  # type: ignore[index]


@pytest.mark.parametrize(("value", "amount"), [(0.1, "0.1"), (1, "1"), ("2.50", "2.50"), (Decimal(3), "3")])
def test_money_converts_by_its_text(value: float | int | str | Decimal, amount: str) -> None:
    assert usd(value) == Decimal(amount)


@pytest.mark.parametrize(
    "value", [-0.01, float("nan"), float("inf"), "ten", "", None, True, b"1", Decimal("NaN")], ids=repr
)
def test_what_is_no_amount_of_money_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="usd = ") as caught:
        usd(value)  # type: ignore[arg-type]
    assert "US dollars" in caught.value.fix


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_sums_of_money_are_exact(nanos: list[int]) -> None:
    amounts = [usd(nano * types.NANO_USD) for nano in nanos]
    spend = Spend(settled_usd=sum(amounts, Decimal(0)), reserved_usd=usd("0.1"))

    assert spend.total_usd == sum(nanos) * types.NANO_USD + Decimal("0.1")


def test_a_price_is_exact_and_cached_tokens_cost_less_where_that_is_published() -> None:
    plain = Price(input_usd_per_mtok="0.3", output_usd_per_mtok="2.5")
    cached = attrs.evolve(plain, cached_input_usd_per_mtok=Decimal("0.03"))

    assert plain.cost_usd(1_000, 100) == Decimal("0.00055")
    assert plain.cost_usd(1_000, 100, 1_000) == Decimal("0.00055")
    assert cached.cost_usd(1_000, 100, 1_000) == Decimal("0.00028")
    assert Reservation("a", 0.1).cost_usd == Decimal("0.1")


@pytest.mark.parametrize("precision", [3, 28])
def test_money_does_not_follow_the_precision_that_an_application_has_set(precision: int) -> None:
    with decimal.localcontext(prec=precision, rounding=decimal.ROUND_DOWN):
        price = Price(
            input_usd_per_mtok="0.12345678901234567890123", output_usd_per_mtok=Decimal("2.500000001")
        )
        cost = price.cost_usd(123_456_789, 987_654_321, 1)
        total = Spend(settled_usd="123456.789", reserved_usd="0.000000001").total_usd

    assert cost == Decimal("2484.37738223936899987517090395047")
    assert total == Decimal("123456.789000001")


@pytest.mark.parametrize(
    "value",
    ["1E-999999", "1E999999", Decimal("0E-999999"), Decimal("0E999999"), 10**18, 10**10_000, 1e308],
    ids=lambda value: str(value)[:12] if not isinstance(value, int) else "a long number",
)
def test_an_amount_that_is_out_of_all_proportion_is_refused_in_few_words(value: object) -> None:
    with pytest.raises(ConfigError, match="too large or too fine") as caught:
        usd(value, key="budget")  # type: ignore[arg-type]

    assert caught.value.key == "budget"
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["CORRECT", " correct ", "C"])
def test_a_grade_is_read_by_name_or_letter(text: str) -> None:
    assert Grade.parse(text) is Grade.CORRECT


def test_simpleqas_word_for_an_abstention_is_known() -> None:
    assert Grade.parse("NOT_ATTEMPTED") is Grade.parse("idk") is Grade.parse("A") is Grade.ABSTAINED
    assert GRADES == (Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED)


@pytest.mark.parametrize("text", ["", "CORRECTLY", "The grade is CORRECT", "B", "1", None, 3], ids=repr)
def test_a_grade_is_never_guessed(text: object) -> None:
    with pytest.raises(ConfigError, match="no grade has this name"):
        Grade.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tiers", "text"),
    [
        ((), "tiers = 0: a router has two to eight tiers"),
        ((("medium", "m"),), "tiers = 1"),
        (tuple((str(n), str(n)) for n in range(9)), "tiers = 9"),
        ((("medium", "m"), ("medium", "n")), "tiers.name = 'medium': stands at two tiers"),
        ((("medium", "m"), ("large", "m")), "tiers.model = 'm': stands at two tiers"),
        ((("medium", " "), ("large", "m")), "tiers.model = ' ': not a name"),
        ((("medium", None), ("large", "m")), "tiers.model = None: not a name"),
    ],
)
def test_tiers_that_cannot_be_told_apart_are_refused(tiers: tuple[tuple[str, str], ...], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        distinct_tiers(tuple(Tier(*each) for each in tiers))


def test_distinct_tiers_come_back_as_they_were() -> None:
    tiers = (Tier("medium", "m"), Tier("large", "l"))
    assert distinct_tiers(tiers) is tiers


def test_an_outcome_has_a_grade_or_a_score() -> None:
    assert Outcome(model="m", grade=Grade.CORRECT).quality == 1.0
    assert Outcome(model="m", grade=Grade.ABSTAINED).quality == 0.0
    assert Outcome(model="m", score=0.25).quality == 0.25
    wrong: list[Callable[[], Outcome]] = [
        lambda: Outcome(model="m"),
        lambda: Outcome(model="m", grade=Grade.CORRECT, score=1.0),
        lambda: Outcome(model="m", score=1.5),
        lambda: Outcome(model="m", score=float("nan")),
    ]
    for make in wrong:
        with pytest.raises(ConfigError):
            make()


def test_a_threshold_of_zero_is_a_threshold_and_nan_is_none() -> None:
    assert OperatingPoint([0.0]).thresholds == (0.0,)
    for bad in (float("nan"), True, "0.3", None):
        with pytest.raises(ConfigError, match=r"operating_point.thresholds"):
            OperatingPoint([bad])  # type: ignore[list-item]
    for bad in (0.3, "0.3", None):
        with pytest.raises(ConfigError, match="not a list of numbers"):
            OperatingPoint(bad)  # type: ignore[arg-type]
    assert OperatingPoint([float("inf")]).thresholds == (float("inf"),)
    for bad in (-0.1, 1.1, float("nan"), float("inf"), True, "0.2"):
        with pytest.raises(ConfigError, match=r"operating_point.large_share"):
            OperatingPoint((0.0,), bad)  # type: ignore[arg-type]
    assert [OperatingPoint((0.0,), share).large_share for share in (0, 1.0, None)] == [0, 1.0, None]


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": -1},
        {"output_tokens": -1},
        {"thinking_tokens": -1},
        {"cached_input_tokens": -1},
        {"input_tokens": 2.5},
        {"output_tokens": True},
        {"input_tokens": 10, "cached_input_tokens": 11},
        {"latency_s": -0.1},
        {"latency_s": float("nan")},
    ],
    ids=str,
)
def test_tokens_that_nobody_can_have_used_are_refused(counts: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="usage"):
        Usage(**counts)  # type: ignore[arg-type]
    if "latency_s" not in counts and "thinking_tokens" not in counts:
        price = Price(input_usd_per_mtok=1, output_usd_per_mtok=1)
        with pytest.raises(ConfigError, match="cost"):
            price.cost_usd(**{"input_tokens": 0, "output_tokens": 0, **counts})  # type: ignore[arg-type]


def test_a_prediction_adds_up_its_gains() -> None:
    prediction = Prediction(("A", "B"), (0.25, 0.75), (0.1, 0.3, 0.6), (0.2, 0.3))

    assert prediction.probabilities == {"A": 0.25, "B": 0.75}
    assert prediction.expected_gain == pytest.approx(0.5)
    assert make_decision(prediction=prediction).expected_gain == prediction.expected_gain


def test_a_step_that_was_not_followed_is_overruled() -> None:
    assert TraceStep(Stage.OVERRIDE, "tag", "pro", "flash", "a tag").overruled
    assert not TraceStep(Stage.OVERRIDE, "tag", "pro", "pro", "a tag").overruled
    assert not TraceStep(Stage.CONSTRAINT, "budget", "pro", "flash", "too dear").overruled


def test_a_batch_has_exactly_one_form() -> None:
    table = np.full((2, 9), 1 / 9)
    wrong: list[dict[str, object]] = [
        {},
        {"cells": table, "policies": table},
        {"grades": np.ones((2, 1, 2, 3)) / 3},
        {"cells": table, "weights": np.ones((2, 1))},
    ]
    for arrays in wrong:
        with pytest.raises(PredictionError):
            PredictionBatch(**arrays)  # type: ignore[arg-type]
    assert len(PredictionBatch(cells=table)) == 2


@pytest.mark.parametrize("tiers", [2, 3, 4])
def test_a_mixture_becomes_joint_probabilities_with_the_dearest_tier_changing_fastest(tiers: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), size=5)
    grades = rng.dirichlet(np.ones(3), size=(5, 3, tiers))
    joint = PredictionBatch(weights=weights, grades=grades).joint()

    assert joint.shape == (5, 3**tiers)
    assert joint.sum(axis=1) == pytest.approx(np.ones(5))
    cell = (1,) + (0,) * (tiers - 2) + (2,)
    expected = sum(
        weights[0, k] * np.prod([grades[0, k, tier, grade] for tier, grade in enumerate(cell)])
        for k in range(3)
    )
    assert joint[0, np.ravel_multi_index(cell, (3,) * tiers)] == pytest.approx(expected)


def test_policy_probabilities_alone_have_no_cells() -> None:
    with pytest.raises(PredictionError, match="no cells"):
        PredictionBatch(policies=np.ones((1, 1)), policy_names=("A",)).joint()


@pytest.mark.parametrize(
    "changes", [{"max_output_tokens": 0}, {"temperature": -1.0}, {"timeout_s": 0.0}], ids=repr
)
def test_a_request_out_of_range_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Request(query=Query("Hi?"), model="m", **changes)  # type: ignore[arg-type]


def test_every_type_is_exported_once() -> None:
    assert len(set(types.__all__)) == len(types.__all__)
    for name in types.__all__:
        assert hasattr(types, name)
