"""Routers are measured on the same rows: figures by hand, paired differences, and what cannot be measured."""

from __future__ import annotations

import json
import time
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoffs import (
    FOUR,
    HOST,
    LEARNED,
    RIGHT,
    apgr_of,
    candidate,
    example,
    measured,
    noisy,
    only,
    scored_row,
    simulated,
)
from routers import make_router
from routesdk import OperatingPoint, Query
from routesdk.errors import ConfigError, MetricError
from routesdk.metrics import apgr_difference, bootstrap_many, bootstrap_values, calibration_interval
from routesdk.metrics.intervals import mean_statistic
from routesdk.pipeline.payoff import (
    Candidate,
    Figures,
    Payoff,
    checkpoint_bytes,
    from_record,
    measure,
    score_rows,
    to_record,
    verdict,
)
from routesdk.pipeline.payoff.sampling import recall_statistic, top_share
from routesdk.types import Tier


def test_the_figures_of_four_rows_are_those_worked_out_by_hand() -> None:
    found = only(measured([candidate("peeking", RIGHT)], FOUR))

    # Recovered gap at 0, 1, ... 4 large calls: 0, 1/2, 1, 1, 1; the mean of the four trapezoids is 3/4.
    assert found.apgr is not None
    assert found.apgr.value == pytest.approx(0.75)
    # a and d go to the large model, which is right; b stays with the medium one, which is right too.
    assert found.accuracy.value == pytest.approx(0.75)
    assert found.large_share == 0.5
    assert found.tier_shares == (0.5, 0.5)
    # Decided: Complex for a and d (right). b and c stay, as Standard or Ambiguous, which are as likely:
    # the first is taken, so that b is right and c wrong.
    assert found.decided_accuracy.value == pytest.approx(0.75)
    # Confidence is 0.8, 0.45, 0.55 (c: Standard has the cell CI too), 0.8.
    assert found.confidence.mean == pytest.approx((0.8 + 0.45 + 0.55 + 0.8) / 4)
    errors = (0.2**2, 0.55**2, 0.55**2, 0.2**2)
    assert found.brier.value == pytest.approx(sum(errors) / 4)
    # Likeliest are Complex, Standard, Standard, Complex: recall 1 of Standard and Complex, 0 of Ambiguous.
    assert found.policy_accuracy.value == pytest.approx(0.75)
    assert found.balanced_accuracy.value == pytest.approx(2 / 3)
    assert found.majority == 0.5


def test_the_likeliest_policy_counts_whatever_the_operating_point() -> None:
    found = only(measured([candidate("never up", RIGHT, threshold=0.9)], FOUR))

    assert found.large_share == 0.0
    assert found.policy_accuracy.value == pytest.approx(0.75)
    # Nothing is decided to be Complex, so that b alone has its recorded policy.
    assert found.decided_accuracy.value == pytest.approx(0.25)
    assert found.accuracy.value == pytest.approx(0.25)


def test_the_baselines_of_four_rows_are_those_worked_out_by_hand() -> None:
    rows = [attrs.evolve(row, query=Query("x" * (at + 1))) for at, row in enumerate(FOUR)]
    payoff = measured([candidate("peeking", lambda text: {1: 0.8, 2: 0.1, 3: -0.1, 4: 0.8}[len(text)])], rows)
    accuracy = {each.name: each.accuracy.value for each in payoff.baselines}
    ranking = {each.name: each.apgr.value for each in payoff.baselines if each.apgr is not None}

    assert accuracy == pytest.approx(
        {
            "always medium": 0.25,
            "always large": 0.75,
            "oracle": 0.75,
            # Half of the calls, as the candidate makes: the longest two, of which d gains; or any two.
            "prompt length": 0.5,
            "random": 0.5,
        }
    )
    # By length d, c, b, a go up in turn: 0, 1/2, 1/2, 1/2, 1.
    assert ranking == pytest.approx({"prompt length": 0.5, "random": 0.5, "oracle": 0.75})


