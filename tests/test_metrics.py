from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routesdk.errors import MetricError
from routesdk.metrics import (
    accuracy,
    accuracy_by,
    apgr,
    apgr_difference,
    apgr_interval,
    bootstrap_interval,
    bootstrap_values,
    brier_score,
    calibration_interval,
    deferral_curve,
    expected_calibration_error,
    mean_interval,
    perfect_calibration_error,
    pgr,
    routed_quality,
    summarise,
)
from routesdk.metrics.curves import apgr_statistic
from routesdk.metrics.intervals import mean_statistic

QUALITY = st.sampled_from([0.0, 0.25, 0.5, 1.0])
ROW = st.tuples(st.integers(-3, 3), QUALITY, QUALITY)
ROWS = st.lists(ROW, min_size=2, max_size=40).filter(
    lambda rows: sum(large - medium for _, medium, large in rows) > 0
)
FORECASTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.sampled_from([0, 1])), min_size=1
)


def simulated(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a useful score, and two models' grades."""
    rng = np.random.default_rng(seed)
    medium = (rng.random(rows) < 0.5).astype(float)
    large = (rng.random(rows) < 0.7).astype(float)
    return large - medium + rng.normal(size=rows), medium, large


def brute_force_apgr(score: list[float], medium: list[float], large: list[float]) -> float:
    """Average the trapezoids over all orders that the score allows."""
    rows = range(len(score))
    areas = []
    for order in itertools.permutations(rows):
        if any(score[a] < score[b] for a, b in itertools.pairwise(order)):
            continue
        called = [sum(medium)]
        for row in order:
            called.append(called[-1] + large[row] - medium[row])
        recovered = [(value - called[0]) / (called[-1] - called[0]) for value in called]
        areas.append(sum(a + b for a, b in itertools.pairwise(recovered)) / 2 / len(score))
    return sum(areas) / len(areas)


@given(ROWS.filter(lambda rows: len(rows) <= 6))
def test_apgr_is_the_mean_over_the_orders_that_the_score_allows(rows: list[tuple[int, float, float]]) -> None:
    score, medium, large = (list(column) for column in zip(*rows, strict=True))

    assert apgr(score, medium, large) == pytest.approx(brute_force_apgr(score, medium, large))


@given(ROWS)
def test_a_constant_score_has_exactly_the_apgr_of_random_ranking(
    rows: list[tuple[int, float, float]],
) -> None:
    _, medium, large = zip(*rows, strict=True)

    assert apgr([7.0] * len(rows), medium, large) == pytest.approx(0.5, abs=1e-12)


@given(ROWS)
def test_no_ranking_beats_the_true_gain(rows: list[tuple[int, float, float]]) -> None:
    score, medium, large = (np.array(column, dtype=float) for column in zip(*rows, strict=True))

    assert apgr(large - medium, medium, large) >= apgr(score, medium, large) - 1e-12


@given(ROWS, st.randoms(use_true_random=False))
def test_apgr_depends_on_no_order_and_on_ranks_alone(
    rows: list[tuple[int, float, float]], rng: object
) -> None:
    score, medium, large = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    order = list(range(len(rows)))
    rng.shuffle(order)  # type: ignore[attr-defined]

    expected = apgr(score, medium, large)

    assert apgr(score[order], medium[order], large[order]) == pytest.approx(expected)
    assert apgr(np.exp(score), medium, large) == pytest.approx(expected)


@given(ROWS)
def test_the_reversed_ranking_has_the_opposite_apgr(rows: list[tuple[int, float, float]]) -> None:
    score, medium, large = (np.array(column, dtype=float) for column in zip(*rows, strict=True))

    assert apgr(score, medium, large) + apgr(-score, medium, large) == pytest.approx(1.0)


@given(ROWS)
def test_the_deferral_curve_runs_from_medium_to_large_and_its_area_gives_apgr(
    rows: list[tuple[int, float, float]],
) -> None:
    score, medium, large = (np.array(column, dtype=float) for column in zip(*rows, strict=True))

    curve = deferral_curve(score, medium, large)

    assert (curve.share_large[0], curve.share_large[-1]) == (0.0, pytest.approx(1.0))
    assert curve.at(0) == pytest.approx(medium.mean())
    assert curve.at(1) == pytest.approx(large.mean())
    gap = large.mean() - medium.mean()
    assert (curve.area() - medium.mean()) / gap == pytest.approx(apgr(score, medium, large))
    assert len(curve.quality) == len(set(score.tolist())) + 1


def test_pgr_is_0_for_medium_only_and_1_for_large_only() -> None:
    medium, large = np.array([1.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])

    assert pgr(np.zeros(4, dtype=bool), medium, large) == 0.0
    assert pgr(np.ones(4, dtype=bool), medium, large) == 1.0
    assert pgr(np.array([False, True, True, False]), medium, large) == 2.0
    assert routed_quality(np.array([True, False, True, False]), medium, large).tolist() == [1, 0, 1, 1]


def test_accuracy_is_the_mean_overall_and_by_group() -> None:
    assert accuracy([1, 0, 0.5, 1]) == 0.625
    assert accuracy_by([1, 0, 0.5, 1], ["b", "a", "a", "b"]) == {"a": 0.25, "b": 1.0}


@given(FORECASTS)
def test_the_brier_score_is_scikit_learns(forecasts: list[tuple[float, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    probability, outcome = zip(*forecasts, strict=True)

    theirs = metrics.brier_score_loss(outcome, probability, pos_label=1, labels=[0, 1])

    assert brier_score(probability, outcome) == pytest.approx(theirs)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 20))
def test_a_prediction_equal_to_the_outcome_has_no_error(values: list[float], bins: int) -> None:
    assert expected_calibration_error(values, values, bins=bins) == pytest.approx(0.0, abs=1e-12)
    assert brier_score(values, values) == 0.0


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_bins_that_divide_the_rows_give_the_textbook_error(bins: int, per_bin: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probability = np.sort(rng.random(bins * per_bin))
    outcome = (rng.random(bins * per_bin) < probability).astype(float)

    gaps = [
        abs(chunk.mean() - happened.mean()) / bins
        for chunk, happened in zip(np.split(probability, bins), np.split(outcome, bins), strict=True)
    ]

    assert expected_calibration_error(probability, outcome, bins=bins) == pytest.approx(sum(gaps))


@given(FORECASTS, st.randoms(use_true_random=False))
def test_calibration_error_depends_on_no_order_and_lies_below_1(
    forecasts: list[tuple[float, int]], rng: object
) -> None:
    shuffled = list(forecasts)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]

    error = expected_calibration_error(*zip(*forecasts, strict=True))

    assert expected_calibration_error(*zip(*shuffled, strict=True)) == pytest.approx(error)
    assert -1e-12 <= error <= 1.0


def test_one_bin_measures_the_mean_and_more_bins_than_rows_measure_each_row() -> None:
    assert expected_calibration_error([0.2, 0.4], [1, 1], bins=1) == pytest.approx(0.7)
    assert expected_calibration_error([0.2, 0.9], [1, 1], bins=99) == pytest.approx((0.8 + 0.1) / 2)


def test_a_calibrated_predictor_stays_below_its_percentile_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(400)
    limit = perfect_calibration_error(probability, simulations=1000, seed=2)

    below = [
        expected_calibration_error(probability, rng.random(400) < probability) <= limit.value
        for _ in range(400)
    ]

    # Four standard deviations of a share of 400 draws at 0.95.
    assert abs(np.mean(below) - 0.95) < 0.045
    assert (limit.percentile, limit.bins, limit.rows, limit.simulations, limit.seed) == (
        95.0,
        15,
        400,
        1000,
        2,
    )
    assert limit.mean < limit.value
    assert expected_calibration_error(np.sqrt(probability), rng.random(400) < probability) > limit.value


@pytest.mark.parametrize("ties", [True, False])
def test_the_statistic_of_counts_is_the_metric_of_repeated_rows(ties: bool) -> None:
    score, medium, large = simulated(50)
    score = np.round(score) if ties else score
    counts = np.bincount(np.random.default_rng(3).integers(0, 50, 50), minlength=50)
    drawn = np.repeat(np.arange(50), counts)

    ours = apgr_statistic(score, medium, large)(counts[None, :].astype(float))

    assert ours[0] == pytest.approx(apgr(score[drawn], medium[drawn], large[drawn]))


def test_an_interval_records_how_it_came_about_and_repeats() -> None:
    score, medium, large = simulated(300)

    interval = apgr_interval(score, medium, large, resamples=500, seed=4, level=0.9)

    assert interval == apgr_interval(score, medium, large, resamples=500, seed=4, level=0.9)
    assert (interval.metric, interval.resamples, interval.seed, interval.level) == ("APGR", 500, 4, 0.9)
    assert (interval.rows, interval.undefined) == (300, 0)
    assert interval.low < interval.value == apgr(score, medium, large) < interval.high


def test_a_mean_interval_agrees_with_the_normal_one() -> None:
    values = np.random.default_rng(5).normal(3.0, 2.0, 2000)
    half_width = 1.96 * values.std() / np.sqrt(2000)

    interval = mean_interval(values)

    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half_width, abs=0.1 * half_width)
    assert interval.high == pytest.approx(values.mean() + half_width, abs=0.1 * half_width)


def test_a_paired_difference_is_narrower_than_two_independent_ones() -> None:
    score, medium, large = simulated(500)
    slightly_worse = score + np.random.default_rng(6).normal(scale=0.3, size=500)

    paired = apgr_difference(score, slightly_worse, medium, large, resamples=400)
    ours = bootstrap_values(apgr_statistic(score, medium, large), 500, resamples=400, seed=0)
    theirs = bootstrap_values(apgr_statistic(slightly_worse, medium, large), 500, resamples=400, seed=1)

    unpaired = summarise("difference", 0.0, ours - theirs, rows=500, seed=0)
    assert paired.value == pytest.approx(apgr(score, medium, large) - apgr(slightly_worse, medium, large))
    assert paired.high - paired.low < unpaired.high - unpaired.low
    same = apgr_difference(score, score, medium, large, resamples=50)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_resamples_without_a_gap_are_counted() -> None:
    medium = np.zeros(20)
    large = np.zeros(20)
    large[:2] = 1.0

    interval = apgr_interval(np.arange(20.0), medium, large, resamples=1000)

    # A resample misses both rows with probability 0.9**20 = 0.12.
    assert 60 < interval.undefined < 190


def test_an_interval_of_which_half_the_resamples_are_undefined_is_refused() -> None:
    medium, large = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0])
    rare = np.zeros(60)
    rare[0] = 1.0

    with pytest.raises(MetricError, match="resamples"):
        bootstrap_interval(
            "rare",
            lambda counts: np.where(counts[:, 0] > 3, 1.0, np.nan) if len(counts) > 1 else np.ones(1),
            60,
        )
    assert apgr_interval([1, 2, 3, 4], medium, large, resamples=200).undefined > 0


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 60), st.floats(0.2, 3.0))
def test_a_calibration_interval_holds_the_error_of_few_rows_too(seed: int, rows: int, bent: float) -> None:
    # The percentile interval does not: resamples are noisier than rows, and noise only raises the error.
    rng = np.random.default_rng(seed)
    probability = rng.random(rows)

    found = calibration_interval(probability, rng.random(rows) < probability**bent, resamples=50)

    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


