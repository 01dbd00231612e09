"""Calibration: targets within reach and out of it, maps that keep the order, and bad input."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import Command
from payoffs import LEARNED, cells_of, example, noisy, simulated
from routers import host_with_fake, make_router
from routesdk import OperatingPoint, Query, Router
from routesdk.catalogue import Catalogue
from routesdk.dataset import write_examples
from routesdk.errors import ConfigError, LeakError, UnknownPriceError
from routesdk.manifest import Calibration
from routesdk.monotone import ISOTONIC, PLATT, MonotoneMap
from routesdk.pipeline.calibration import Calibrated
from routesdk.pipeline.calibration.fitting import LEAST_SLOPE, fit_map, mapped
from routesdk.pipeline.fingerprint import query_hash
from routesdk.testing import MODELS, make_examples
from routesdk.types import Example, Outcome, Tier, Usage
from shifts import code, learned

HOST = host_with_fake()
ROWS = simulated(400)
QUICK = 100
DEFAULT_MODELS = ("gemini-2.5-flash", "gemini-2.5-pro")


def router_of(
    gains: Mapping[str, float],
    *,
    large_share: float | None = None,
    catalogue: Catalogue | None = None,
) -> Router:
    """Return a router that expects a gain for each row's name."""

    def predict(query: Query) -> Mapping[str, float]:
        row = query.text.removeprefix("question ").removesuffix("?")
        return cells_of(gains.get(row, 0.1))

    point = OperatingPoint((0.3,), large_share)
    router = make_router(predict, point=point, host=HOST, catalogue=catalogue)
    return attrs.evolve(router, training_hashes=lambda: LEARNED)


ABLE = router_of(noisy(ROWS, 0.5))


def quality(router: Router, rows: Sequence[Example]) -> float:
    chosen = [decision.tier == "large" for decision in router.route_batch([row.query for row in rows])]
    return float(np.mean([row.outcomes[MODELS[up]].quality for row, up in zip(rows, chosen, strict=True)]))


def share(router: Router, rows: Sequence[Example]) -> float:
    decisions = router.route_batch([row.query for row in rows])
    return sum(decision.tier == "large" for decision in decisions) / len(rows)


@pytest.mark.parametrize("method", [PLATT, ISOTONIC])
@pytest.mark.parametrize("target", [0.0, 0.2, 0.5, 1.0])
def test_a_share_of_large_calls_is_reached(method: str, target: float) -> None:
    found = ABLE.calibrate(ROWS, target_large_share=target, method=method, resamples=QUICK)

    assert found.reached
    assert share(found.router, ROWS) == pytest.approx(target, abs=0.02)
    assert found.large_share.low - 0.001 <= found.large_share.value <= found.large_share.high + 0.001
    assert found.large_share.value == pytest.approx(target, abs=0.05)
    assert found.point.source == "calibration"
    assert found.router.operating_point == found.point


def test_a_quality_is_reached_with_fewer_large_calls_than_chance_would_need() -> None:
    medium, large = (np.mean([row.outcomes[model].quality for row in ROWS]) for model in MODELS)
    target = float((medium + large) / 2)

    found = ABLE.calibrate(ROWS, target_quality=target, resamples=QUICK)

    assert found.reached
    assert quality(found.router, ROWS) == pytest.approx(target, abs=0.03)
    assert found.quality.low <= found.quality.value <= found.quality.high
    assert found.large_share.value < 0.45
    assert (found.medium_quality.value, found.large_quality.value) == pytest.approx((medium, large))


def test_a_quality_that_the_cheap_model_has_needs_no_large_call() -> None:
    found = ABLE.calibrate(ROWS, target_quality=0.1, resamples=QUICK)

    assert found.reached
    assert found.sure
    assert share(found.router, ROWS) == 0.0
    assert "is reached. On new rows" in found.sentence


def test_a_quality_out_of_reach_is_said_to_be_and_gives_no_router() -> None:
    found = ABLE.calibrate(ROWS, target_quality=0.99, resamples=QUICK)

    assert not found.reached
    assert not found.sure
    assert found.sentence.startswith("This data cannot reach a quality of 99.0%")
    with pytest.raises(ConfigError) as caught:
        _ = found.router
    assert "cannot reach" in caught.value.problem


