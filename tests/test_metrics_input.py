"""Metrics by hand, and what they say of input that has no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from routesdk.errors import MetricError
from routesdk.metrics import (
    TARGETS,
    Standing,
    aiq,
    aiq_statistic,
    apgr,
    arena_score,
    arena_statistic,
    aurc,
    auroc,
    bootstrap_band,
    brier_statistic,
    confusion,
    cost_curve,
    cost_per_query,
    cpt,
    cpt_statistic,
    deferral_area,
    deferral_curve,
    deferral_curve_statistic,
    f1_statistic,
    factuality,
    group_statistics,
    oracle_gap_closed,
    percentile_statistic,
    percentiles,
    quantile_curve,
    ratio_statistic,
    recognition,
    reliability_curve,
    risk_coverage_curve,
    robustness,
    robustness_statistic,
    routed_cost,
    saved_share,
    share_statistics,
    shares,
    token_cost,
    total_cost,
    unchanged,
)

NAN = float("nan")
GRADES = [0.0, 1.0]
ONCE = np.ones((1, 2))

PAIRS: dict[str, Callable[[Any, Any], object]] = {
    "AUROC": auroc,
    "AURC": aurc,
    "risk-coverage": risk_coverage_curve,
    "reliability": reliability_curve,
    "Brier": brier_statistic,
    "factuality": lambda one, other: factuality(other, one),
    "F1": lambda one, other: f1_statistic(other, one),
    "AIQ": aiq,
    "cost curve": cost_curve,
    "saved share": saved_share,
    "ratio": ratio_statistic,
    "arena": lambda one, other: arena_statistic(other, one),
    "oracle gap": lambda one, other: oracle_gap_closed(one, [other]),
    "deferral area": lambda one, other: deferral_area(one, other, other),
    "deferral curve": lambda one, other: deferral_curve_statistic(one, other, other, [0.5]),
    "quantile curve": lambda one, other: quantile_curve(one, other, other),
    "CPT": lambda one, other: cpt(one, other, np.ones(len(other))),
    "routed cost": lambda one, other: routed_cost(np.ones(len(one), dtype=bool), one, other),
    "token cost": lambda one, other: token_cost(
        one, other, input_usd_per_million=1, output_usd_per_million=2
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ([], [], "empty"),
        ([0.5, NAN], GRADES, "nan in row 1|nan"),
        ([0.5, 0.6], [0.0, NAN], "nan"),
        ([0.5, float("inf")], GRADES, "inf"),
        ([0.5, 0.6], [1.0], "differ in rows"),
        (["high", "low"], GRADES, "not numbers"),
        ([[0.5], [0.6]], GRADES, "shape"),
        ([[0.5], [0.6, 0.7]], GRADES, "no column of numbers"),
        ([None, 0.5], GRADES, "not numbers"),
    ],
)
def test_no_metric_takes_columns_without_a_value(name: str, first: Any, second: Any, problem: str) -> None:
    with pytest.raises(MetricError, match=problem):
        PAIRS[name](first, second)


def test_one_row_has_the_metrics_that_one_row_can_have() -> None:
    assert cpt([1.0], [0.0], [1.0], 0.5) == 0.5
    assert apgr([1.0], [0.0], [1.0]) == 0.5
    assert aurc([0.9], [1]) == 0.0
    assert deferral_area([1.0], [0.0], [1.0]) == 0.5
    assert factuality([1], [1]).f1 == 1.0
    assert quantile_curve([1.0], [0.0], [1.0]).recovered() == pytest.approx(0.5)
    assert percentiles([3.0]) == {50.0: 3.0, 90.0: 3.0, 95.0: 3.0, 99.0: 3.0}
    assert reliability_curve([0.5], [1]).observed.tolist() == [1.0]
    with pytest.raises(MetricError, match="every row has the same outcome"):
        auroc([1.0], [1])
    with pytest.raises(MetricError, match="as good as the oracle"):
        oracle_gap_closed([1.0], [[1.0], [0.0]])


def test_one_score_for_all_ranks_like_chance() -> None:
    medium, large = [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0]
    same = [0.3] * 4
    assert apgr(same, medium, large) == pytest.approx(0.5)
    assert cpt(same, medium, large, 0.5) == pytest.approx(0.5)
    assert auroc(same, large) == 0.5
    assert aurc(same, large) == pytest.approx(0.25)
    assert quantile_curve(same, medium, large).recovered() == pytest.approx(0.5)
    assert len(deferral_curve(same, medium, large).quality) == 2


def test_a_large_model_that_is_no_better_has_no_gap_and_an_area() -> None:
    equal = [1.0, 0.0, 1.0]
    score = [3.0, 2.0, 1.0]
    for refuse in (cpt, apgr):
        with pytest.raises(MetricError, match="no better"):
            refuse(score, equal, equal)
    with pytest.raises(MetricError, match="no better"):
        deferral_curve(score, equal, equal).share_for(0.5)
    with pytest.raises(MetricError, match="no better"):
        deferral_curve(score, equal, equal).recovered()
    assert np.isnan(cpt_statistic(score, equal, equal)(np.ones((1, 3)))[0])
    assert deferral_area(score, equal, equal) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: cpt(GRADES, [0, 0], [1, 1], 1.2), "recovered share of 1.2 lies outside"),
        (lambda: cpt_statistic(GRADES, [0, 0], [1, 1], -0.1), "recovered share of -0.1"),
        (lambda: deferral_curve(GRADES, [0, 0], [1, 1]).share_for(NAN), "recovered share of nan"),
        (lambda: quantile_curve(GRADES, [0, 0], [1, 1], parts=0), "parts is 0"),
        (lambda: reliability_curve(GRADES, GRADES, bins=0), "bins is 0"),
        (lambda: auroc(GRADES, [0, 2]), "happened is 2 in row 1, neither 0 nor 1"),
        (lambda: factuality([1, 1], [1, 0]), "row 1 is correct and was not attempted"),
        (lambda: factuality([2, 1], [1, 1]), "outside 0 to 1"),
        (lambda: aiq([-1, 1], GRADES), "cost is negative at 0"),
        (lambda: aiq([1, 1], GRADES), "are no range"),
        (lambda: aiq([1, 2], GRADES, least_cost=3, most_cost=3), "are no range"),
        (lambda: aiq([1, 2], [0, 1.5]), "outside 0 to 1"),
        (lambda: aiq_statistic([1, 2], GRADES), r"not \(rows, points\)"),
        (lambda: aiq_statistic([[1, 2]], [[0, 1, 0]]), r"not \(rows, points\)"),
        (lambda: aiq_statistic([["a"]], [["b"]]), "not numbers"),
        (lambda: arena_score(0.5, 0), "not above 0"),
        (lambda: arena_score(0.5, NAN), "not above 0"),
        (lambda: arena_score(1.5, 1), "outside 0 to 1"),
        (lambda: arena_score(0.5, 1, beta=-1), "beta is -1"),
        (lambda: arena_statistic(GRADES, [-1, 1]), "negative in row 0"),
        (lambda: oracle_gap_closed(GRADES, []), "no models"),
        (lambda: saved_share([0, 0], [0, 0]), "costs nothing"),
        (lambda: saved_share([-1, 0], [1, 1]), "below 0"),
        (lambda: total_cost([]), "empty"),
        (lambda: cost_per_query([NAN]), "nan"),
        (lambda: routed_cost([0.4, 1], [1, 1], [2, 2]), "not booleans"),
        (lambda: routed_cost(np.array([True]), [1, 1], [2, 2]), "differ in rows"),
        (lambda: token_cost([1], [1], input_usd_per_million=-1, output_usd_per_million=1), "below 0"),
        (lambda: percentiles([1.0], [101]), "percentile of 101"),
        (lambda: percentile_statistic([1.0], -1), "percentile of -1"),
        (lambda: percentiles([]), "empty"),
        (lambda: shares([]), "no rows"),
        (lambda: share_statistics([]), "no rows"),
        (lambda: group_statistics([1.0], ["a", "b"]), "differ in rows"),
        (lambda: unchanged([], []), "no rows"),
        (lambda: unchanged(["a"], []), "1 decisions, of which 0"),
        (lambda: robustness(["a"], {}), "no perturbations"),
        (lambda: robustness_statistic(["a"], {}), "no perturbations"),
        (lambda: risk_coverage_curve(GRADES, GRADES).at(0), "coverage of 0"),
        (lambda: bootstrap_band("x", lambda counts: counts, 2, level=1), "level of 1"),
        (lambda: bootstrap_band("x", lambda counts: counts, 0), "rows is 0"),
        (lambda: deferral_curve_statistic(GRADES, GRADES, GRADES, [1.5]), "outside 0 to 1"),
        (lambda: TARGETS[0].standing(NAN), "cannot be compared"),
    ],
)
def test_arguments_out_of_range_are_named(call: Callable[[], object], problem: str) -> None:
    with pytest.raises(MetricError, match=problem):
        call()


def test_costs_are_priced_by_tokens_and_looked_up_by_decision() -> None:
    usd = token_cost([1000, 0], [500, 2], input_usd_per_million=2.0, output_usd_per_million=8.0)

    assert usd.tolist() == pytest.approx([0.006, 0.000016])
    paid = routed_cost(np.array([True, False]), [0.001, 0.002], usd)
    assert paid.tolist() == pytest.approx([0.006, 0.002])
    assert total_cost(paid) == pytest.approx(0.008)
    assert cost_per_query(paid) == pytest.approx(0.004)
    assert saved_share([1.0, 1.0], [3.0, 2.0]) == pytest.approx(0.6)
    assert saved_share([3.0, 3.0], [3.0, 2.0]) == pytest.approx(-0.2)


def test_the_oracle_gap_is_that_between_the_best_single_model_and_the_best_of_each_row() -> None:
    cheap, dear = [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]

    # Best single: dear, 3 of 4. Oracle: 4 of 4.
    assert oracle_gap_closed([1.0, 1.0, 1.0, 1.0], [cheap, dear]) == 1.0
    assert oracle_gap_closed(dear, [cheap, dear]) == 0.0
    assert oracle_gap_closed(cheap, [cheap, dear]) == -1.0
    assert oracle_gap_closed([0.5, 1.0, 1.0, 1.0], [cheap, dear]) == 0.5


def test_a_cost_curve_leaves_out_what_nobody_would_buy() -> None:
    # b costs more than a for less; d lies under the line from a to e.
    cost, quality = [1.0, 2.0, 0.5, 3.0, 4.0], [0.5, 0.4, 0.2, 0.55, 0.8]

    curve = cost_curve(cost, quality)

    assert curve.cost.tolist() == [0.5, 1.0, 4.0]
    assert curve.quality.tolist() == [0.2, 0.5, 0.8]
    # Trapezoids: half of 0.35 and three of 0.65.
    assert aiq(cost, quality) == pytest.approx((0.5 * 0.35 + 3 * 0.65) / 3.5)
    # Flat beyond the dearest; nothing below the cheapest.
    assert aiq(cost, quality, most_cost=6) == pytest.approx((0.5 * 0.35 + 3 * 0.65 + 2 * 0.8) / 5.5)
    assert aiq(cost, quality, least_cost=0) == pytest.approx((0.5 * 0.35 + 3 * 0.65) / 4)
    assert aiq(cost, quality, least_cost=0, most_cost=0.4) == 0.0
    assert aiq(cost, quality, least_cost=5, most_cost=6) == pytest.approx(0.8)
    assert cost_curve([2.0, 2.0], [0.3, 0.6]).quality.tolist() == [0.6]


def test_resamples_on_which_all_points_cost_the_same_have_no_aiq() -> None:
    values = aiq_statistic([[1, 2], [1, 1]], [[0, 1], [0, 1]])(np.array([[2.0, 0.0], [0.0, 2.0]]))

    assert values[0] == pytest.approx(0.5)
    assert np.isnan(values[1])


def test_shares_list_the_names_that_never_occur() -> None:
    found = shares(["b", "a", "b", "b"], ["c", "b"])

    assert dict(found) == {"c": 0.0, "b": 0.75, "a": 0.25}
    assert list(found) == ["c", "b", "a"]
    statistics = share_statistics(["b", "a"], ["c"])
    assert [float(each(ONCE)[0]) for each in statistics.values()] == [0.0, 0.5, 0.5]


def test_recognition_is_read_off_the_confusion_table() -> None:
    said = ["S", "S", "C", "S", "C", "C"]
    true = ["S", "C", "C", "S", "S", "A"]

    found = recognition(confusion(said, true, ("S", "C", "A")))

    assert (found["S"].rows, found["S"].named) == (3, 3)
    assert found["S"].precision == pytest.approx(2 / 3)
    assert found["C"].precision == pytest.approx(1 / 3)
    assert found["C"].recall == pytest.approx(1 / 2)
    assert found["C"].f1 == pytest.approx(2 / 5)
    assert (found["A"].precision, found["A"].recall, found["A"].f1) == (None, 0.0, 0.0)


def test_robustness_counts_the_decisions_that_stay() -> None:
    decisions = ["m", "l", "m", "m"]
    perturbed = {"case": ["m", "l", "m", "l"], "typos": ["m", "m", "l", "m"]}

    assert dict(robustness(decisions, perturbed)) == {"case": 0.75, "typos": 0.5}
    assert robustness_statistic(decisions, perturbed)(np.ones((1, 4)))[0] == pytest.approx(0.625)
    assert unchanged(decisions, perturbed["case"]).tolist() == [1, 1, 1, 0]


def test_targets_are_those_of_the_brief_and_say_where_a_value_lies() -> None:
    ranges = {target.metric: (target.low, target.high) for target in TARGETS}

    assert ranges == {
        "accuracy_over_medium": (0.02, 0.05),
        "accuracy_against_large": (-0.05, -0.02),
        "cost_saved": (0.4, 0.6),
        "share_standard": (0.6, 0.7),
        "share_complex": (0.25, 0.35),
        "share_ambiguous": (0.05, 0.1),
    }
    saved = TARGETS[2]
    assert [saved.standing(value) for value in (0.3, 0.4, 0.6, 0.61)] == [
        Standing.BELOW,
        Standing.WITHIN,
        Standing.WITHIN,
        Standing.ABOVE,
    ]


def test_percentiles_are_in_the_order_that_was_asked_for() -> None:
    values = np.arange(101.0)

    assert dict(percentiles(values, (99, 50))) == {99: 99.0, 50: 50.0}
