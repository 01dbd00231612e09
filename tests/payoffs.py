"""Rows and candidates for comparisons of routers: fakes that expect the gain that a test tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np

from routers import host_with_fake, make_router
from routesdk import OperatingPoint, Query
from routesdk.pipeline.payoff import Candidate, Figures, Payoff, Timing, measure
from routesdk.testing import MODELS
from routesdk.types import Example, Grade, Outcome

HOST = host_with_fake()
LEARNED = np.array([1], dtype=np.uint64)
"""Hashes of what a fake learned from: no query of a test."""

FAST, SLOW = 0.05, 300.0
"""Milliseconds of a decision."""


def example(name: str, cell: str, models: Sequence[str] = MODELS, text: str = "") -> Example:
    """Return a row whose outcomes are the letters of a cell, cheapest first."""
    outcomes = {
        model: Outcome(model=model, grade=Grade.parse(letter))
        for model, letter in zip(models, cell, strict=True)
    }
    return Example(id=name, query=Query(text or f"question {name}?"), outcomes=outcomes)


def cells_of(gain: float) -> Mapping[str, float]:
    """Return probabilities of cells that have this expected gain."""
    rest = (1.0 - abs(gain)) / 2
    return {"IC" if gain >= 0 else "CI": abs(gain), "CC": rest, "II": rest}


def candidate(
    name: str, gain: Callable[[str], float] | Mapping[str, float], threshold: float = 0.3
) -> Candidate:
    """Return a router that expects a gain for each query's text, or for each row's name."""

    def predict(query: Query) -> Mapping[str, float]:
        row = query.text.removeprefix("question ").removesuffix("?")
        return cells_of(gain(query.text) if callable(gain) else gain[row])

    router = make_router(predict, point=OperatingPoint((threshold,)), host=HOST)
    return Candidate(name, attrs.evolve(router, training_hashes=lambda: LEARNED))


def simulated(count: int, seed: int = 0, large: float = 0.7) -> tuple[Example, ...]:
    """Return rows on which the medium model is right on 40 %, and the large one on its own share."""
    rng = np.random.default_rng(seed)
    grades = rng.random((count, 2)) < (0.4, large)
    return tuple(
        example(str(at), "".join("C" if right else "I" for right in row)) for at, row in enumerate(grades)
    )


def noisy(rows: Sequence[Example], skill: float, seed: int = 1) -> Mapping[str, float]:
    """Return gains for the rows that peek at the outcomes, as far as `skill` in [0, 1] lets them."""
    rng = np.random.default_rng(seed)
    medium, large = MODELS
    return {
        row.id: float(
            0.45 * skill * (row.outcomes[large].quality - row.outcomes[medium].quality)
            + 0.45 * (1 - skill) * rng.uniform(-1, 1)
        )
        for row in rows
    }


def measured(candidates: Sequence[Candidate], rows: Sequence[Example], **times: float) -> Payoff:
    """Measure without a clock, and put in the times that a test wants; `_` in a name stands for a space."""
    payoff = measure(candidates, rows, resamples=300, timed=0)
    return with_times(payoff, {name.replace("_", " "): value for name, value in times.items()})


def with_times(payoff: Payoff, times: Mapping[str, float]) -> Payoff:
    """Say how many milliseconds each candidate takes."""
    timed = tuple(
        attrs.evolve(
            each,
            timing=Timing(median_ms=times[each.name], decisions=50, batch_per_s=1000.0, batch=payoff.rows),
        )
        if each.name in times
        else each
        for each in payoff.candidates
    )
    return attrs.evolve(payoff, candidates=timed)


# Gains of calling the large model: 1, 0, 0, 1; the medium model is right on 1 of 4, the large one on 3.
FOUR = (example("a", "IC"), example("b", "CC"), example("c", "II"), example("d", "IC"))
RIGHT = {"a": 0.8, "b": 0.1, "c": -0.1, "d": 0.8}
WRONG = {name: -gain for name, gain in RIGHT.items()}


def only(payoff: Payoff) -> Figures:
    (figures,) = payoff.candidates
    return figures


def scored_row(name: str, medium: float, gain: float) -> Example:
    scores = {MODELS[0]: medium, MODELS[1]: medium + gain}
    outcomes = {model: Outcome(model=model, score=score) for model, score in scores.items()}
    return Example(id=name, query=Query(f"question {name}?"), outcomes=outcomes)


def apgr_of(payoff: Payoff, name: str) -> float:
    found = payoff.figures(name).apgr
    assert found is not None
    return found.value