def test_a_cost_buys_as_much_quality_as_it_can() -> None:
    rows = [priced(row, medium="0.001", large="0.01") for row in ROWS]

    found = ABLE.calibrate(rows, target_cost=0.004, resamples=QUICK)

    assert found.reached
    assert found.cost is not None
    # (0.004 - 0.001) / 0.009 of the calls can go up.
    assert share(found.router, rows) == pytest.approx(1 / 3, abs=0.02)
    assert found.cost.value == pytest.approx(0.004, abs=0.0005)
    assert "recorded" in found.cost_note
    plenty = ABLE.calibrate(rows, target_cost=1, resamples=QUICK)
    # Money is no reason to send up what gains nothing.
    assert share(plenty.router, rows) < 1.0
    assert plenty.sure


def test_a_cost_below_the_cheapest_tier_is_out_of_reach() -> None:
    rows = [priced(row, medium="0.001", large="0.01") for row in ROWS]

    found = ABLE.calibrate(rows, target_cost="0.0005", resamples=QUICK)

    assert not found.reached
    assert "even the cheapest point costs $0.001" in found.sentence


def test_a_cost_needs_prices() -> None:
    router = router_of(noisy(ROWS, 0.5), catalogue=Catalogue(version="none", models={}))

    with pytest.raises(UnknownPriceError):
        router.calibrate(ROWS, target_cost=1)
    found = router.calibrate(ROWS, target_large_share=0.3, resamples=QUICK)
    assert found.cost is None
    assert "no price is known" in found.cost_note


def priced(row: Example, **costs: str) -> Example:
    outcomes = {
        model: attrs.evolve(row.outcomes[model], usage=Usage(cost_usd=cost))  # type: ignore[arg-type]
        for model, cost in zip(MODELS, costs.values(), strict=True)
    }
    return attrs.evolve(row, outcomes=outcomes)


@pytest.mark.parametrize("method", [PLATT, ISOTONIC])
def test_a_reloaded_router_decides_the_same(method: str, tmp_path: Path) -> None:
    router, rows = Router.from_pretrained(), make_examples(240, models=DEFAULT_MODELS)
    calibrated = router.calibrate(rows, target_large_share=0.3, method=method, resamples=QUICK).router
    folder = calibrated.save_pretrained(tmp_path / "calibrated")

    again = Router.from_pretrained(folder)

    assert again.calibration == calibrated.calibration
    assert again.operating_point.thresholds == calibrated.operating_point.thresholds
    queries = [row.query for row in rows]
    for one, two in zip(calibrated.route_batch(queries), again.route_batch(queries), strict=True):
        assert (one.tier, one.policy, one.confidence) == (two.tier, two.policy, two.confidence)
        assert one.prediction == two.prediction
    assert "It was recalibrated on 240 rows" in (folder / "README.md").read_text(encoding="utf-8")
    assert again.with_large_share(0.1).operating_point == calibrated.with_large_share(0.1).operating_point


@pytest.mark.parametrize("method", [PLATT, ISOTONIC])
def test_the_order_of_queries_stays(method: str) -> None:
    calibrated = ABLE.calibrate(ROWS, target_large_share=0.3, method=method, resamples=QUICK).router
    queries = [row.query for row in ROWS]
    before = [decision.expected_gain for decision in ABLE.route_batch(queries)]
    after = [decision.expected_gain for decision in calibrated.route_batch(queries)]

    by_before = np.array(after)[np.argsort(before, kind="stable")]
    assert (np.diff(by_before) >= -1e-12).all()
    if method == PLATT:
        assert len(set(after)) == len(set(before))


def test_gains_mean_what_they_say_afterwards() -> None:
    # A router that promises ten times too little.
    shy = router_of({name: gain / 10 for name, gain in noisy(ROWS, 0.5).items()})
    calibrated = shy.calibrate(ROWS, target_large_share=0.5, resamples=QUICK).router
    decisions = calibrated.route_batch([row.query for row in ROWS])
    gained = np.array([row.outcomes[MODELS[1]].quality - row.outcomes[MODELS[0]].quality for row in ROWS])
    expected = np.array([decision.expected_gain for decision in decisions])

    assert expected.mean() == pytest.approx(gained.mean(), abs=0.01)
    high = expected >= np.quantile(expected, 0.7)
    assert expected[high].mean() == pytest.approx(gained[high].mean(), abs=0.12)
    for decision in decisions[:20]:
        medium, large = decision.prediction.correct
        assert large - medium == pytest.approx(decision.expected_gain, abs=1e-9) or large in (0.0, 1.0)
        assert 0.0 <= decision.confidence <= 1.0


