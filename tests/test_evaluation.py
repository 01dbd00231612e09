"""A router is judged on recorded outcomes: each figure is what its metric says, beside every baseline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import attrs
import numpy as np
import pytest

from judging import judged, skilled, told, value_of
from payoffs import FOUR, LEARNED, RIGHT, candidate, example, noisy, simulated
from routers import make_router
from routesdk.errors import PredictionError
from routesdk.metrics import Standing, apgr_interval, mean_interval
from routesdk.pipeline.evaluation import BEST_SINGLE, ROUTER, Evaluation, evaluate, to_record
from routesdk.testing import MODELS, make_examples
from routesdk.types import Example, Grade, Outcome, Query, Tier, Usage


@pytest.fixture(scope="module")
def graded() -> tuple[Example, ...]:
    return make_examples(180)


@pytest.fixture(scope="module")
def found(graded: tuple[Example, ...]) -> Evaluation:
    return judged(skilled(graded), graded, reasons=20, timed=5)


def test_the_headline_is_what_the_decisions_obtain() -> None:
    evaluation = judged(told(RIGHT), FOUR)

    # The rows a and d go up: of four, the medium model is right on b, the large one on a, b and d.
    assert evaluation.router.accuracy.value == 0.75
    assert evaluation.router.large_share == 0.5
    assert evaluation.router.tier_shares == (0.5, 0.5)
    assert evaluation.line("always medium").accuracy.value == 0.25
    assert evaluation.line("always large").accuracy.value == 0.75
    assert evaluation.line("random").accuracy.value == pytest.approx(0.5)
    assert evaluation.line("oracle").large_share == 0.5
    assert evaluation.line(BEST_SINGLE).accuracy.value == 0.75


def test_every_baseline_stands_beside_the_router(found: Evaluation) -> None:
    assert [line.name for line in found.lines] == [
        ROUTER,
        "always medium",
        "always large",
        "prompt length",
        "random",
        BEST_SINGLE,
        "oracle",
    ]
    for line in found.lines[1:]:
        assert line.ahead is not None
        assert line.ahead.value == pytest.approx(found.router.accuracy.value - line.accuracy.value)
    for name in ("random", "prompt length"):
        assert found.line(name).large_share == pytest.approx(found.router.large_share)


def test_figures_are_those_of_the_metrics_with_the_same_resamples() -> None:
    rows = simulated(150)
    gains = noisy(rows, 0.6)
    evaluation = judged(told(gains), rows)
    medium, large = (np.array([row.outcomes[model].quality for row in rows]) for model in MODELS)
    called = np.array([gains[row.id] >= 0.3 for row in rows])

    expected = apgr_interval([gains[row.id] for row in rows], medium, large, resamples=200)
    assert evaluation.router.apgr == expected
    ahead = mean_interval(np.where(called, large, medium) - medium, resamples=200)
    paired = evaluation.line("always medium").ahead
    assert paired is not None
    assert (paired.low, paired.high) == pytest.approx((ahead.low, ahead.high))


def test_every_interval_says_its_resamples_and_its_seed(graded: tuple[Example, ...]) -> None:
    evaluation = judged(skilled(graded), graded, seed=7, reasons=10)
    intervals = list(_intervals(to_record(evaluation)))

    assert len(intervals) > 100
    assert {each["resamples"] for each in intervals} == {200}
    assert {each["seed"] for each in intervals} == {7}
    assert all(each["level"] == 0.95 for each in intervals)
    assert (evaluation.resamples, evaluation.seed) == (200, 7)


def _intervals(data: object) -> Iterator[dict[str, object]]:
    if isinstance(data, dict):
        if "undefined" in data:
            yield data
        for each in data.values():
            yield from _intervals(each)
    elif isinstance(data, (list, tuple)):
        for each in data:
            yield from _intervals(each)


def test_the_same_rows_give_the_same_record_but_for_times(
    found: Evaluation, graded: tuple[Example, ...]
) -> None:
    again = judged(skilled(graded), graded, reasons=20, timed=5)

    assert attrs.evolve(again, latency=None) == attrs.evolve(found, latency=None)
    assert found.latency is not None
    assert found.latency.decisions == 5


def test_the_record_is_strict_json(found: Evaluation) -> None:
    assert json.loads(json.dumps(to_record(found, results=True), allow_nan=False))


def test_a_metric_that_has_no_value_says_why(found: Evaluation) -> None:
    level = judged(told({"a": 0.5, "b": 0.2}), (example("a", "CC"), example("b", "II")))

    assert level.metric("apgr").interval is None
    assert "no better" in level.metric("apgr").note
    assert level.metric("auroc").interval is None
    assert level.metric("f1").note == "no abstention is recorded on these rows"
    assert found.metric("f1").interval is not None
    assert all(metric.interval is not None or metric.note for metric in found.metrics)


def test_a_routing_below_the_best_single_model_says_what_its_negative_gap_means() -> None:
    rows = simulated(300)
    evaluation = judged(skilled(rows, 0.1, threshold=0.2), rows)
    gap = evaluation.metric("oracle_gap_closed")

    assert gap.interval is not None
    assert gap.interval.value < 0
    assert "0 is always large, the best single model" in gap.note


def test_a_difference_says_that_it_is_one(found: Evaluation) -> None:
    units = {metric.key: metric.unit for metric in found.metrics}

    assert units["apgr_over_prompt_length"] == "difference"
    assert {unit for key, unit in units.items() if key.startswith("accuracy_over_")} == {"points"}


def test_simpleqa_figures_come_from_the_grades_of_the_models_that_were_called() -> None:
    rows = (example("a", "AC"), example("b", "CA"), example("c", "IA"), example("d", "AI"))
    evaluation = judged(told({"a": 0.9, "b": 0.0, "c": 0.9, "d": 0.0}), rows)

    # Called: large (C), medium (C), large (A), medium (A).
    values = {key: evaluation.metric(key).interval for key in ("correct_given_attempted", "f1", "accuracy")}
    assert {key: each and each.value for key, each in values.items()} == pytest.approx(
        {"correct_given_attempted": 1.0, "f1": 2 / 3, "accuracy": 0.5}
    )


def test_curves_begin_at_medium_and_end_at_large(found: Evaluation) -> None:
    curves = {curve.name: curve.points for curve in found.curves}

    assert set(curves) == {ROUTER, "prompt length", "random", "oracle"}
    for points in curves.values():
        assert points[0].accuracy == pytest.approx(found.line("always medium").accuracy.value)
        assert points[-1].accuracy == pytest.approx(found.line("always large").accuracy.value)
        assert all(point.low <= point.accuracy <= point.high for point in points)
    assert max(point.accuracy for point in curves["oracle"]) >= max(
        point.accuracy for point in curves[ROUTER]
    )


def test_risk_at_full_coverage_is_the_share_of_wrong_policies(found: Evaluation) -> None:
    last = found.risk_coverage.points[-1]

    assert last.coverage == 1.0
    assert last.risk == pytest.approx(1.0 - value_of(found, "decided_policy"))
    bins = found.reliability.bins
    assert sum(each.rows for each in bins) == pytest.approx(found.rows, abs=len(bins))
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)


def test_targets_stand_beside_what_was_measured() -> None:
    rows = simulated(300)
    evaluation = judged(skilled(rows, 0.9), rows)
    targets = {each.target.name: each for each in evaluation.targets}

    over = targets["accuracy over medium only"]
    assert (over.target.low, over.target.high, over.target.unit) == (0.02, 0.05, "points")
    ahead = evaluation.line("always medium").ahead
    assert over.measured is not None
    assert ahead is not None
    assert over.measured.value == pytest.approx(ahead.value)
    assert over.outcome is Standing.REACHED
    assert targets["decisions Ambiguous_Query"].outcome is Standing.MISSED


def test_a_target_that_an_interval_straddles_cannot_be_told() -> None:
    evaluation = judged(told(RIGHT), FOUR)

    assert evaluation.targets[0].target.name == "accuracy over medium only"
    assert evaluation.targets[0].outcome is Standing.UNSURE


def test_a_handful_of_rows_reaches_no_target() -> None:
    evaluation = judged(told({"a": 0.8}), FOUR[:1])

    assert evaluation.targets[0].measured is not None
    assert evaluation.targets[0].measured.low == 1.0
    assert {each.outcome for each in evaluation.targets} <= {Standing.UNSURE, Standing.UNMEASURED}
    assert "fewer than 30 rows" in evaluation.targets[0].note


def test_recorded_costs_are_added_up_exactly() -> None:
    rows = [
        attrs.evolve(
            row,
            outcomes={
                model: attrs.evolve(each, usage=Usage(input_tokens=10, output_tokens=20, cost_usd=cost))
                for (model, each), cost in zip(row.outcomes.items(), ("0.1", "0.7"), strict=True)
            },
        )
        for row in FOUR
    ]
    cost = judged(told(RIGHT), rows).cost

    assert cost.basis == "recorded"
    assert cost.total_usd == Decimal("1.6")
    assert cost.tier_total_usd == (Decimal("0.4"), Decimal("2.8"))
    assert cost.saved is not None
    assert cost.saved.value == pytest.approx(1.2 / 2.8)


def test_recorded_tokens_are_priced() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    rows = [
        attrs.evolve(
            row, outcomes={model: attrs.evolve(each, usage=usage) for model, each in row.outcomes.items()}
        )
        for row in FOUR
    ]
    router = told(RIGHT)
    cost = judged(router, rows).cost

    prices = [router.mapping.catalogue.price(model).input_usd_per_mtok for model in MODELS]
    assert cost.basis == "recorded"
    assert cost.tier_total_usd == tuple(4 * price for price in prices)


def test_a_cost_that_is_estimated_says_how(graded: tuple[Example, ...]) -> None:
    with_answers = judged(skilled(graded), graded).cost
    without = judged(told(RIGHT), FOUR).cost

    assert with_answers.basis == without.basis == "estimated"
    assert "4 characters a token" in with_answers.note
    assert "recorded answers' lengths" in with_answers.note
    assert "256 output tokens a call, as no answer was recorded" in without.note
    assert "US dollars per million tokens" in without.note


def test_a_price_that_is_unknown_leaves_costs_open_and_says_so() -> None:
    tiers = (Tier("medium", "nobody-prices-this"), Tier("large", MODELS[1]))
    rows = [example(str(at), "IC", [tier.model for tier in tiers]) for at in range(4)]
    router = attrs.evolve(make_router(tiers=tiers), training_hashes=lambda: LEARNED)
    bare = router.mapping.catalogue
    priced = attrs.evolve(bare, models={name: bare.models[name] for name in [MODELS[1]]})
    router = attrs.evolve(router, mapping=attrs.evolve(router.mapping, catalogue=priced))
    evaluation = judged(router, rows)

    assert evaluation.cost.basis == "unknown"
    assert "nobody-prices-this" in evaluation.cost.note
    assert evaluation.router.cost_usd is None
    assert evaluation.metric("cost_saved").interval is None
    assert "nobody-prices-this" in evaluation.metric("cost_saved").note


def test_calls_that_cost_nothing_leave_nothing_to_save() -> None:
    rows = [
        attrs.evolve(
            row,
            outcomes={
                model: attrs.evolve(each, usage=Usage(cost_usd=Decimal(0)))
                for model, each in row.outcomes.items()
            },
        )
        for row in FOUR
    ]
    evaluation = judged(told(RIGHT), rows)

    assert evaluation.cost.total_usd == 0
    assert value_of(evaluation, "total_cost_usd") == 0.0
    assert "nothing can be saved" in evaluation.metric("cost_saved").note
    assert evaluation.metric("router_arena").note == "the calls cost nothing"
    assert "nothing can be saved" in evaluation.targets[2].note


def test_rows_that_lack_a_tier_are_left_out_and_named() -> None:
    lame = Example(
        id="lame",
        query=Query("lame?"),
        outcomes={MODELS[0]: Outcome(model=MODELS[0], grade=Grade.CORRECT)},
    )
    evaluation = judged(told(RIGHT), (*FOUR, lame))

    assert evaluation.rows == 4
    assert evaluation.left_out == ("lame",)
    assert any("lame" in note for note in evaluation.notes)


def test_a_gain_that_is_no_number_is_refused() -> None:
    router = candidate("ours", lambda text: float("nan")).router

    with pytest.raises(PredictionError):
        judged(router, FOUR)


def test_provenance_says_what_was_evaluated_with_what() -> None:
    evaluation = judged(told(RIGHT), FOUR, name="mine", command="routesdk evaluate x")
    other = judged(told(RIGHT), FOUR[:3])

    found = evaluation.provenance
    assert (found.checkpoint, found.command, found.policy_model) == ("mine", "routesdk evaluate x", "fake")
    assert len(found.rows_sha256) == 64
    assert found.rows_sha256 != other.provenance.rows_sha256


@pytest.mark.slow
def test_ten_thousand_rows_are_drawn_two_thousand_times() -> None:
    rows = [attrs.evolve(row, topic=f"topic {at % 20}") for at, row in enumerate(simulated(10_000))]
    router = skilled(rows)
    evaluation = evaluate(router, rows, perturbations={}, reasons=0, timed=0)

    assert evaluation.resamples == 2000
    assert evaluation.rows == 10_000
    assert all(each.interval is None or np.isfinite(each.interval.low) for each in evaluation.metrics)
