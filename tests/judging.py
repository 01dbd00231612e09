"""Evaluations of routers that are told, or peek at, what to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from payoffs import candidate, noisy
from routesdk import Router
from routesdk.pipeline.evaluation import Evaluation, evaluate
from routesdk.types import Example

QUICK = {"resamples": 200, "timed": 0, "reasons": 0}


def judged(router: Router, rows: Sequence[Example], **options: object) -> Evaluation:
    return evaluate(router, rows, **{**QUICK, **options})  # type: ignore[arg-type]


def skilled(rows: Sequence[Example], skill: float = 0.7, threshold: float = 0.1) -> Router:
    """Return a router that peeks at the rows, and knows no other wording of them."""
    gains = noisy(rows, skill)
    by_text = {row.query.text: gains[row.id] for row in rows}
    return candidate("ours", lambda text: by_text.get(text, 0.0), threshold).router


def told(gains: Mapping[str, float], threshold: float = 0.3) -> Router:
    """Return a router that is told the gain of each row by its name."""
    by_text = {f"question {name}?": gain for name, gain in gains.items()}
    return candidate("ours", lambda text: by_text.get(text, 0.0), threshold).router


def value_of(evaluation: Evaluation, key: str) -> float:
    interval = evaluation.metric(key).interval
    assert interval is not None
    return interval.value