def test_confidence_is_better_calibrated_on_rows_left_out() -> None:
    # A router that is sure of everything, on rows where it is right now and then.
    sure = router_of({row.id: 0.9 for row in ROWS} | {row.id: 0.85 for row in ROWS[::2]})

    found = sure.calibrate(ROWS, target_large_share=0.5, resamples=QUICK)

    before, after = found.calibration_error
    assert before > 0.3
    assert after < 0.15
    assert found.brier[1] < found.brier[0]


def test_a_share_of_a_call_refers_to_the_rows_from_then_on() -> None:
    calibrated = ABLE.calibrate(ROWS, target_large_share=0.3, resamples=QUICK).router

    assert share(calibrated.with_large_share(0.1), ROWS) == pytest.approx(0.1, abs=0.02)


def test_rows_count_as_learned_from_then_on() -> None:
    calibrated = ABLE.calibrate(ROWS, target_large_share=0.3, resamples=QUICK).router

    hashes = set(calibrated.training_hashes().tolist())
    assert {query_hash(row.query.text) for row in ROWS} | set(LEARNED.tolist()) == hashes
    with pytest.raises(LeakError) as caught:
        calibrated.calibrate(ROWS, target_large_share=0.2)
    assert caught.value.purpose == "calibration"
    assert len(caught.value.ids) == len(ROWS)
    assert caught.value.learned_from == ("400 rows of calibration",)


def test_other_rows_calibrate_anew_and_not_on_top() -> None:
    other = simulated(400, seed=5)
    renamed = [attrs.evolve(row, id=f"b{row.id}", query=Query(f"question b{row.id}?")) for row in other]
    fresh = noisy(other, 0.5).values()
    gains = dict(noisy(ROWS, 0.5)) | {row.id: gain for row, gain in zip(renamed, fresh, strict=True)}
    router = router_of(gains)
    once = router.calibrate(renamed, target_large_share=0.2, resamples=QUICK)

    twice = router.calibrate(ROWS, target_large_share=0.4, resamples=QUICK).router.calibrate(
        renamed, target_large_share=0.2, resamples=QUICK
    )

    assert twice.point.thresholds == pytest.approx(once.point.thresholds)
    limits = twice.router.evidence.limits
    assert sum(line.startswith("It was recalibrated") for line in limits) == 1


def test_it_is_dropped_with_the_models_or_the_matrix_that_it_was_fitted_to(tmp_path: Path) -> None:
    rows = make_examples(240, models=DEFAULT_MODELS)
    found = Router.from_pretrained().calibrate(rows, target_large_share=0.3, resamples=QUICK)
    folder = found.router.save_pretrained(tmp_path / "calibrated")

    assert Router.from_pretrained(folder).calibration.recalibration is not None
    for change in ({"medium": "gpt-4o-mini-2024-07-18"}, {"matrix": "cheapest-correct"}):
        other = Router.from_pretrained(folder, **change)  # type: ignore[arg-type]
        assert other.calibration.recalibration is None
        assert other.operating_point.large_share == pytest.approx(0.3, abs=0.02)


def test_it_is_dropped_where_the_checkpoint_is_served_by_another_model_again(tmp_path: Path) -> None:
    medium, large = DEFAULT_MODELS
    router = Router.from_pretrained().with_model("large", "gpt-4o-2024-05-13")
    rows = make_examples(240, models=(medium, "gpt-4o-2024-05-13"))
    folder = router.calibrate(rows, target_large_share=0.3, resamples=QUICK).router.save_pretrained(
        tmp_path / "swapped"
    )

    assert Router.from_pretrained(folder).calibration.recalibration is not None
    # What the policy model predicts for, and not what the rows had outcomes of.
    assert Router.from_pretrained(folder, large=large).calibration.recalibration is None


