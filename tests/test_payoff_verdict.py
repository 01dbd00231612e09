"""Which router to ship: every rule of the verdict, on rows and times that decide it."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoffs import FAST, SLOW, candidate, example, measured, noisy, simulated
from routesdk.pipeline.payoff import Advice, Payoff, verdict
from routesdk.pipeline.payoff.wording import interval_text

ROWS = simulated(600)
GOOD, POOR = noisy(ROWS, 0.5), noisy(ROWS, 0.15, seed=2)
# About as good as GOOD, and a little below it.
ALIKE = {
    name: gain + 0.1 * other
    for (name, gain), other in zip(GOOD.items(), noisy(ROWS, 0, seed=11).values(), strict=True)
}
CHANCE = noisy(ROWS, 0.0, seed=3)


def test_the_cheaper_of_two_that_cannot_be_told_apart_is_shipped_and_it_says_so() -> None:
    payoff = measured([candidate("SFT", GOOD), candidate("linear", ALIKE)], ROWS, SFT=SLOW, linear=FAST)
    assert payoff.ranked()[0].name == "SFT"

    found = verdict(payoff)

    assert (found.advice, found.candidate) == (Advice.SHIP, "linear")
    assert "cannot be told from the" in found.sentences[0]
    assert "of SFT, the highest" in found.sentences[0]
    assert "it decides in 50 us instead of 300 ms" in found.sentences[0]


def test_a_dearer_one_that_is_surely_better_is_shipped() -> None:
    found = verdict(
        measured([candidate("SFT", GOOD), candidate("linear", POOR)], ROWS, SFT=SLOW, linear=FAST)
    )

    assert (found.advice, found.candidate) == (Advice.SHIP, "SFT")
    assert "the others are surely below it: linear (-" in found.sentences[0]
    assert "sends" in found.text
    assert "always medium has" in found.text


def test_of_equal_costs_the_higher_apgr_is_shipped() -> None:
    payoff = measured([candidate("SFT", GOOD), candidate("encoder", ALIKE)], ROWS, SFT=1.0, encoder=1.9)
    best = payoff.ranked()[0].name

    assert verdict(payoff).candidate == best
    assert "no cheaper" in verdict(payoff).text
    swapped = measured([candidate("SFT", ALIKE), candidate("encoder", GOOD)], ROWS, SFT=1.0, encoder=1.9)
    assert {best, verdict(swapped).candidate} == {"SFT", "encoder"}


def test_without_times_or_sizes_the_best_is_shipped() -> None:
    payoff = measured([candidate("SFT", GOOD), candidate("linear", ALIKE)], ROWS)

    assert verdict(payoff).candidate == payoff.ranked()[0].name


def test_who_is_alone_is_shipped_where_surely_better_than_random() -> None:
    found = verdict(measured([candidate("linear", GOOD)], ROWS))

    assert (found.advice, found.candidate) == (Advice.SHIP, "linear")
    assert "surely better than random" in found.sentences[0]


def test_where_nothing_is_surely_better_than_random_the_advice_is_not_to_route() -> None:
    found = verdict(measured([candidate("SFT", CHANCE)], ROWS, SFT=SLOW))

    assert (found.advice, found.candidate) == (Advice.DO_NOT_ROUTE, "")
    assert found.sentences[0].startswith("Do not route: no candidate is surely better than random")
    assert "prompt length" in found.text


def test_rows_that_cannot_exclude_a_gain_worth_having_are_too_few() -> None:
    rows = simulated(60)

    found = verdict(measured([candidate("SFT", noisy(rows, 0.1, seed=12))], rows))

    assert found.advice is Advice.NOT_ENOUGH_ROWS
    assert "rows would do" in found.sentences[0]


def test_fewer_than_thirty_rows_are_too_few_whatever_they_say() -> None:
    rows = simulated(29, seed=4)

    found = verdict(
        measured([candidate("SFT", noisy(rows, 1.0)), candidate("SFT + DPO", noisy(rows, 0.9))], rows)
    )

    assert (found.advice, found.candidate) == (Advice.NOT_ENOUGH_ROWS, "")
    assert "29 of the 30" in found.text
    assert "on too few rows to tell" in found.text


def test_a_cheaper_one_that_may_be_much_worse_is_named_with_reserve() -> None:
    rows = simulated(60, seed=3)
    better, cheaper = noisy(rows, 0.45), noisy(rows, 0.4, seed=8)
    payoff = measured([candidate("SFT", better), candidate("linear", cheaper)], rows, SFT=SLOW, linear=FAST)
    behind = payoff.difference("linear", "SFT")
    assert behind is not None
    assert behind.low < -0.1 < 0 <= behind.high, "the rows are chosen so that this is in doubt"

    found = verdict(payoff)

    assert (found.advice, found.candidate) == (Advice.NOT_ENOUGH_ROWS, "linear")
    assert "SFT may have" in found.sentences[0]
    assert "Until then, linear is the one to use: its APGR of" in found.sentences[1]


def test_a_gap_between_the_models_that_is_in_doubt_is_too_few_rows() -> None:
    rows = simulated(60, seed=2, large=0.45)
    payoff = measured([candidate("SFT", noisy(rows, 0.6))], rows)
    assert payoff.undefined == ""

    found = verdict(payoff)

    assert found.advice is Advice.NOT_ENOUGH_ROWS
    assert "the gap to recover is itself in doubt" in found.text


def test_without_a_gap_the_cheapest_model_is_named_and_who_beats_it() -> None:
    # Each model is right on rows that the other is not, and the cheaper one on more of them.
    rows = [example(str(at), "IC" if at % 4 == 0 else "CI") for at in range(60)]
    peeking = {row.id: 0.5 if int(row.id) % 4 == 0 else -0.5 for row in rows}

    found = verdict(measured([candidate("peeking", peeking), candidate("never", lambda text: -0.5)], rows))

    assert (found.advice, found.candidate) == (Advice.NO_GAP, "")
    assert "Always medium has accuracy 0.750" in found.text
    assert "peeking is surely more accurate all the same, by +0.250" in found.text
    assert "never is surely" not in found.text


def test_who_is_no_better_than_prompt_length_hears_it() -> None:
    # Long questions are those that gain, and the candidate ranks by length, but for noise.
    rows = [
        example(
            str(at),
            "IC" if at % 2 else "CC",
            text=f"question {at} " + "x" * (50 + at % 7 if at % 2 else at % 11) + "?",
        )
        for at in range(200)
    ]
    noise = noisy(rows, 0.6)

    found = verdict(measured([candidate("SFT", lambda text: noise[text.split()[1]])], rows))

    assert found.advice is Advice.SHIP
    assert "No candidate is surely better than ranking by prompt length" in found.text
    assert "prompt length" not in verdict(measured([candidate("SFT", GOOD)], ROWS)).text


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(POOR, GOOD, "surely a gain"), (GOOD, POOR, "surely a loss"), (GOOD, ALIKE, "maybe nothing")],
    ids=["gain", "loss", "nothing"],
)
def test_what_dpo_added_is_told(before: dict[str, float], after: dict[str, float], said: str) -> None:
    payoff = measured([candidate("tiny SFT", before), candidate("tiny SFT + DPO", after)], ROWS)
    added = payoff.difference("tiny SFT + DPO", "tiny SFT")
    assert added is not None

    (sentence,) = (each for each in verdict(payoff).sentences if each.startswith("DPO added"))
    assert sentence == (f"DPO added {interval_text(added, signed=True)} to the APGR of tiny SFT: {said}.")


def test_who_is_not_calibrated_hears_it() -> None:
    payoff = measured([candidate("SFT", GOOD)], ROWS)
    (figures,) = payoff.candidates
    trusted = attrs.evolve(figures, perfect_error=figures.calibration_error.value)

    assert f"off by {figures.calibration_error.value:.3f} on average" in verdict(payoff).text
    assert "off by" not in verdict(attrs.evolve(payoff, candidates=(trusted,))).text


def test_without_its_sft_nothing_is_said_of_dpo() -> None:
    assert "DPO added" not in verdict(measured([candidate("SFT + DPO", GOOD)], ROWS)).text
    named = [candidate("tiny", GOOD), candidate("tinyDPO", GOOD), candidate("DPO", GOOD)]
    assert "DPO added" not in verdict(measured(named, ROWS)).text


@settings(max_examples=5)
@given(st.integers(0, 500), st.floats(0, 1), st.floats(0, 1), st.integers(30, 80))
def test_what_is_shipped_is_surely_better_than_random_and_not_surely_below_the_best(
    seed: int, skill: float, other: float, count: int
) -> None:
    rows = simulated(count, seed)
    candidates = [candidate("SFT", noisy(rows, skill)), candidate("linear", noisy(rows, other, seed=2))]
    payoff = measured(candidates, rows, SFT=SLOW, linear=FAST)

    found = verdict(payoff)

    assert found.sentences
    if found.advice is Advice.SHIP:
        assert surely_better(payoff, found.candidate, "random")
        best = payoff.ranked()[0].name
        assert found.candidate == best or not surely_better(payoff, best, found.candidate)


def surely_better(payoff: Payoff, name: str, other: str) -> bool:
    ahead = payoff.difference(name, other)
    return ahead is not None and ahead.low > 0
