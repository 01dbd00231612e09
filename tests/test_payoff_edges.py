"""Comparisons of what cannot be compared: refused, reported or undefined, and never passed over."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from payoffs import FOUR, HOST, LEARNED, RIGHT, WRONG, candidate, example, measured, only, scored_row
from routers import make_router
from routesdk.errors import ConfigError, LeakError, MetricError
from routesdk.manifest import Calibration
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.payoff import Advice, Candidate, measure, verdict
from routesdk.testing import MODELS
from routesdk.types import Tier


def test_rows_without_all_outcomes_are_counted_and_named() -> None:
    half = example("half", "C", models=MODELS[:1])

    payoff = measured([candidate("peeking", RIGHT)], (*FOUR, half))

    assert (payoff.rows, payoff.left_out) == (4, ("half",))
    with pytest.raises(ConfigError, match="none has an outcome of each of medium-model, large-model"):
        measured([candidate("peeking", RIGHT)], [half])


def test_one_row_has_figures_and_no_verdict_to_ship() -> None:
    payoff = measured([candidate("peeking", RIGHT)], FOUR[:1])

    assert only(payoff).accuracy.value == 1.0
    assert verdict(payoff).candidate == ""


@pytest.mark.parametrize("cell", ["CC", "II", "CI"])
def test_rows_without_a_gap_say_why_apgr_is_undefined(cell: str) -> None:
    rows = [example(name, cell) for name in "abcd"]

    payoff = measured([candidate("peeking", RIGHT)], rows)

    assert only(payoff).apgr is None
    assert "no better" in payoff.undefined
    assert payoff.difference("peeking", "random") is None
    assert payoff.difference("peeking", "always medium", "accuracy") is not None


def test_rows_whose_gap_half_of_the_resamples_lack_say_that_they_are_too_few() -> None:
    # One row makes up for what the others lose, so that the gap stands and falls with it.
    gains = (1.0, *(-0.0856 if at % 2 else 0.0394 for at in range(1, 40)))
    rows = [scored_row(str(at), 0.0 if at == 0 else 0.5, gain) for at, gain in enumerate(gains)]

    payoff = measured([candidate("x", lambda text: 0.1)], rows)

    assert sum(gains) > 0
    assert "too few rows" in payoff.undefined
    assert only(payoff).apgr is None
    assert verdict(payoff).advice is Advice.NOT_ENOUGH_ROWS
    assert "the gap to recover is itself in doubt" in verdict(payoff).text


@pytest.mark.parametrize(
    ("cells", "advice"),
    [
        (["CC"] * 29, Advice.NOT_ENOUGH_ROWS),
        (["CC"] * 30, Advice.NO_GAP),
        (["CI", "IC"] * 30, Advice.NOT_ENOUGH_ROWS),
        (["CI"] * 40 + ["IC"] * 5, Advice.NO_GAP),
    ],
    ids=["few", "none", "doubt", "worse"],
)
def test_there_is_no_gap_only_where_a_gain_worth_having_is_excluded(cells: list[str], advice: Advice) -> None:
    rows = [example(str(at), cell) for at, cell in enumerate(cells)]

    payoff = measured([candidate("x", lambda text: 0.1)], rows)

    assert only(payoff).apgr is None
    assert verdict(payoff).advice is advice


def test_where_there_is_no_gap_who_failed_is_named_too() -> None:
    def refuse(text: str) -> float:
        raise ValueError("out of memory")

    rows = [example(str(at), "CC") for at in range(40)]

    found = verdict(measured([candidate("broken", refuse), candidate("x", lambda text: 0.1)], rows))

    assert found.advice is Advice.NO_GAP
    assert "broken could not be measured: " in found.text
    assert "out of memory" in found.text


def test_a_candidate_that_fails_is_named_and_the_others_go_on() -> None:
    def refuse(text: str) -> float:
        raise ValueError("out of memory")

    unknown = make_router(
        policies={"Standard_Query": 0.5, "Complex_Query": 0.25, "Ambiguous_Query": 0.25},
        calibration=Calibration(
            policy_gains={
                name: (float("nan"),) for name in ("Standard_Query", "Complex_Query", "Ambiguous_Query")
            }
        ),
        host=HOST,
    )
    payoff = measured(
        [
            candidate("broken", refuse),
            candidate("peeking", RIGHT),
            Candidate("not a number", attrs.evolve(unknown, training_hashes=lambda: LEARNED)),
        ],
        FOUR,
    )

    assert [each.name for each in payoff.candidates] == ["peeking"]
    broken, nan = payoff.failures
    assert (broken.name, "out of memory" in broken.problem) == ("broken", True)
    assert nan.name == "not a number"
    assert "expected gain is nan for row 'a'" in nan.problem
    assert "broken could not be measured" in verdict(payoff).text


def test_where_all_candidates_fail_nothing_is_shipped() -> None:
    def refuse(text: str) -> float:
        raise ValueError("out of memory")

    payoff = measured([candidate("broken", refuse)], FOUR)

    assert payoff.candidates == ()
    assert "No candidate could be measured: broken" in verdict(payoff).text


def test_names_that_cannot_be_told_apart_are_refused() -> None:
    twice = [candidate("SFT", RIGHT), candidate("SFT", WRONG)]
    with pytest.raises(ConfigError, match="two candidates have"):
        measured(twice, FOUR)
    with pytest.raises(ConfigError, match="a baseline has"):
        measured([candidate("prompt length", RIGHT)], FOUR)
    with pytest.raises(ConfigError, match="not a name"):
        candidate(" ", RIGHT)
    with pytest.raises(ConfigError, match="nothing to compare"):
        measured([], FOUR)


def test_counts_that_are_none_are_refused_before_anything_is_decided() -> None:
    def undecided(text: str) -> float:
        pytest.fail("a row was decided")

    with pytest.raises(MetricError, match="resamples is 0"):
        measure([candidate("SFT", undecided)], FOUR, resamples=0)
    with pytest.raises(ConfigError, match="timed = -1"):
        measure([candidate("SFT", undecided)], FOUR, timed=-1)


def test_candidates_for_other_models_are_refused() -> None:
    other = make_router(tiers=(Tier("medium", MODELS[0]), Tier("large", "another")), host=HOST)

    with pytest.raises(ConfigError, match="routes between medium medium-model, large another"):
        measured([candidate("SFT", RIGHT), Candidate("other", other)], FOUR)


def test_rows_that_a_candidate_learned_from_are_refused_by_id() -> None:
    seen = np.array([query_hash("question b?")], dtype=np.uint64)
    peeking = candidate("peeking", RIGHT)
    learned = attrs.evolve(peeking, router=attrs.evolve(peeking.router, training_hashes=lambda: seen))

    with pytest.raises(LeakError) as raised:
        measured([candidate("other", RIGHT), learned], FOUR)

    assert raised.value.ids == ("b",)
    assert "'peeking'" in raised.value.purpose
    with pytest.raises(ConfigError, match="no hashes"):
        measured([Candidate("nameless", make_router(host=HOST))], FOUR)