def test_base_rates_that_differ_are_warned_of() -> None:
    hopeful = router_of({row.id: 0.8 + 0.0001 * at for at, row in enumerate(ROWS)})

    found = hopeful.calibrate(ROWS, target_large_share=0.5, resamples=QUICK)

    shifted = {rate.name for rate in found.base_rates if rate.shifted}
    assert {"medium correct", "large correct", "Complex_Query"} <= shifted
    assert any(warning.startswith("Base rates differ") for warning in found.warnings)
    assert any(line.startswith("Base rates differ") for line in found.router.evidence.limits)


def test_rates_that_are_as_expected_are_not_warned_of() -> None:
    rows = make_fair(1000)
    router = router_of({row.id: gain for row, gain in rows})

    found = router.calibrate([row for row, _ in rows], target_large_share=0.5, resamples=QUICK)

    assert not any(warning.startswith("Base rates") for warning in found.warnings)


def make_fair(count: int) -> list[tuple[Example, float]]:
    """Return rows whose cells are drawn from the very probabilities that the fake gives them."""
    rng = np.random.default_rng(3)
    made = []
    for at in range(count):
        gain = float(rng.uniform(0.0, 0.8))
        cells = cells_of(gain)
        made.append((example(str(at), rng.choice(list(cells), p=list(cells.values()))), gain))
    return made


def test_a_ranking_that_says_nothing_is_warned_of() -> None:
    backwards = router_of({name: -gain for name, gain in noisy(ROWS, 0.8).items()})

    found = backwards.calibrate(ROWS, target_large_share=0.3, resamples=QUICK)

    assert any("says nothing" in warning for warning in found.warnings)


def test_a_ranking_by_chance_is_warned_of_and_a_good_one_is_not() -> None:
    said = {}
    for skill in (0.0, 0.3):
        found = [
            router_of(noisy(ROWS, skill, seed)).calibrate(ROWS, target_large_share=0.3, resamples=QUICK)
            for seed in range(12)
        ]
        said[skill] = sum(any("says " in warning for warning in each.warnings) for each in found)

    assert said[0.0] >= 9
    assert said[0.3] == 0


def test_rules_and_a_policy_map_stay_and_are_said_to_be_left_out() -> None:
    kept = ABLE.with_budget("0.5")

    found = kept.calibrate(ROWS, target_large_share=0.3, resamples=QUICK)

    assert any("policy map and rules stay" in warning for warning in found.warnings)
    assert [rule.name for rule in found.router.mapping.rules] == ["cost-budget"]
    plain = ABLE.calibrate(ROWS, target_large_share=0.3, resamples=QUICK)
    assert not any("policy map" in warning for warning in plain.warnings)


def test_a_mix_that_differs_is_warned_of() -> None:
    meant = router_of(noisy(ROWS, 0.5), large_share=0.9)

    found = meant.calibrate(ROWS, target_large_share=0.3, resamples=QUICK)

    assert any(warning.startswith("The mix differs") for warning in found.warnings)


def test_rows_of_another_domain_and_isotonic_maps_of_few_rows_are_warned_of() -> None:
    rows = [attrs.evolve(row, query=Query(text)) for row, text in zip(ROWS, code(400), strict=True)]
    router = attrs.evolve(router_of({}), shift=learned())
    spread = attrs.evolve(router, policy_model=make_router(by_digits, host=HOST).policy_model)
    unique = [row for at, row in enumerate(rows) if row.query.text not in {r.query.text for r in rows[:at]}]

    found = spread.calibrate(unique, target_large_share=0.3, method=ISOTONIC, resamples=QUICK)

    assert found.shift is not None
    assert found.shift.shifted
    assert found.shift.sentence in found.warnings
    assert any("Isotonic" in warning for warning in found.warnings)


def by_digits(query: Query) -> Mapping[str, float]:
    return cells_of((int("".join(filter(str.isdigit, query.text))) % 997) / 1100)


def test_it_becomes_a_record() -> None:
    found = attrs.evolve(ABLE, shift=learned()).calibrate(ROWS, target_large_share=0.3, resamples=QUICK)

    record = json.loads(json.dumps(found.to_record(), allow_nan=False))

    assert record["target"] == {"kind": "large share", "value": 0.3}
    assert record["quality"]["value"] == found.quality.value
    assert record["shift"]["rows"] == 400
    assert {"reached", "sure", "sentence", "point", "cost", "warnings", "base_rates", "seed"} <= set(record)


def test_the_same_seed_gives_the_same_figures() -> None:
    one, two = (ABLE.calibrate(ROWS, target_quality=0.5, seed=4, resamples=QUICK) for _ in "ab")

    assert one.to_record() == two.to_record()