def test_a_calibration_interval_holds_the_error() -> None:
    rng = np.random.default_rng(7)
    probability = rng.random(500)

    interval = calibration_interval(probability, rng.random(500) < probability**2, resamples=300)

    assert interval.low < interval.value < interval.high


@pytest.mark.parametrize(
    ("score", "medium", "large", "problem"),
    [
        ([], [], [], "empty"),
        ([1.0], [0.0], [0.0], "no better"),
        ([1.0, 2.0], [1.0, 0.0], [0.0, 1.0], "no better"),
        ([1.0, 2.0], [1.0, 1.0], [0.0, 1.0], "no better"),
        ([1.0, np.nan], [0.0, 0.0], [1.0, 1.0], "score is nan in row 1"),
        ([1.0, 2.0], [0.0, np.nan], [1.0, 1.0], "medium is nan in row 1"),
        ([1.0, 2.0], [0.0, 0.0], [1.0, 1.5], "large is 1.5 in row 1, outside 0 to 1"),
        ([1.0, 2.0], [0.0], [1.0, 1.0], "differ in rows: score 2, medium 1, large 2"),
        (["a", "b"], [0.0, 0.0], [1.0, 1.0], "not numbers"),
        ([[1.0], [2.0]], [0.0, 0.0], [1.0, 1.0], "shape"),
    ],
)
def test_apgr_of_what_has_none_is_an_error(score: list, medium: list, large: list, problem: str) -> None:
    with pytest.raises(MetricError, match=problem) as caught:
        apgr(score, medium, large)
    assert caught.value.metric == "APGR"
    with pytest.raises(MetricError, match=problem):
        apgr_interval(score, medium, large)


