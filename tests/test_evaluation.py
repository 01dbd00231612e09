"""A router is judged on recorded outcomes: each figure is what its metric says, beside every baseline."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import attrs
import numpy as np
import pytest

from payoffs import FOUR, LEARNED, RIGHT, candidate, example, noisy, scored_row, simulated
from routers import make_router
from routesdk import Router
from routesdk.errors import PredictionError
from routesdk.manifest import PartRecord
from routesdk.metrics import apgr_interval, mean_interval
from routesdk.pipeline.evaluation import BEST_SINGLE, ROUTER, Evaluation, evaluate, to_record
from routesdk.pretrained import assemble_router
from routesdk.testing import MODELS, FakeObserver, FakePolicyModel, make_catalogue, make_examples
from routesdk.types import Example, Grade, OperatingPoint, Outcome, Query, Tier, Usage

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


def test_simpleqa_figures_come_from_the_grades_of_the_models_that_were_called() -> None:
    rows = (example("a", "AC"), example("b", "CA"), example("c", "IA"), example("d", "AI"))
    evaluation = judged(told({"a": 0.9, "b": 0.0, "c": 0.9, "d": 0.0}), rows)

    # Called: large (C), medium (C), large (A), medium (A).
    values = {key: evaluation.metric(key).interval for key in ("correct_given_attempted", "f1", "accuracy")}
    assert {key: each and each.value for key, each in values.items()} == pytest.approx(
        {"correct_given_attempted": 1.0, "f1": 2 / 3, "accuracy": 0.5}
    )


def test_the_nine_cells_have_their_policies_and_questions(found: Evaluation) -> None:
    assert [cell.letters for cell in found.cells] == ["CC", "CI", "CA", "IC", "II", "IA", "AC", "AI", "AA"]
    assert sum(cell.rows for cell in found.cells) == found.rows
    by_letters = {cell.letters: cell for cell in found.cells}
    assert by_letters["IC"].policy == "Complex_Query"
    assert "escalating buys the answer" in by_letters["IC"].reason
    assert len(by_letters["CC"].examples) == 3
    assert all("fact" in each.query for each in by_letters["CC"].examples)


def test_scores_between_none_and_full_have_no_cell() -> None:
    rows = [scored_row(str(at), 0.25, 0.5) for at in range(40)] + [scored_row("whole", 0.0, 1.0)]
    evaluation = judged(attrs.evolve(make_router(), training_hashes=lambda: LEARNED), rows)

    assert [cell.letters for cell in evaluation.cells if cell.rows] == ["IC"]


def test_the_worst_mistakes_come_first_with_the_decisions_that_made_them() -> None:
    rows = [
        example("missed", "IC"),
        example("missed less", "IC"),
        example("harmed", "CI"),
        example("wasted", "CC"),
        example("fine", "IC"),
    ]
    gains = {"missed": -0.5, "missed less": 0.2, "harmed": 0.6, "wasted": 0.9, "fine": 0.8}
    evaluation = judged(told(gains), rows)

    assert [(each.id, each.kind, each.lost) for each in evaluation.mistakes] == [
        ("missed", "missed", 1.0),
        ("missed less", "missed", 1.0),
        ("harmed", "harmed", 1.0),
        ("wasted", "wasted", 0.0),
    ]
    first = evaluation.mistakes[0]
    assert first.decision.tier == "medium"
    assert first.decision.trace
    assert first.grades == {MODELS[0]: "INCORRECT", MODELS[1]: "CORRECT"}


def test_so_many_mistakes_of_each_kind_are_kept() -> None:
    rows = simulated(120)
    evaluation = judged(skilled(rows, 0.2), rows, mistakes=2)

    kinds = [each.kind for each in evaluation.mistakes]
    assert {kind: kinds.count(kind) for kind in kinds} == {"missed": 2, "harmed": 2, "wasted": 2}
    assert judged(skilled(rows, 0.2), rows, mistakes=0).mistakes == ()


def test_results_hold_every_row_with_its_decision(found: Evaluation, graded: tuple[Example, ...]) -> None:
    assert [each.id for each in found.results] == [row.id for row in graded]
    for each in found.results[:20]:
        assert each.obtained == each.quality[0 if each.tier == "medium" else 1]
        assert each.record["tier"] == each.tier
    assert np.mean([each.obtained for each in found.results]) == pytest.approx(found.router.accuracy.value)


def test_breakdowns_part_the_rows_and_small_topics_are_put_together() -> None:
    rows = [
        attrs.evolve(row, topic="big" if at < 60 else f"small {at % 5}")
        for at, row in enumerate(simulated(85))
    ]
    evaluation = judged(skilled(rows), rows)
    by = {each.by: each for each in evaluation.breakdowns}

    assert set(by) == {"decided policy", "recorded policy", "topic"}
    for each in by.values():
        assert sum(group.rows for group in each.groups) == 85
    assert [(group.name, group.rows) for group in by["topic"].groups] == [("big", 60), ("(other topics)", 25)]
    assert "5 topics" in by["topic"].note
    big = by["topic"].groups[0]
    inside = [row for row in rows if row.topic == "big"]
    assert big.large.value == pytest.approx(np.mean([row.outcomes[MODELS[1]].quality for row in inside]))
    assert big.gained.value == pytest.approx(big.accuracy.value - big.medium.value)
    assert big.accuracy.rows == big.gained.rows == 60
    # Where every call went to the medium model, nothing was gained for certain.
    stayed = next(group for group in by["decided policy"].groups if group.large_share == 0.0)
    assert (stayed.gained.low, stayed.gained.value, stayed.gained.high) == (0.0, 0.0, 0.0)


def test_topics_can_be_left_out(graded: tuple[Example, ...]) -> None:
    evaluation = judged(skilled(graded), graded, topics=False)

    assert [each.by for each in evaluation.breakdowns] == ["decided policy", "recorded policy"]


def test_the_confusion_table_counts_every_row(found: Evaluation) -> None:
    table = np.array(found.confusion.table)

    assert table.sum() == pytest.approx(found.rows)
    at = found.confusion.policies.index("Complex_Query")
    decided = sum(each.policy == "Complex_Query" for each in found.results)
    assert table[:, at].sum() == pytest.approx(decided)
    assert np.diag(table).sum() / found.rows == pytest.approx(_value(found, "decided_policy"))


def _value(evaluation: Evaluation, key: str) -> float:
    interval = evaluation.metric(key).interval
    assert interval is not None
    return interval.value


def test_shares_of_policies_and_models_add_up(found: Evaluation) -> None:
    assert sum(each.decided.value for each in found.policy_shares) == pytest.approx(1.0)
    assert sum(each.recorded or 0.0 for each in found.policy_shares) == pytest.approx(1.0)
    assert [each.name for each in found.model_shares] == list(MODELS)
    assert found.model_shares[1].decided.value == pytest.approx(found.router.large_share)


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
    assert last.risk == pytest.approx(1.0 - _value(found, "decided_policy"))
    bins = found.reliability.bins
    assert sum(each.rows for each in bins) == pytest.approx(found.rows, abs=len(bins))
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)


def test_targets_stand_beside_what_was_measured() -> None:
    rows = simulated(300)
    evaluation = judged(skilled(rows, 0.9), rows)
    targets = {target.name: target for target in evaluation.targets}

    over = targets["accuracy over medium only"]
    assert (over.low, over.high, over.unit) == (2.0, 5.0, "points")
    ahead = evaluation.line("always medium").ahead
    assert over.measured is not None
    assert ahead is not None
    assert over.measured.value == pytest.approx(100 * ahead.value)
    assert over.outcome == "reached"
    assert targets["decisions Ambiguous_Query"].outcome == "missed"


def test_a_target_that_an_interval_straddles_cannot_be_told() -> None:
    evaluation = judged(told(RIGHT), FOUR)
    outcomes = {target.name: target.outcome for target in evaluation.targets}

    assert outcomes["accuracy over medium only"] == "cannot tell"


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


def test_wordings_that_change_nothing_for_a_router_leave_its_decisions(graded: tuple[Example, ...]) -> None:
    evaluation = judged(attrs.evolve(make_router(), training_hashes=lambda: LEARNED), graded)

    assert [each.name for each in evaluation.perturbations] == ["case", "typos", "whitespace", "politeness"]
    for each in evaluation.perturbations:
        assert each.same_tier.value == 1.0
        # A bootstrap that never saw a change would claim to be certain.
        assert each.same_tier.low < 1.0
        assert each.gain_shift.value == 0.0
    assert _value(evaluation, "same_tier_typos") == _value(evaluation, "robustness") == 1.0


def test_a_router_that_reads_capitals_is_found_out() -> None:
    rows = [example(str(at), "IC", text=f"WHO was number {at}?") for at in range(40)]
    router = candidate("ours", lambda text: 0.9 if "WHO" in text else 0.0).router
    changes = {"case": str.lower, "half": lambda text: text.replace("WHO", "Who") if "1" in text else text}
    evaluation = judged(router, rows, perturbations=changes)

    case, half = evaluation.perturbations
    assert half.rows == 13
    # All of one wording change, and of the other 13 of 40.
    assert _value(evaluation, "robustness") == pytest.approx((0 + 27 / 40) / 2)
    assert case.rows == 40
    assert case.same_tier.value == 0.0
    assert case.gain_shift.value == pytest.approx(0.9)
    assert case.example == "who was number 0?"


def test_reasons_are_looked_at(found: Evaluation) -> None:
    assert found.reasonings is not None
    assert found.reasonings.rows == 20
    assert "20 rows" in found.reasonings.note


def test_observers_hear_of_each_row_once() -> None:
    observer = FakeObserver()
    judged(told(RIGHT).with_observer(observer), FOUR, timed=3, reasons=3)

    assert [query.text for query in observer.queries] == [row.query.text for row in FOUR]


def test_three_tiers_are_judged_between_the_ends() -> None:
    tiers = tuple(Tier(name, f"{name}-model") for name in ("small", "middle", "big"))
    models = [tier.model for tier in tiers]
    rows = [example(f"r{at}", cell, models) for at, cell in enumerate(("CCC", "ICC", "IIC", "III") * 10)]
    router = assemble_router(
        policy_model=FakePolicyModel(cells={"CCC": 0.4, "ICC": 0.3, "IIC": 0.3}, known_models=tuple(models)),
        policy_model_record=PartRecord(kind="policy model", name="fake"),
        tiers=tiers,
        point=OperatingPoint((0.1, 0.1)),
        catalogue=make_catalogue(tuple(models)),
        training_hashes=lambda: LEARNED,
    )
    evaluation = judged(router, rows)

    assert len(evaluation.router.tier_shares) == 3
    assert evaluation.line("always middle").accuracy.value == 0.5
    assert {cell.letters for cell in evaluation.cells} == {"CCC", "ICC", "IIC", "III"}
    assert len(evaluation.cost.tier_total_usd) == 3


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
def test_ten_thousand_rows_with_two_thousand_resamples_take_less_than_thirty_seconds() -> None:
    rows = [attrs.evolve(row, topic=f"topic {at % 20}") for at, row in enumerate(simulated(10_000))]
    router = skilled(rows)
    started = time.process_time()
    evaluation = evaluate(router, rows, perturbations={}, reasons=0, timed=0)

    assert evaluation.resamples == 2000
    assert time.process_time() - started < 30