def test_three_tiers_are_set_too() -> None:
    models = ("small", "middle", "big")
    tiers = tuple(Tier(name, model) for name, model in zip(("s", "m", "b"), models, strict=True))
    rng = np.random.default_rng(2)
    rows, chances = [], {}
    for at in range(400):
        skill = rng.random()
        chances[str(at)] = skill
        grades = "".join("C" if rng.random() < chance else "I" for chance in (0.2, 0.2 + 0.4 * skill, 0.7))
        rows.append(example(str(at), grades, models))

    def predict(query: Query) -> Mapping[str, float]:
        skill = chances[query.text.removeprefix("question ").removesuffix("?")]
        return {"CCC": 0.2, "ICC": 0.4 * skill, "IIC": 0.5 - 0.4 * skill, "III": 0.3}

    router = attrs.evolve(
        make_router(predict, tiers=tiers, point=OperatingPoint((0.3, 0.3)), host=HOST),
        training_hashes=lambda: LEARNED,
    )

    found = router.calibrate(rows, target_quality=0.5, resamples=QUICK)

    assert found.reached
    assert len(found.point.thresholds) == 2
    assert found.quality.value == pytest.approx(0.5, abs=0.08)
    assert not router.calibrate(rows, target_quality=0.95, resamples=QUICK).reached
    # A share asked for later holds of those who reach a tier, here too.
    halves = found.router.with_large_share(0.5).route_batch([row.query for row in rows])
    assert np.mean([each.tier == "m" for each in halves]) == pytest.approx(0.25, abs=0.02)
    assert np.mean([each.tier == "b" for each in halves]) == pytest.approx(0.25, abs=0.02)


def test_a_router_that_knows_policies_alone_is_set_too() -> None:
    gains = noisy(ROWS, 0.6)

    def predict(query: Query) -> Mapping[str, float]:
        up = 0.5 + 0.5 * gains[query.text.removeprefix("question ").removesuffix("?")]
        return {"Standard_Query": 0.6 * (1 - up), "Complex_Query": up, "Ambiguous_Query": 0.4 * (1 - up)}

    known = Calibration(
        policy_gains={"Standard_Query": (-0.1,), "Complex_Query": (0.9,), "Ambiguous_Query": (0.0,)}
    )
    router = attrs.evolve(
        make_router(policies=predict, calibration=known, host=HOST),  # type: ignore[arg-type]
        training_hashes=lambda: LEARNED,
    )

    calibrated = router.calibrate(ROWS, target_large_share=0.25, resamples=QUICK).router

    assert share(calibrated, ROWS) == pytest.approx(0.25, abs=0.02)
    assert calibrated.calibration.recalibration is not None
    assert calibrated.calibration.recalibration.base is None
    assert calibrated.route(ROWS[0].query).prediction.derived


# Bad input


@pytest.mark.parametrize(
    ("targets", "key"),
    [
        ({}, "target"),
        ({"target_cost": 1, "target_quality": 0.5}, "target"),
        ({"target_cost": 1, "target_quality": 0.5, "target_large_share": 0.2}, "target"),
        ({"target_quality": 1.2}, "target_quality"),
        ({"target_quality": math.nan}, "target_quality"),
        ({"target_large_share": -0.1}, "target_large_share"),
        ({"target_large_share": True}, "target_large_share"),
        ({"target_large_share": "much"}, "target_large_share"),
        ({"target_cost": -1}, "target_cost"),
        ({"target_cost": math.inf}, "target_cost"),
        ({"target_cost": "cheap"}, "target_cost"),
        ({"target_cost": math.nan}, "target_cost"),
        ({"target_quality": 0.5, "method": "magic"}, "method"),
        ({"target_quality": 0.5, "seed": -1}, "seed"),
        ({"target_quality": 0.5, "seed": 1.5}, "seed"),
    ],
)
def test_targets_that_are_none_are_refused(targets: Mapping[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ABLE.calibrate(ROWS, **targets)  # type: ignore[arg-type]

    assert caught.value.key == key


@pytest.mark.parametrize("given", ["rows.jsonl", Path("rows.jsonl"), [{"id": "a"}] * 150, {"a": 1}, None])
def test_what_is_no_rows_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="read_examples"):
        ABLE.calibrate(given, target_large_share=0.3)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [0.01, 0.99])
