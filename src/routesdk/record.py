"""The one record of a decision, as plain data: the same in SDK, CLI, logs and evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from routesdk.errors import ConfigError
from routesdk.structure import structure
from routesdk.types import Answer, Decision, OperatingPoint, Prediction, TraceStep, Usage

# JSON has no word for these; a threshold of infinity means "never escalate".
_INFINITIES = ("inf", "-inf")
# Far below what any probability means, far above what one sum of floats can be off.
_GAIN_TOLERANCE = 1e-9


def decision_to_dict(decision: Decision) -> dict[str, object]:
    """Turn a decision into plain data that JSON can carry and `decision_from_dict` reads back.

    Amounts of money are strings, so that they stay exact; infinities are the
    strings `inf` and `-inf`. Written by `json.dumps` with its default
    `ensure_ascii=True`, any text survives, lone surrogates too.

    Args:
        decision: What a router decided.

    Returns:
        New lists and dicts, with the keys in the order in which people read them.
    """
    prediction, point = decision.prediction, decision.operating_point
    cost = decision.estimated_cost_usd
    return {
        "query_id": decision.query_id,
        "policy": decision.policy,
        "tier": decision.tier,
        "model": decision.model,
        "confidence": _plain(decision.confidence),
        "probabilities": {policy: _plain(value) for policy, value in prediction.probabilities.items()},
        "expected_gain": _plain(prediction.expected_gain),
        "gains": [_plain(gain) for gain in prediction.gains],
        "correct": [_plain(value) for value in prediction.correct],
        "derived": prediction.derived,
        "operating_point": {
            "thresholds": [_plain(threshold) for threshold in point.thresholds],
            "large_share": None if point.large_share is None else _plain(point.large_share),
            "source": point.source,
        },
        "trace": [
            {
                "stage": step.stage.value,
                "source": step.source,
                "model": step.model,
                "chosen": step.chosen,
                "reason": step.reason,
            }
            for step in decision.trace
        ],
        "notices": list(decision.notices),
        "estimated_cost_usd": None if cost is None else str(cost),
        "cost_note": decision.cost_note,
        "checkpoint_id": decision.checkpoint_id,
        "explanation": decision.explanation,
        "call_id": decision.call_id,
        "shift_score": None if decision.shift_score is None else _plain(decision.shift_score),
    }


def decision_from_dict(data: Mapping[str, object]) -> Decision:
    """Read a decision back from what `decision_to_dict` returned, through JSON or not.

    Args:
        data: A record with all of its keys.

    Raises:
        ConfigError: A key is unknown or missing, a value is of the wrong
            type, or the expected gain is not the sum of the gains.
    """
    record = structure(data, _Record, where="decision")
    prediction = Prediction(
        tuple(record.probabilities),
        tuple(_number(value, f"probabilities.{key}") for key, value in record.probabilities.items()),
        _numbers(record.correct, "correct"),
        _numbers(record.gains, "gains"),
        record.derived,
    )
    gain = _number(record.expected_gain, "expected_gain")
    if not abs(gain - prediction.expected_gain) <= _GAIN_TOLERANCE:
        raise ConfigError(
            "decision.expected_gain",
            str(gain),
            f"is not the sum of the gains, {prediction.expected_gain}",
            "Leave records as they were written.",
        )
    point, share = record.operating_point, record.operating_point.large_share
    return Decision(
        query_id=record.query_id,
        policy=record.policy,
        tier=record.tier,
        model=record.model,
        confidence=_number(record.confidence, "confidence"),
        prediction=prediction,
        operating_point=OperatingPoint(
            _numbers(point.thresholds, "operating_point.thresholds"),
            None if share is None else _number(share, "operating_point.large_share"),
            point.source,
        ),
        trace=record.trace,
        notices=record.notices,
        estimated_cost_usd=record.estimated_cost_usd,
        cost_note=record.cost_note,
        checkpoint_id=record.checkpoint_id,
        explanation=record.explanation,
        call_id=record.call_id,
        shift_score=None if record.shift_score is None else _number(record.shift_score, "shift_score"),
    )


def answer_to_dict(answer: Answer) -> dict[str, object]:
    """Turn an answer into plain data that JSON can carry: text, model, and what it used.

    Args:
        answer: What a backend answered.

    Returns:
        A new dict; the cost is a string, or None where it is unknown.
    """
    usage = answer.usage
    return {
        "model": answer.model,
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "thinking_tokens": usage.thinking_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cost_usd": None if usage.cost_usd is None else str(usage.cost_usd),
        "latency_s": None if usage.latency_s is None else _plain(usage.latency_s),
    }


def answer_from_dict(data: Mapping[str, object]) -> Answer:
    """Read an answer back from what `answer_to_dict` returned, through JSON or not.

    Args:
        data: A record with all of its keys.

    Raises:
        ConfigError: A key is unknown or missing, or a value is of the wrong type.
    """
    record = structure(data, _AnswerRecord, where="answer")
    return Answer(
        text=record.text,
        model=record.model,
        finish_reason=record.finish_reason,
        usage=Usage(
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
            thinking_tokens=record.thinking_tokens,
            cached_input_tokens=record.cached_input_tokens,
            cost_usd=record.cost_usd,
            latency_s=record.latency_s,
        ),
    )


@attrs.frozen(kw_only=True)
class _AnswerRecord:
    """An answer as it is written: every key is required."""

    model: str
    text: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int
    cached_input_tokens: int
    cost_usd: Decimal | None
    latency_s: float | None


@attrs.frozen(kw_only=True)
class _Point:
    """An operating point as it is written; numbers are read later, for infinities."""

    thresholds: tuple[object, ...]
    large_share: object
    source: str


@attrs.frozen(kw_only=True)
class _Record:
    """A decision as it is written: every key is required, but for one that older records lack."""

    query_id: str
    policy: str
    tier: str
    model: str
    confidence: object
    probabilities: Mapping[str, object]
    expected_gain: object
    gains: tuple[object, ...]
    correct: tuple[object, ...]
    derived: bool
    operating_point: _Point
    trace: tuple[TraceStep, ...]
    notices: tuple[str, ...]
    estimated_cost_usd: Decimal | None
    cost_note: str
    checkpoint_id: str
    explanation: str | None
    call_id: str
    shift_score: object = None


def _plain(value: float) -> float | str:
    # Numpy's floats come this way too; JSON takes only Python's.
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _number(value: object, key: str) -> float:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        problem = "is beyond what a float holds"
        raise ConfigError(f"decision.{key}", "(a long number)", problem, "Leave records alone.") from None
    if isinstance(value, str) and value in _INFINITIES:
        return float(value)
    raise ConfigError(
        f"decision.{key}", repr(value)[:80], "is not a number", "Leave records as they were written."
    )


def _numbers(values: Iterable[object], key: str) -> tuple[float, ...]:
    return tuple(_number(value, f"{key}[{index}]") for index, value in enumerate(values))
