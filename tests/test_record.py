"""The record of a decision survives JSON exactly, and refuses what it was not written as."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import ConfigError
from routesdk.record import answer_to_dict, decision_from_dict, decision_to_dict
from routesdk.types import Answer, Decision, OperatingPoint, Prediction, Stage, TraceStep, Usage

# Any code point, lone surrogates and control characters among them.
texts = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
gains = st.floats(-1, 1)
thresholds = st.floats(allow_nan=False, allow_infinity=True)
amounts = st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False)


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    names = draw(st.lists(texts, min_size=1, max_size=5, unique=True))
    values = draw(st.lists(st.floats(0, 1), min_size=len(names), max_size=len(names)))
    steps = draw(st.lists(gains, min_size=1, max_size=7))
    correct = draw(st.lists(st.floats(0, 1), max_size=8))
    return Prediction(tuple(names), tuple(values), tuple(correct), tuple(steps), draw(st.booleans()))


steps = st.builds(TraceStep, st.sampled_from(Stage), texts, texts, texts, texts)
points = st.builds(
    OperatingPoint,
    st.lists(thresholds, min_size=1, max_size=7).map(tuple),
    st.none() | st.floats(0, 1),
    texts,
)
decisions = st.builds(
    Decision,
    query_id=texts,
    policy=texts,
    tier=texts,
    model=texts,
    confidence=st.floats(0, 1),
    prediction=predictions(),
    operating_point=points,
    trace=st.lists(steps, max_size=4).map(tuple),
    notices=st.lists(texts, max_size=3).map(tuple),
    estimated_cost_usd=st.none() | amounts,
    cost_note=texts,
    checkpoint_id=texts,
    explanation=st.none() | texts,
    call_id=texts,
    shift_score=st.none() | st.floats(0.0, 1.0),
)

DECISION = Decision(
    query_id="1f",
    policy="Complex_Query",
    tier="large",
    model="gemini-2.5-pro",
    confidence=0.7,
    prediction=Prediction(("Standard_Query", "Complex_Query"), (0.3, 0.7), (0.2, 0.6), (0.4,)),
    operating_point=OperatingPoint((0.25,), 0.33, "checkpoint"),
    trace=(TraceStep(Stage.DEFAULT, "policy map", "gemini-2.5-pro", "gemini-2.5-pro", "it is mapped"),),
    notices=("the query was cut",),
    estimated_cost_usd=Decimal("0.00120"),
    cost_note="for 20 tokens in",
    checkpoint_id="default@1",
    call_id="c7",
    shift_score=0.25,
)


@given(decisions)
def test_a_decision_survives_json_exactly(decision: Decision) -> None:
    text = json.dumps(decision_to_dict(decision), allow_nan=False)

    assert text.isascii()
    assert decision_from_dict(json.loads(text)) == decision
    assert decision_from_dict(decision_to_dict(decision)) == decision


def test_the_record_is_flat_and_readable() -> None:
    assert decision_to_dict(DECISION) == {
        "query_id": "1f",
        "policy": "Complex_Query",
        "tier": "large",
        "model": "gemini-2.5-pro",
        "confidence": 0.7,
        "probabilities": {"Standard_Query": 0.3, "Complex_Query": 0.7},
        "expected_gain": 0.4,
        "gains": [0.4],
        "correct": [0.2, 0.6],
        "derived": False,
        "operating_point": {"thresholds": [0.25], "large_share": 0.33, "source": "checkpoint"},
        "trace": [
            {
                "stage": "default",
                "source": "policy map",
                "model": "gemini-2.5-pro",
                "chosen": "gemini-2.5-pro",
                "reason": "it is mapped",
            }
        ],
        "notices": ["the query was cut"],
        "estimated_cost_usd": "0.00120",
        "cost_note": "for 20 tokens in",
        "checkpoint_id": "default@1",
        "explanation": None,
        "call_id": "c7",
        "shift_score": 0.25,
    }


def test_every_field_of_a_decision_is_in_the_record() -> None:
    record = decision_to_dict(DECISION)

    fields = {field.name for field in attrs.fields(Decision)} - {"prediction"}
    assert fields <= set(record)


def test_numpy_numbers_become_plain_ones() -> None:
    # A plugin may well put numpy's scalars where floats belong; `float` stands for them in the types.
    values: list[Any] = list(np.array([0.25, 0.75], dtype=np.float32))
    prediction = attrs.evolve(DECISION.prediction, values=tuple(values))
    decision = attrs.evolve(DECISION, prediction=prediction, confidence=values[1])

    record = json.loads(json.dumps(decision_to_dict(decision)))

    assert record["probabilities"] == {"Standard_Query": 0.25, "Complex_Query": 0.75}
    assert record["confidence"] == 0.75


def test_a_threshold_of_infinity_is_written_as_text_and_read_as_infinity() -> None:
    decision = attrs.evolve(DECISION, operating_point=OperatingPoint((math.inf, -math.inf)))

    record = decision_to_dict(decision)

    assert record["operating_point"] == {
        "thresholds": ["inf", "-inf"],
        "large_share": None,
        "source": "caller",
    }
    assert decision_from_dict(record).operating_point.thresholds == (math.inf, -math.inf)


@pytest.mark.parametrize("key", sorted(set(decision_to_dict(DECISION)) - {"shift_score"}))
def test_a_missing_key_is_named(key: str) -> None:
    record = decision_to_dict(DECISION)
    del record[key]

    with pytest.raises(ConfigError) as caught:
        decision_from_dict(record)

    assert caught.value.key == f"decision.{key}"
    assert "required" in caught.value.problem


def test_a_record_from_before_shift_scores_is_read() -> None:
    record = decision_to_dict(DECISION)
    del record["shift_score"]

    assert decision_from_dict(record) == attrs.evolve(DECISION, shift_score=None)


Change = Callable[[dict[str, object]], object]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda record: record.update(modle="x"), "decision.modle"),
        (lambda record: record.update(confidence="high"), "decision.confidence"),
        (lambda record: record.update(confidence=True), "decision.confidence"),
        (lambda record: record.update(policy=None), "decision.policy"),
        (lambda record: record.update(derived="no"), "decision.derived"),
        (lambda record: record.update(gains=0.4), "decision.gains"),
        (lambda record: record.update(gains=[0.1, "0.3"]), "decision.gains[1]"),
        (lambda record: record.update(expected_gain=0.5), "decision.expected_gain"),
        (lambda record: record.update(expected_gain="nan"), "decision.expected_gain"),
        (lambda record: record.update(probabilities={"a": "b"}), "decision.probabilities.a"),
        (lambda record: record.update(probabilities=[0.3, 0.7]), "decision.probabilities"),
        (lambda record: record.update(notices="cut"), "decision.notices"),
        (lambda record: record.update(estimated_cost_usd="-1"), "decision.estimated_cost_usd"),
        (lambda record: record.update(estimated_cost_usd="cheap"), "decision.estimated_cost_usd"),
        (lambda record: record["trace"][0].update(stage="late"), "decision.trace[0].stage"),
        (lambda record: record["trace"][0].pop("reason"), "decision.trace[0].reason"),
        (lambda record: record["operating_point"].update(share=1), "decision.operating_point.share"),
    ],
)
def test_what_no_decision_is_written_as_is_refused_by_its_key(change: Change, key: str) -> None:
    record = json.loads(json.dumps(decision_to_dict(DECISION)))
    change(record)

    with pytest.raises(ConfigError) as caught:
        decision_from_dict(record)

    assert caught.value.key == key


@pytest.mark.parametrize("data", [None, [], "decision", 3])
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(ConfigError, match="not a table"):
        decision_from_dict(data)  # type: ignore[arg-type]


def test_the_record_can_be_changed_without_changing_the_decision() -> None:
    record = decision_to_dict(DECISION)
    notices = record["notices"]
    assert isinstance(notices, list)
    notices.append("mine")

    assert DECISION.notices == ("the query was cut",)


def test_an_answer_becomes_plain_data() -> None:
    usage = Usage(input_tokens=12, output_tokens=3, cost_usd=Decimal("0.0000010"), latency_s=0.25)

    record = answer_to_dict(Answer(text="In \ud800 1832.", model="m", usage=usage))

    assert json.loads(json.dumps(record)) == {
        "model": "m",
        "text": "In \ud800 1832.",
        "finish_reason": "stop",
        "input_tokens": 12,
        "output_tokens": 3,
        "thinking_tokens": 0,
        "cached_input_tokens": 0,
        "cost_usd": "0.0000010",
        "latency_s": 0.25,
    }


def test_an_unknown_cost_is_none_and_no_zero() -> None:
    assert answer_to_dict(Answer(text="", model="m"))["cost_usd"] is None