def test_none_and_all_are_not_nearly_what_was_asked_for(target: float) -> None:
    assert not router_of({}).calibrate(ROWS, target_large_share=target, resamples=QUICK).reached
    assert ABLE.calibrate(ROWS, target_large_share=target, resamples=QUICK).reached


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="99 rows are too few"):
        ABLE.calibrate(ROWS[:99], target_large_share=0.3)


def test_rows_learned_from_are_refused_with_their_ids() -> None:
    hashes = np.array(sorted(query_hash(row.query.text) for row in ROWS[5:8]), dtype=np.uint64)
    learned_some = attrs.evolve(ABLE, training_hashes=lambda: hashes)

    with pytest.raises(LeakError) as caught:
        learned_some.calibrate(ROWS, target_large_share=0.3)

    assert caught.value.ids == ("5", "6", "7")


def test_a_router_without_hashes_is_refused() -> None:
    with pytest.raises(ConfigError, match="no hashes"):
        attrs.evolve(ABLE, training_hashes=lambda: LEARNED[:0]).calibrate(ROWS, target_large_share=0.3)


def test_an_outcome_that_is_missing_is_named() -> None:
    lacking = attrs.evolve(ROWS[3], outcomes={MODELS[0]: ROWS[3].outcomes[MODELS[0]]})

    with pytest.raises(ConfigError) as caught:
        ABLE.calibrate([*ROWS[:3], lacking, *ROWS[4:]], target_large_share=0.3)

    assert caught.value.value == "3"
    assert MODELS[1] in caught.value.problem


@pytest.mark.parametrize("cell", ["CC", "II", "IC"])
def test_outcomes_that_are_all_alike_are_refused(cell: str) -> None:
    rows = [example(str(at), cell) for at in range(150)]

    with pytest.raises(ConfigError, match="nothing to route by"):
        ABLE.calibrate(rows, target_large_share=0.3)


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than one row"):
        ABLE.calibrate([*ROWS, ROWS[0]], target_large_share=0.3)


def test_a_score_that_is_no_number_is_refused_where_it_is_made() -> None:
    with pytest.raises(ConfigError):
        Outcome(model=MODELS[0], score=math.nan)


def test_gains_that_are_all_alike_cannot_reach_a_share() -> None:
    found = router_of({}).calibrate(ROWS, target_large_share=0.3, resamples=QUICK)

    assert not found.reached
    assert "the same expected gain" in found.sentence


# Maps


@given(st.floats(0.05, 20.0), st.floats(-5.0, 5.0), st.lists(st.floats(-1.0, 1.0), min_size=2), st.booleans())
def test_a_logistic_map_keeps_order_and_range(
    slope: float, offset: float, numbers: list[float], gains: bool
) -> None:
    least = -1.0 if gains else 0.0
    found = MonotoneMap(method=PLATT, least=least, slope=slope, offset=offset)

    values = [found(number) for number in sorted(max(number, least) for number in numbers)]

    assert all(a <= b for a, b in itertools.pairwise(values))
    assert all(least <= value <= 1.0 for value in values)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=60))
def test_an_isotonic_map_keeps_order_and_mean(rows: list[tuple[float, float]]) -> None:
    predicted, happened = (np.array(each) for each in zip(*rows, strict=True))

    found = fit_map(predicted, happened, ISOTONIC, least=0.0)

    values = mapped(found, np.linspace(-0.1, 1.1, 50))
    assert (np.diff(values) >= -1e-12).all()
    assert 0.0 <= values[0] <= happened.mean() + 1e-9
    assert values[-1] >= happened.mean() - 1e-9


def test_isotonic_agrees_with_pooling_by_hand() -> None:
    found = fit_map(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0, 1.0]), ISOTONIC, least=0.0)

    assert found.knots == pytest.approx((0.1, 0.25, 0.4))
    assert found.values == pytest.approx((0.0, 0.5, 1.0))


def test_platt_finds_the_curve_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.02, 0.98, 20_000)
    truth = 1 / (1 + np.exp(-(0.5 * np.log(predicted / (1 - predicted)) - 0.7)))

    found = fit_map(predicted, (rng.random(20_000) < truth).astype(float), PLATT, least=0.0)

    assert (found.slope, found.offset) == pytest.approx((0.5, -0.7), abs=0.05)