def test_differences_are_those_of_the_metrics_on_the_same_resamples() -> None:
    rows = simulated(200)
    better, worse = noisy(rows, 0.6), noisy(rows, 0.2, seed=2)
    payoff = measured([candidate("better", better), candidate("worse", worse)], rows)
    scored = score_rows(candidate("better", better).router, rows)

    expected = apgr_difference(
        [better[row.id] for row in rows],
        [worse[row.id] for row in rows],
        scored.medium,
        scored.large,
        resamples=300,
    )
    found = payoff.difference("better", "worse")
    assert found == expected
    backwards = payoff.difference("worse", "better")
    assert backwards is not None
    assert (backwards.low, backwards.high) == pytest.approx((-expected.high, -expected.low))
    error = calibration_interval(scored.confidence, scored.hit, resamples=300)
    figures = payoff.figures("better")
    assert isinstance(figures, Figures)
    assert (figures.calibration_error.low, figures.calibration_error.high) == (error.low, error.high)


CELLS = ("IC", "CC", "II", "CI", "IC", "AC", "AA")


@settings(max_examples=10)
@given(st.lists(st.floats(-0.9, 0.9), min_size=len(CELLS), max_size=len(CELLS)))
def test_the_reversed_ranking_has_the_rest_of_the_apgr(gains: list[float]) -> None:
    rows = [example(str(at), cell) for at, cell in enumerate(CELLS)]
    ahead = {row.id: gain for row, gain in zip(rows, gains, strict=True)}
    back = {name: -gain for name, gain in ahead.items()}

    payoff = measure([candidate("ahead", ahead), candidate("back", back)], rows, resamples=50, timed=0)

    assert apgr_of(payoff, "ahead") + apgr_of(payoff, "back") == pytest.approx(1.0)


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_identical_candidates_cannot_be_told_apart(seed: int) -> None:
    rows = simulated(40, seed)
    gains = noisy(rows, 0.4)
    payoff = measure(
        [candidate("one", gains), candidate("same", gains)], rows, resamples=20, seed=seed, timed=0
    )

    for metric in ("APGR", "accuracy", "calibration error"):
        found = payoff.difference("one", "same", metric)
        assert found is not None
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_constant_candidate_is_exactly_random() -> None:
    payoff = measured([candidate("constant", lambda text: 0.2)], simulated(60))

    found = payoff.difference("constant", "random")
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.0, 0.0, 0.0))
    assert only(payoff).confidence.deviation == pytest.approx(0.0)


def test_ties_at_the_edge_of_a_share_count_in_proportion() -> None:
    assert top_share([3.0, 1.0, 2.0, 2.0], 0.5).tolist() == [1.0, 0.0, 0.5, 0.5]
    assert top_share([1.0, 1.0], 0.0).tolist() == [0.0, 0.0]
    assert top_share([1.0, 2.0], 1.0).tolist() == [1.0, 1.0]


def test_balanced_accuracy_leaves_out_policies_that_a_resample_lacks() -> None:
    recorded = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    statistic = recall_statistic([0, 1, 1], recorded)

    assert statistic(np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0], [1.0, 2.0, 0.0]])) == pytest.approx(
        [0.75, 1.0, 1 / 3]
    )


def test_many_statistics_are_drawn_as_each_alone() -> None:
    ours, theirs = mean_statistic(np.arange(7.0)), mean_statistic(np.arange(7.0) ** 2)

    both = bootstrap_many((ours, theirs), 7, resamples=11, seed=3)

    assert both[0].tolist() == bootstrap_values(ours, 7, resamples=11, seed=3).tolist()
    assert both[1].tolist() == bootstrap_values(theirs, 7, resamples=11, seed=3).tolist()
    with pytest.raises(MetricError, match="rows"):
        bootstrap_many((ours,), 0)


def test_scores_count_as_chances() -> None:
    scored = score_rows(candidate("x", RIGHT).router, [scored_row("a", 0.25, 0.25)])

    # Standard: medium right. Complex: medium wrong, large right. Ambiguous: both wrong.
    assert scored.recorded.tolist() == [pytest.approx([0.25, 0.375, 0.375])]
    assert scored.hit.tolist() == pytest.approx([0.375])


