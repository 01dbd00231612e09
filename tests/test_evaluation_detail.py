"""The parts of an evaluation: cells, mistakes, groups, other wordings, reasons, more than two tiers."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judging import judged, skilled, told, value_of
from payoffs import FOUR, LEARNED, RIGHT, candidate, example, scored_row, simulated
from routers import make_router
from routesdk.manifest import PartRecord
from routesdk.pipeline.evaluation import Evaluation, from_record, to_record
from routesdk.pipeline.shift import learn_shift
from routesdk.pretrained import assemble_router
from routesdk.testing import MODELS, FakeObserver, FakePolicyModel, make_catalogue, make_examples
from routesdk.types import Example, OperatingPoint, Tier


@pytest.fixture(scope="module")
def graded() -> tuple[Example, ...]:
    return make_examples(180)


@pytest.fixture(scope="module")
def found(graded: tuple[Example, ...]) -> Evaluation:
    return judged(skilled(graded), graded, reasons=20, timed=5)


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
    assert np.diag(table).sum() / found.rows == pytest.approx(value_of(found, "decided_policy"))


def test_shares_of_policies_and_models_add_up(found: Evaluation) -> None:
    assert sum(each.decided.value for each in found.policy_shares) == pytest.approx(1.0)
    assert sum(each.recorded or 0.0 for each in found.policy_shares) == pytest.approx(1.0)
    assert [each.name for each in found.model_shares] == list(MODELS)
    assert found.model_shares[1].decided.value == pytest.approx(found.router.large_share)


def test_wordings_that_change_nothing_for_a_router_leave_its_decisions(graded: tuple[Example, ...]) -> None:
    evaluation = judged(attrs.evolve(make_router(), training_hashes=lambda: LEARNED), graded)

    assert [each.name for each in evaluation.perturbations] == ["case", "typos", "whitespace", "politeness"]
    for each in evaluation.perturbations:
        assert each.same_tier.value == 1.0
        # A bootstrap that never saw a change would claim to be certain.
        assert each.same_tier.low < 1.0
        assert each.gain_shift.value == 0.0
    assert value_of(evaluation, "same_tier_typos") == value_of(evaluation, "robustness") == 1.0


def test_a_router_that_reads_capitals_is_found_out() -> None:
    rows = [example(str(at), "IC", text=f"WHO was number {at}?") for at in range(40)]
    router = candidate("ours", lambda text: 0.9 if "WHO" in text else 0.0).router
    changes = {"case": str.lower, "half": lambda text: text.replace("WHO", "Who") if "1" in text else text}
    evaluation = judged(router, rows, perturbations=changes)

    case, half = evaluation.perturbations
    assert half.rows == 13
    # All of one wording change, and of the other 13 of 40.
    assert value_of(evaluation, "robustness") == pytest.approx((0 + 27 / 40) / 2)
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


CELLS = st.sampled_from(["CC", "CI", "CA", "IC", "II", "IA", "AC", "AI", "AA"])
GAINS = st.sampled_from([-1.0, -0.2, 0.0, 0.2, 0.3, 1.0])


@settings(max_examples=40)
@given(st.lists(st.tuples(CELLS, GAINS, st.sampled_from(["a", "b", None])), min_size=1, max_size=12))
def test_any_outcomes_give_figures_that_json_can_carry(drawn: list[tuple[str, float, str | None]]) -> None:
    rows = [attrs.evolve(example(str(at), cell), topic=topic) for at, (cell, _, topic) in enumerate(drawn)]
    evaluation = judged(told({str(at): gain for at, (_, gain, _) in enumerate(drawn)}), rows, resamples=20)

    text = json.dumps(to_record(evaluation, results=True), allow_nan=False)
    assert from_record(json.loads(text)) == evaluation
    assert sum(cell.rows for cell in evaluation.cells) == len(rows)
    assert 0.0 <= evaluation.router.accuracy.low <= evaluation.router.accuracy.high <= 1.0
    assert evaluation.router.accuracy.value <= evaluation.line("oracle").accuracy.value


def test_rows_that_look_unlike_what_was_learned_from_are_counted() -> None:
    texts = [f"question {at}?" for at in range(120)]
    shift = learn_shift({"train": texts})
    odd = [example(f"odd {at}", "IC", text=f"<<<{at}>>> SELECT * FROM t;\n" * 20) for at in range(20)]
    usual = [example(str(at), "CC") for at in range(500, 540)]
    router = attrs.evolve(told({}), shift=shift)
    evaluation = judged(router, [*odd, *usual])

    assert evaluation.shift.share is not None
    assert evaluation.shift.share.value >= 1 / 3
    assert evaluation.shift.expected == 0.05
    assert evaluation.shift.shifted
    assert evaluation.verdict.sentences[-1] == evaluation.shift.note
    assert evaluation.shift.examples
    assert all(each.startswith("odd") for each in evaluation.shift.examples)
    assert "look unlike" in evaluation.shift.note
    assert all(each.unlike is not None for each in evaluation.results)


def test_a_checkpoint_that_cannot_tell_says_so(found: Evaluation) -> None:
    assert found.shift.share is None
    assert "no shift score" in found.shift.note


def test_many_rows_left_out_are_warned_of_and_few_are_not() -> None:
    lame = [
        attrs.evolve(row, id=f"lame {at}", outcomes={MODELS[0]: row.outcomes[MODELS[0]]})
        for at, row in enumerate(simulated(20))
    ]
    many, few = (judged(told({}), (*simulated(100), *lame[:count])).notes for count in (20, 1))

    assert any("so many are left out" in note for note in many)
    assert not any("so many are left out" in note for note in few)


def test_tiers_that_do_not_stand_cheapest_first_are_remarked() -> None:
    usual = told(RIGHT)
    turned = usual.mapping.catalogue.with_price(MODELS[0], input_usd_per_mtok=90, output_usd_per_mtok=90)
    router = attrs.evolve(usual, mapping=attrs.evolve(usual.mapping, catalogue=turned))

    assert any("meant to stand cheapest first" in note for note in judged(router, FOUR).notes)
    assert not any("meant to stand cheapest first" in note for note in judged(usual, FOUR).notes)


@pytest.mark.parametrize("seed", range(6))
def test_groups_that_few_resamples_have_rows_of_are_measured_all_the_same(seed: int) -> None:
    evaluation = judged(told(RIGHT), FOUR, resamples=2, seed=seed)

    for each in evaluation.breakdowns:
        for group in each.groups:
            assert 0.0 <= group.accuracy.low <= group.accuracy.high <= 1.0
            assert group.accuracy.rows == group.rows