def test_outcomes_parted_without_an_error_leave_the_slope_finite() -> None:
    found = fit_map(np.array([0.4] * 50 + [0.6] * 50), np.array([0.0] * 50 + [1.0] * 50), PLATT, least=0.0)

    assert 1.0 < found.slope < 1000.0


@pytest.mark.parametrize("happened", [0.0, 1.0])
def test_what_always_or_never_happened_is_not_certain(happened: float) -> None:
    found = fit_map(np.linspace(0.1, 0.9, 100), np.full(100, happened), PLATT, least=0.0)

    assert abs(found(0.5) - happened) == pytest.approx(1 / 102, abs=0.002)


def test_predictions_that_are_all_alike_become_the_mean() -> None:
    found = fit_map(np.full(100, 0.9), np.repeat([0.0, 1.0], 50), PLATT, least=0.0)

    assert found(0.9) == pytest.approx(0.5, abs=0.01)


def test_outcomes_that_fall_leave_a_level_map_at_their_mean() -> None:
    found = fit_map(np.linspace(0.1, 0.9, 100), np.linspace(0.9, 0.1, 100), PLATT, least=0.0)

    assert found.slope == LEAST_SLOPE
    assert found(0.5) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "magic"},
        {"method": PLATT, "slope": 0.0},
        {"method": PLATT, "slope": math.nan},
        {"method": PLATT, "offset": math.inf},
        {"method": PLATT, "least": 0.5},
        {"method": PLATT, "knots": (0.1,), "values": (0.1,)},
        {"method": ISOTONIC},
        {"method": ISOTONIC, "knots": (0.1, 0.2), "values": (0.5,)},
        {"method": ISOTONIC, "knots": (0.2, 0.1), "values": (0.1, 0.5)},
        {"method": ISOTONIC, "knots": (0.1, 0.2), "values": (0.5, 0.1)},
        {"method": ISOTONIC, "knots": (0.1, 0.2), "values": (0.5, 1.1)},
    ],
)
def test_a_map_that_falls_or_leaves_its_range_is_refused(fields: Mapping[str, object]) -> None:
    with pytest.raises(ConfigError):
        MonotoneMap(**fields)  # type: ignore[arg-type]


# The command


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `routesdk` in a folder with rows of the default's own models."""
    monkeypatch.chdir(tmp_path)
    write_examples(tmp_path / "rows.jsonl", make_examples(240, models=DEFAULT_MODELS))
    return Command(monkeypatch, capsys)


def test_the_command_writes_a_checkpoint_at_the_target(run: Command, tmp_path: Path) -> None:
    done = run("calibrate", "rows.jsonl", "--target-large-share", "0.3", "-o", "tuned", "--resamples", "200")

    assert done.code == 0, done.err
    assert "A large share of 30.0% is reached" in done.out
    assert done.out.rstrip().endswith("written to tuned")
    router = Router.from_pretrained(tmp_path / "tuned")
    assert router.calibration.recalibration is not None
    rows = make_examples(240, models=DEFAULT_MODELS)
    assert share(router, rows) == pytest.approx(0.3, abs=0.02)


def test_the_command_says_what_is_out_of_reach_and_writes_nothing(run: Command, tmp_path: Path) -> None:
    done = run(
        "calibrate", "rows.jsonl", "--target-quality", "1.0", "-o", "tuned", "--resamples", "200", "--json"
    )

    assert done.code == 3
    record = json.loads(done.out)
    assert record["checkpoint"] is None
    assert record["sentence"].startswith("This data cannot reach")
    assert not (tmp_path / "tuned").exists()


def test_the_command_needs_rows_and_one_target(run: Command) -> None:
    assert "nothing to calibrate on" in run("calibrate", "--target-quality", "0.5").err
    assert "no target" in run("calibrate", "rows.jsonl").err
    both = run("calibrate", "rows.jsonl", "--target-quality", "0.5", "--target-cost", "1")
    assert both.code == 2
    assert "at once" in both.err


def test_what_is_found_is_shown_whole() -> None:
    found = ABLE.calibrate(ROWS, target_large_share=0.3, resamples=QUICK)

    assert isinstance(found, Calibrated)
    assert found.rows == 400
    assert found.resamples == QUICK