def test_other_metrics_refuse_bad_input_too() -> None:
    with pytest.raises(MetricError, match="not booleans"):
        pgr([0.4, 0.6], [0, 0], [1, 1])
    with pytest.raises(MetricError, match="no better"):
        pgr(np.array([True]), [1], [1])
    with pytest.raises(MetricError, match="differ in rows"):
        accuracy_by([1, 0], ["a"])
    with pytest.raises(MetricError, match="empty"):
        accuracy([])
    with pytest.raises(MetricError, match="outside 0 to 1"):
        brier_score([1.2], [1])
    for wrong in (0, -1, 2.5, True, "5"):
        with pytest.raises(MetricError, match=r"bins is .*, not a whole number"):
            expected_calibration_error([0.5], [1], bins=wrong)  # type: ignore[arg-type]
        with pytest.raises(MetricError, match=r"resamples is .*, not a whole number"):
            mean_interval([0.5], resamples=wrong)  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="percentile"):
        perfect_calibration_error([0.5], percentile=101)
    with pytest.raises(MetricError, match="simulations"):
        perfect_calibration_error([0.5], simulations=0)
    with pytest.raises(MetricError, match="level"):
        mean_interval([0.5], level=1)
    with pytest.raises(MetricError, match="resamples"):
        mean_interval([0.5], resamples=0)
    with pytest.raises(MetricError, match="rows"):
        bootstrap_interval("mean", mean_statistic([1.0]), 0)
    with pytest.raises(MetricError, match="outside 0 to 1"):
        deferral_curve([1.0], [0], [1]).at(1.1)
    with pytest.raises(MetricError, match="no value on these"):
        summarise("mean", float("nan"), np.ones(3), rows=3, seed=0)
