"""Every statistic of counts is its metric on repeated rows, and equals what others compute."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routesdk.metrics import (
    Statistic,
    accuracy_by,
    aiq,
    aiq_statistic,
    apgr,
    apgr_statistic,
    arena_score,
    arena_statistic,
    aurc,
    aurc_statistic,
    auroc,
    auroc_statistic,
    bootstrap_band,
    bootstrap_curves,
    bootstrap_interval,
    bootstrap_many,
    brier_score,
    brier_statistic,
    calibration_statistic,
    correct_given_attempted_statistic,
    cpt,
    cpt_statistic,
    deferral_area,
    deferral_area_statistic,
    deferral_curve,
    deferral_curve_statistic,
    difference_statistic,
    expected_calibration_error,
    f1_statistic,
    factuality,
    group_statistics,
    mean_statistic,
    oracle_gap_closed,
    oracle_gap_statistic,
    percentile_statistic,
    pgr,
    pgr_statistic,
    quantile_curve,
    ratio_statistic,
    reliability_band,
    reliability_curve,
    reliability_statistic,
    risk_coverage_curve,
    robustness_statistic,
    routed_cost,
    routed_quality,
    saved_share,
    saved_share_statistic,
    share_statistics,
    shares,
)

ROWS = 60


@attrs.frozen(eq=False)
class Rows:
    """Columns of rows, with and without ties."""

    score: np.ndarray
    medium: np.ndarray
    large: np.ndarray
    called: np.ndarray
    medium_usd: np.ndarray
    large_usd: np.ndarray
    attempted: np.ndarray
    probability: np.ndarray
    topic: np.ndarray

    def take(self, rows: np.ndarray) -> Rows:
        return Rows(*(getattr(self, field.name)[rows] for field in attrs.fields(Rows)))

    @property
    def routed(self) -> np.ndarray:
        return routed_quality(self.called, self.medium, self.large)

    @property
    def paid(self) -> np.ndarray:
        return routed_cost(self.called, self.medium_usd, self.large_usd)

    @property
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        cost = np.stack([self.medium_usd, self.paid, self.large_usd], axis=1)
        return cost, np.stack([self.medium, self.routed, self.large], axis=1)


def made_up(ties: bool = False, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    medium = (rng.random(ROWS) < 0.45).astype(float)
    large = (rng.random(ROWS) < 0.75).astype(float)
    score = large - medium + rng.normal(size=ROWS)
    probability = rng.random(ROWS)
    return Rows(
        score=np.round(score) if ties else score,
        medium=medium,
        large=large,
        called=score > 0.3,
        medium_usd=rng.random(ROWS) / 1000,
        large_usd=rng.random(ROWS) / 50,
        attempted=np.maximum(large, (rng.random(ROWS) < 0.6).astype(float)),
        probability=np.round(probability, 1) if ties else probability,
        topic=np.array(["art", "science", "sports"])[rng.integers(0, 3, ROWS)],
    )


def _mean_aiq(rows: Rows) -> float:
    cost, quality = rows.points
    return aiq(cost.mean(axis=0), quality.mean(axis=0))


METRICS: dict[str, tuple[Callable[[Rows], float], Callable[[Rows], Statistic]]] = {
    "APGR": (
        lambda r: apgr(r.score, r.medium, r.large),
        lambda r: apgr_statistic(r.score, r.medium, r.large),
    ),
    "PGR": (
        lambda r: pgr(r.called, r.medium, r.large),
        lambda r: pgr_statistic(r.called, r.medium, r.large),
    ),
    "CPT(0)": (
        lambda r: cpt(r.score, r.medium, r.large, 0.0),
        lambda r: cpt_statistic(r.score, r.medium, r.large, 0.0),
    ),
    "CPT(50 %)": (
        lambda r: cpt(r.score, r.medium, r.large),
        lambda r: cpt_statistic(r.score, r.medium, r.large),
    ),
    "CPT(80 %)": (
        lambda r: cpt(r.score, r.medium, r.large, 0.8),
        lambda r: cpt_statistic(r.score, r.medium, r.large, 0.8),
    ),
    "CPT(100 %)": (
        lambda r: cpt(r.score, r.medium, r.large, 1.0),
        lambda r: cpt_statistic(r.score, r.medium, r.large, 1.0),
    ),
    "deferral area": (
        lambda r: deferral_area(r.score, r.medium, r.large),
        lambda r: deferral_area_statistic(r.score, r.medium, r.large),
    ),
    "AUROC": (lambda r: auroc(r.score, r.large), lambda r: auroc_statistic(r.score, r.large)),
    "AURC": (lambda r: aurc(r.probability, r.large), lambda r: aurc_statistic(r.probability, r.large)),
    "Brier": (
        lambda r: brier_score(r.probability, r.large),
        lambda r: brier_statistic(r.probability, r.large),
    ),
    "ECE": (
        lambda r: expected_calibration_error(r.probability, r.large, bins=5),
        lambda r: calibration_statistic(r.probability, r.large, bins=5),
    ),
    "oracle gap": (
        lambda r: oracle_gap_closed(r.routed, [r.medium, r.large]),
        lambda r: oracle_gap_statistic(r.routed, [r.medium, r.large]),
    ),
    "AIQ": (_mean_aiq, lambda r: aiq_statistic(*r.points)),
    "arena": (
        lambda r: arena_score(float(r.routed.mean()), float(r.paid.mean() * 1000)),
        lambda r: arena_statistic(r.routed, r.paid),
    ),
    "saved": (
        lambda r: saved_share(r.paid, r.large_usd),
        lambda r: saved_share_statistic(r.paid, r.large_usd),
    ),
    "correct given attempted": (
        lambda r: factuality(r.large, r.attempted).correct_given_attempted,
        lambda r: correct_given_attempted_statistic(r.large, r.attempted),
    ),
    "F1": (
        lambda r: factuality(r.large, r.attempted).f1,
        lambda r: f1_statistic(r.large, r.attempted),
    ),
    "a topic": (
        lambda r: accuracy_by(r.large, r.topic.tolist())["science"],
        lambda r: group_statistics(r.large, r.topic.tolist())["science"],
    ),
    "a share": (
        lambda r: shares(r.topic.tolist())["art"],
        lambda r: share_statistics(r.topic.tolist())["art"],
    ),
    "90th percentile": (
        lambda r: float(np.percentile(r.large_usd, 90)),
        lambda r: percentile_statistic(r.large_usd, 90),
    ),
    "robustness": (
        lambda r: float(((r.called == (r.score > 0)).mean() + (r.called == (r.score > 1)).mean()) / 2),
        lambda r: robustness_statistic(
            [str(c) for c in r.called], {f"{at}": [str(s > at) for s in r.score] for at in (0, 1)}
        ),
    ),
}


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("name", METRICS)
def test_the_statistic_of_counts_is_the_metric_of_repeated_rows(name: str, ties: bool) -> None:
    metric, prepare = METRICS[name]
    rows = made_up(ties)
    statistic = prepare(rows)
    rng = np.random.default_rng(1)
    counts = np.array([np.bincount(rng.integers(0, ROWS, ROWS), minlength=ROWS) for _ in range(20)])

    values = statistic(counts.astype(float))

    expected = [metric(rows.take(np.repeat(np.arange(ROWS), each))) for each in counts]
    assert values == pytest.approx(expected)
    assert statistic(np.ones((1, ROWS)))[0] == pytest.approx(metric(rows))
    assert len(set(np.round(values, 9))) > 1 or name == "CPT(0)"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_an_interval_on_the_shared_resamples(name: str) -> None:
    statistic = METRICS[name][1](made_up())

    interval = bootstrap_interval(name, statistic, ROWS, resamples=300, seed=2)
    (values,) = bootstrap_many((statistic,), ROWS, resamples=300, seed=2)

    low, high = np.nanquantile(values, [0.025, 0.975])
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    assert interval.low <= interval.value <= interval.high


SCORED = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.booleans()), min_size=2).filter(
    lambda rows: len({happened for _, happened in rows}) == 2
)


@given(SCORED)
def test_auroc_is_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    score, happened = zip(*rows, strict=True)

    assert auroc(score, happened) == pytest.approx(metrics.roc_auc_score(happened, score), abs=1e-12)


def test_brier_score_and_auroc_of_many_rows_are_scikit_learns() -> None:
    # sklearn.metrics.brier_score_loss and roc_auc_score (scikit-learn 1.9.1) on these rows, on 2026-11-26.
    row = np.arange(1000)
    probability = ((row * 7919) % 1009) / 1009
    happened = (row * 31 + row // 7) % 10 < 10 * probability

    assert brier_score(probability, happened) == pytest.approx(0.17093155947316568, abs=1e-12)
    assert auroc(np.round(probability, 1), happened) == pytest.approx(0.8246098677992366, abs=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_cpt_is_the_first_share_that_recovers_so_much(seed: int, recovered: float) -> None:
    rows = made_up(seed=seed)
    if rows.large.sum() <= rows.medium.sum():
        return
    curve = deferral_curve(rows.score, rows.medium, rows.large)
    wanted = rows.medium.mean() + recovered * (rows.large.mean() - rows.medium.mean())

    share = cpt(rows.score, rows.medium, rows.large, recovered)

    assert curve.at(min(share, 1.0)) == pytest.approx(wanted)
    before = np.linspace(0, share, 50, endpoint=False)
    assert max(curve.at(each) for each in before) < wanted + 1e-9


def test_cpt_of_one_score_for_all_is_the_share_that_is_recovered() -> None:
    rows = made_up()
    assert cpt(np.zeros(ROWS), rows.medium, rows.large, 0.3) == pytest.approx(0.3)


def test_the_area_under_the_deferral_curve_is_that_of_the_curve_and_gives_apgr() -> None:
    rows = made_up(ties=True)
    area = deferral_area(rows.score, rows.medium, rows.large)

    gap = rows.large.mean() - rows.medium.mean()
    assert (area - rows.medium.mean()) / gap == pytest.approx(apgr(rows.score, rows.medium, rows.large))
    # It is defined where the large model is no better, too.
    assert 0 < deferral_area(rows.score, rows.large, rows.medium) < 1


@pytest.mark.parametrize("grades", ["AABCC", "CCC", "BBC", "A", "AAB" * 5 + "C", "ABCABBA"])
def test_factuality_is_what_simple_evals_computes(grades: str) -> None:
    # As `simpleqa_eval.py` has it: shares of the letters, and both quotients 0 where they have no value.
    correct, incorrect = (grades.count(letter) / len(grades) for letter in "AB")
    attempted = correct + incorrect
    given_attempted = correct / attempted if attempted > 0 else 0
    both = given_attempted + correct
    f1 = 2 * given_attempted * correct / both if both > 0 else 0

    found = factuality([letter == "A" for letter in grades], [letter != "C" for letter in grades])

    assert found.correct == pytest.approx(correct)
    assert found.incorrect == pytest.approx(incorrect)
    assert found.not_attempted == pytest.approx(grades.count("C") / len(grades))
    assert found.correct_given_attempted == pytest.approx(given_attempted)
    assert found.f1 == pytest.approx(f1)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0, 0.2), (1, 0.5), (2, 0.4), (3, 0.7), (5, 0.65)], 0.59),
        ([(0, 0.3), (0.2, 0.32), (0.5, 0.6), (0.9, 0.62), (1.4, 0.8), (2, 0.79)], 0.6675),
        ([(0, 0.1), (1, 0.2), (2, 0.3), (4, 0.9), (8, 0.7)], 0.7),
    ],
)
def test_aiq_is_routerbenchs_where_the_cheapest_point_is_free(
    points: list[tuple[float, float]], expected: float
) -> None:
    # Printed by `evaluation/AIQ.py` of github.com/withmartian/routerbench on 2026-11-26.
    cost, quality = zip(*points, strict=True)

    assert aiq(cost, quality) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("accuracy", "usd_per_1000", "listed"),
    [(0.6688, 0.15, 66.89), (0.6809, 0.54, 66.66), (0.6634, 0.21, 66.12), (0.7396, 10.02, 64.32)],
)
def test_the_arena_score_is_what_routerarena_lists(
    accuracy: float, usd_per_1000: float, listed: float
) -> None:
    # MIRT-BERT, Azure-Router, NIRT-BERT and GPT-5 in its table on 2026-11-26; costs there are in cents.
    assert arena_score(accuracy, usd_per_1000) * 100 == pytest.approx(listed, abs=0.03)


def test_the_arena_score_ends_where_its_costs_end() -> None:
    assert arena_score(0.7, 200) == 0.0
    assert arena_score(0.7, 5000) == 0.0
    assert arena_score(0.7, 0.0044) == arena_score(0.7, 0.001) == pytest.approx(1.1 * 0.7 / (0.07 + 1))
    assert arena_score(0.7, 1.0, beta=0) == pytest.approx(0.7)
    assert arena_score(0.0, 200) == 0.0
    assert math.isnan(arena_statistic([1, 0], [0, 0])(np.ones((1, 2)))[0])


def test_reliability_has_the_error_of_the_same_bins() -> None:
    for ties in (True, False):
        rows = made_up(ties)
        for bins in (1, 4, 7, 100):
            curve = reliability_curve(rows.probability, rows.large, bins=bins)
            expected = expected_calibration_error(rows.probability, rows.large, bins=bins)
            assert curve.error() == pytest.approx(expected)
            assert curve.mass.sum() == pytest.approx(ROWS)
            assert (np.diff(curve.predicted) >= -1e-12).all()


def test_a_reliability_band_holds_the_curve_and_narrows_with_rows() -> None:
    rng = np.random.default_rng(3)
    widths = []
    for size in (200, 5000):
        probability = rng.random(size)
        happened = rng.random(size) < probability
        band = reliability_band(probability, happened, bins=5, resamples=200)
        curve = reliability_curve(probability, happened, bins=5)
        assert band.value == pytest.approx(curve.observed)
        assert (band.low <= band.value).all() and (band.value <= band.high).all()
        assert (band.level, band.resamples, band.seed, band.rows) == (0.95, 200, 0, size)
        widths.append((band.high - band.low).mean())
    assert widths[1] < widths[0] / 3


def test_a_bin_that_resamples_miss_has_no_interval() -> None:
    probability = [0.0, *[1.0] * 30]

    statistic = reliability_statistic(probability, np.ones(31), bins=31)
    counts = np.ones((1, 31))
    counts[0, 0] = 0

    assert math.isnan(statistic(counts)[0, 0])
    assert not np.isnan(statistic(counts)[0, 1:]).any()


@pytest.mark.parametrize("ties", [True, False])
def test_the_curve_of_counts_is_the_curve_of_repeated_rows(ties: bool) -> None:
    rows = made_up(ties)
    grid = np.linspace(0, 1, 11)
    statistic = deferral_curve_statistic(rows.score, rows.medium, rows.large, grid)
    counts = np.bincount(np.random.default_rng(4).integers(0, ROWS, ROWS), minlength=ROWS)
    drawn = rows.take(np.repeat(np.arange(ROWS), counts))

    curve = deferral_curve(drawn.score, drawn.medium, drawn.large)

    assert statistic(counts[None, :].astype(float))[0] == pytest.approx([curve.at(share) for share in grid])


def test_a_band_is_drawn_on_the_resamples_of_the_figures() -> None:
    rows = made_up()
    ends = deferral_curve_statistic(rows.score, rows.medium, rows.large, [0.0, 1.0])

    (curves,) = bootstrap_curves((ends,), ROWS, resamples=100, seed=5)
    means = bootstrap_many(
        (mean_statistic(rows.medium), mean_statistic(rows.large)), ROWS, resamples=100, seed=5
    )
    band = bootstrap_band("curve", ends, ROWS, resamples=100, seed=5)

    assert pytest.approx(means) == curves.T
    assert (band.low, band.high) == (
        pytest.approx(np.quantile(curves, 0.025, axis=0)),
        pytest.approx(np.quantile(curves, 0.975, axis=0)),
    )


def test_risk_falls_with_coverage_where_confidence_says_something() -> None:
    curve = risk_coverage_curve([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0])

    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0.0, 1 / 3, 0.5])
    assert [curve.at(share) for share in (0.1, 0.25, 0.3, 0.75, 1.0)] == pytest.approx(
        [0, 0, 1 / 3, 1 / 3, 0.5]
    )
    # The mean over rows of the risk at least as sure: 0, 1/3, 1/3, 1/2.
    assert aurc([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0]) == pytest.approx((0 + 1 / 3 + 1 / 3 + 0.5) / 4)
    assert aurc([0.5] * 4, [1, 1, 0, 0]) == pytest.approx(0.5)


def test_quotients_have_the_value_of_nothing_that_was_asked_for() -> None:
    once = np.ones((1, 2))
    assert math.isnan(ratio_statistic([1, 1], [0, 0])(once)[0])
    assert ratio_statistic([1, 1], [0, 0], empty=0.25)(once)[0] == 0.25
    assert ratio_statistic([1, 2], [2, 4])(once)[0] == 0.5
    missing = group_statistics([1.0, 0.0], ["a", "b"])["a"](np.array([[0.0, 2.0]]))
    assert math.isnan(missing[0])


def test_quantile_curves_of_any_number_of_parts_run_from_end_to_end() -> None:
    rows = made_up(ties=True)
    for parts in (1, 3, 10, 200):
        curve = quantile_curve(rows.score, rows.medium, rows.large, parts=parts)
        assert (curve.share_large[0], curve.share_large[-1]) == (0.0, 1.0)
        assert curve.quality[0] == pytest.approx(rows.medium.mean())
        assert curve.quality[-1] == pytest.approx(rows.large.mean())


def test_a_curve_that_just_touches_the_target_has_reached_it() -> None:
    # Recovered at 0 to 5 calls: 0, 1/3, 2/3, 1/3, 2/3, 1; sums of thirds miss their mark by a rounding.
    medium = np.array([0.1, 0.1, 0.6, 0.1, 0.1])
    large = np.array([0.4, 0.4, 0.3, 0.4, 0.4])
    score = np.arange(5.0)[::-1]

    assert cpt(score, medium, large, 2 / 3) == pytest.approx(0.4)
    assert cpt_statistic(score, medium, large, 2 / 3)(np.ones((1, 5)))[0] == pytest.approx(0.4)


POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 10)), min_size=2, max_size=7).filter(
    lambda points: len({cost for cost, _ in points}) > 1
)


@given(POINTS)
def test_aiq_is_the_best_mix_of_two_points_averaged_over_costs(points: list[tuple[int, int]]) -> None:
    cost = np.array([float(one) for one, _ in points])
    quality = np.array([other / 10 for _, other in points])

    def best(most: float) -> float:
        """Return the best quality that a mix of two points gives for no more money."""
        found = [q for c, q in zip(cost, quality, strict=True) if c <= most]
        for left, low in zip(cost, quality, strict=True):
            for right, high in zip(cost, quality, strict=True):
                if left <= most < right:
                    found.append(low + (high - low) * (most - left) / (right - left))
        return max(found)

    # The curve is straight between the points' costs, so that the trapezoids are exact; just below a cost
    # that several points have, nothing jumps, but at the very first.
    corners = np.unique(cost)
    heights = np.array([best(each) for each in corners])
    area = float((heights[1:] + heights[:-1]) / 2 @ np.diff(corners))

    assert aiq(cost, quality) == pytest.approx(area / (corners[-1] - corners[0]))
    tables = [np.tile(each, (3, 1)) for each in (cost, quality)]
    assert aiq_statistic(*tables)(np.ones((1, 3)))[0] == pytest.approx(aiq(cost, quality))


def test_a_difference_of_statistics_is_drawn_in_pairs() -> None:
    rows = made_up()
    ours, theirs = (apgr_statistic(each, rows.medium, rows.large) for each in (rows.score, rows.probability))

    values = bootstrap_many((ours, theirs, difference_statistic(ours, theirs)), ROWS, resamples=50)

    assert values[2] == pytest.approx(values[0] - values[1], nan_ok=True)