def test_three_tiers_are_ranked_between_the_cheapest_and_the_dearest() -> None:
    tiers = (Tier("small", "s"), Tier("medium", "m"), Tier("large", "l"))
    names = tuple(tier.model for tier in tiers)
    rows = [example(name, cell, names) for name, cell in zip("abc", ("ICC", "IIC", "CCC"), strict=True)]
    sure = {"a": "ICC", "b": "IIC", "c": "CCC"}
    router = make_router(
        lambda query: {sure[query.text[9]]: 1.0},
        tiers=tiers,
        point=OperatingPoint((0.0, 0.5)),
        host=HOST,
    )
    payoff = measured([Candidate("sure", attrs.evolve(router, training_hashes=lambda: LEARNED))], rows)
    scored = score_rows(router, rows)

    assert scored.medium.tolist() == [0.0, 0.0, 1.0]
    assert scored.large.tolist() == [1.0, 1.0, 1.0]
    assert scored.large_called.tolist() == [False, True, False]

    # All climb the first step, and b the second; small is right on c, medium on a and c, large on all.
    assert only(payoff).accuracy.value == 1.0
    assert only(payoff).tier_shares == pytest.approx((0.0, 2 / 3, 1 / 3))
    # The dearest gains over the cheapest on a and b alone: 0, 1/2, 1, 1 of the gap.
    assert apgr_of(payoff, "sure") == pytest.approx(2 / 3)
    accuracy = {each.name: each.accuracy.value for each in payoff.baselines}
    assert accuracy["always medium"] == pytest.approx(2 / 3)
    oracle = payoff.figures("oracle")
    assert (oracle.accuracy.value, oracle.large_share) == pytest.approx((1.0, 1 / 3))


def test_times_are_taken_alone_and_in_a_batch() -> None:
    def slow(text: str) -> float:
        time.sleep(0.002)
        return 0.1

    timing = only(measure([candidate("slow", slow)], simulated(6, seed=3), resamples=5, timed=3)).timing

    assert timing is not None
    assert timing.median_ms >= 2.0
    assert (timing.decisions, timing.batch) == (3, 6)
    assert timing.batch_per_s < 500.0


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(5, 60))
def test_what_is_said_of_calibration_holds_its_value(seed: int, count: int) -> None:
    rows = simulated(count, seed)
    candidates = [candidate("one", noisy(rows, 0.6)), candidate("other", noisy(rows, 0.2, seed=2))]

    payoff = measure(candidates, rows, resamples=30, seed=seed, timed=0)

    for figures in payoff.candidates:
        found = figures.calibration_error
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    ahead = payoff.difference("one", "other", "calibration error")
    assert ahead is not None
    assert -1.0 <= ahead.low <= ahead.value <= ahead.high <= 1.0


def test_the_record_is_the_same_each_time_but_for_times_and_reads_back() -> None:
    rows = simulated(50)
    candidates = [candidate("SFT", noisy(rows, 0.5)), candidate("linear", noisy(rows, 0.4, seed=5))]

    def without_times(payoff: Payoff) -> Payoff:
        return attrs.evolve(
            payoff, candidates=tuple(attrs.evolve(each, timing=None) for each in payoff.candidates)
        )

    once, again = (measure(candidates, rows, resamples=20, timed=2) for _ in range(2))
    text = json.dumps(to_record(once, verdict(once)), allow_nan=False)

    assert from_record(json.loads(text)) == once
    assert to_record(without_times(once)) == to_record(without_times(again))
    with pytest.raises(ConfigError, match="schema_version"):
        from_record({"schema_version": 2})


def test_a_record_of_rows_without_a_gap_is_json_too() -> None:
    payoff = measured([candidate("x", RIGHT)], [example(name, "CC") for name in "abcd"])

    text = json.dumps(to_record(payoff, verdict(payoff)), allow_nan=False)

    assert from_record(json.loads(text)) == payoff


def test_the_size_of_a_checkpoint_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "router.json").write_bytes(b"12345")
    (tmp_path / "model" / "weights").write_bytes(b"123")

    assert checkpoint_bytes(tmp_path) == 8
    with pytest.raises(ConfigError, match="no folder"):
        checkpoint_bytes(tmp_path / "router.json")
