"""The verdict follows from the figures by its rules, and says so in plain words."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from evaluations import interval, make_evaluation
from payoffs import candidate, example, noisy, simulated
from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import Advice, Cost, Line, Verdict, evaluate
from routesdk.pipeline.evaluation.case import Case
from routesdk.pipeline.evaluation.verdict import find_verdict
from routesdk.types import Example, Tier


def case(**changes: object) -> Case:
    made = make_evaluation()
    whole = Case(
        tiers=made.tiers,
        rows=made.rows,
        router=made.router,
        others={line.name: line for line in made.lines[1:]},
        gap=interval(0.15),
        cost=made.cost,
        constant=False,
        shift=made.shift,
    )
    return attrs.evolve(whole, **changes)  # type: ignore[arg-type]


def with_line(given: Case, name: str, **changes: object) -> Case:
    line: Line = attrs.evolve(given.others[name], **changes)  # type: ignore[arg-type]
    return attrs.evolve(given, others={**given.others, name: line})


def with_apgr(given: Case, apgr: Interval | None) -> Case:
    return attrs.evolve(given, router=attrs.evolve(given.router, apgr=apgr))


def found(rows: tuple[Example, ...], skill: float, threshold: float = 0.1, seed: int = 1) -> Verdict:
    gains = noisy(rows, skill, seed)
    by_text = {row.query.text: gains[row.id] for row in rows}
    router = candidate("ours", lambda text: by_text[text], threshold).router
    return evaluate(router, rows, resamples=300, perturbations={}, timed=0, reasons=0).verdict


def test_a_router_that_ranks_and_gains_is_to_be_used() -> None:
    verdict = find_verdict(case())

    assert verdict.advice is Advice.ROUTE
    assert verdict.sentences[0].startswith("Route: ")
    assert "always medium" in verdict.sentences[0]
    assert any("saves 60 % of the cost (estimated)" in each for each in verdict.sentences)


def test_a_router_with_skill_is_told_to_route_and_one_without_is_not() -> None:
    rows = simulated(1500)

    assert found(rows, 0.8).advice is Advice.ROUTE
    assert found(rows, 0.0).advice is Advice.DO_NOT_ROUTE


def test_a_few_dozen_rows_are_not_enough_for_little_skill() -> None:
    verdict = found(simulated(60), 0.1)

    assert verdict.advice is Advice.NOT_ENOUGH_DATA
    assert "rows would do" in verdict.sentences[0]


def test_no_gap_between_the_models_is_no_reason_to_route() -> None:
    verdict = found(simulated(1500, large=0.3), 0.1)

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "no gap to recover" in verdict.sentences[0]


def test_a_gap_in_doubt_is_not_enough_data() -> None:
    verdict = find_verdict(with_apgr(case(gap=interval(0.02, 0.06)), None))

    assert verdict.advice is Advice.NOT_ENOUGH_DATA
    assert "gap to recover is itself in doubt" in verdict.sentences[0]


def test_models_that_are_right_on_different_rows_are_worth_routing_between_without_a_gap() -> None:
    rows = tuple(example(str(at), "IC" if at % 2 else "CI") for at in range(200))

    verdict = found(rows, 0.9, threshold=0.0)

    assert verdict.advice is Advice.ROUTE
    assert "tells which of them is right" in verdict.sentences[0]


def test_calls_that_cost_as_much_as_the_large_model_are_not_worth_it() -> None:
    cost = Cost(basis="recorded", note="", saved=interval(-0.1, 0.05))
    verdict = find_verdict(case(cost=cost))

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "cost no less than always large (costs 10.0 % more, recorded)" in verdict.sentences[0]
    assert any("Against always large it costs 10 % more (recorded)" in each for each in verdict.sentences)


def test_a_verdict_without_prices_says_that_savings_are_unknown() -> None:
    cost = Cost(basis="unknown", note="no price is known for medium-model")
    verdict = find_verdict(case(cost=cost))

    assert "What it saves in money is unknown: no price is known for medium-model." in verdict.sentences


def test_one_model_that_does_more_for_no_more_money_is_named() -> None:
    given = with_line(case(), "always medium", ahead=interval(-0.1, 0.05))
    verdict = find_verdict(given)

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "always medium (medium-model) is surely more accurate" in verdict.sentences[0]


def three_tiers(costs: tuple[float, float] | None, ahead: Interval, **changes: object) -> Case:
    """Return a case with a middle tier; costs are those of the router and of that tier."""
    given = case(**changes)
    small, large = given.tiers
    middle = attrs.evolve(
        given.others["always medium"],
        name="always middle",
        accuracy=interval(0.44),
        ahead=ahead,
        cost_usd=None if costs is None else interval(costs[1], 0.0),
    )
    router = attrs.evolve(given.router, cost_usd=None if costs is None else interval(costs[0], 0.0))
    others = {**given.others, middle.name: middle}
    return attrs.evolve(
        given, tiers=(small, Tier("middle", "middle-model"), large), router=router, others=others
    )


def test_a_middle_tier_that_is_as_good_for_less_is_no_reason_to_route() -> None:
    verdict = find_verdict(three_tiers((2.0, 1.0), interval(-0.005, 0.01)))

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "against always middle (middle-model), which costs no more, it gains -0.5" in verdict.sentences[0]
    assert "always middle 44.0 %" in verdict.sentences[1]


def test_a_middle_tier_that_may_be_as_good_for_less_needs_more_rows() -> None:
    verdict = find_verdict(three_tiers((2.0, 1.0), interval(-0.005, 0.03)))

    assert verdict.advice is Advice.NOT_ENOUGH_DATA


def test_a_middle_tier_that_costs_more_does_not_stand_in_the_way() -> None:
    assert find_verdict(three_tiers((1.0, 2.0), interval(-0.005, 0.01))).advice is Advice.ROUTE


def test_a_middle_tier_without_a_price_is_remarked() -> None:
    verdict = find_verdict(three_tiers(None, interval(-0.005, 0.01)))

    assert any("without prices nothing says which costs less" in each for each in verdict.sentences)


def test_no_gap_between_the_ends_does_not_hide_the_middle() -> None:
    given = three_tiers((2.0, 1.0), interval(-0.005, 0.01), gap=interval(-0.02, 0.03))
    # The router obtains 42 %, the middle tier 44 %.
    behind = with_line(given, "best single model", ahead=interval(-0.02, 0.03))
    verdict = find_verdict(with_apgr(behind, None))

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "always middle (middle-model) is the most accurate here, at 44.0 %" in verdict.sentences[0]


@pytest.mark.parametrize(("share", "tier"), [(0.0, "medium"), (1.0, "large")])
def test_an_operating_point_that_always_calls_one_model_is_named(share: float, tier: str) -> None:
    given = case()
    verdict = find_verdict(attrs.evolve(given, router=attrs.evolve(given.router, large_share=share)))

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert f"calls {tier} for every query" in verdict.sentences[0]
    assert "calibrate" in verdict.sentences[0]


def test_an_operating_point_that_gains_nothing_is_not_worth_paying_for() -> None:
    verdict = find_verdict(with_line(case(), "always medium", ahead=interval(0.0, 0.005)))

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "nothing worth paying for" in verdict.sentences[0]


def test_a_gain_that_may_be_worth_it_needs_more_rows() -> None:
    verdict = find_verdict(with_line(case(), "always medium", ahead=interval(0.02, 0.04)))

    assert verdict.advice is Advice.NOT_ENOUGH_DATA


def test_a_router_that_may_be_no_better_than_prompt_length_is_told_so() -> None:
    verdict = find_verdict(with_line(case(), "prompt length", apgr_ahead=interval(0.01, 0.05)))

    assert verdict.advice is Advice.ROUTE
    assert any(
        "no better, as far as these rows tell, than prompt length" in each for each in verdict.sentences
    )


def test_an_operating_point_that_prompt_length_matches_is_told_so() -> None:
    given = with_line(case(), "prompt length", ahead=interval(0.007, 0.01))

    assert any("prompt length does as well, as far" in each for each in find_verdict(given).sentences)
    worse = with_line(case(), "prompt length", ahead=interval(-0.02, 0.01))
    assert any("prompt length surely does better" in each for each in find_verdict(worse).sentences)
    assert not any("With as many calls" in each for each in find_verdict(case()).sentences)


def test_a_router_that_is_surely_worse_than_chance_is_not_called_unsure() -> None:
    given = with_line(case(), "random", ahead=interval(-0.05, 0.01))

    assert any("surely less accurate than as many calls" in each for each in find_verdict(given).sentences)


def test_a_router_that_is_surely_worse_than_prompt_length_is_not_to_be_used() -> None:
    verdict = find_verdict(with_line(case(), "prompt length", apgr_ahead=interval(-0.1, 0.05)))

    assert verdict.advice is Advice.DO_NOT_ROUTE
    assert "prompt length, which needs no model, ranks surely better" in verdict.sentences[0]


def test_one_that_is_better_than_prompt_length_is_not() -> None:
    assert not any("prompt length" in each for each in find_verdict(case()).sentences)


def test_rows_of_another_domain_are_remarked() -> None:
    usual = case()
    shifted = attrs.evolve(usual, shift=attrs.evolve(usual.shift, shifted=True, note="These look unlike."))

    assert find_verdict(shifted).sentences[-1] == "These look unlike."
    assert usual.shift.note not in find_verdict(usual).sentences


def test_a_share_of_calls_far_from_what_was_meant_is_remarked_where_the_ranking_is_sound() -> None:
    off, near = (" ".join(find_verdict(case(meant_share=share)).sentences) for share in (0.8, 0.3))

    assert "meant to send 80 % of the training mix up from medium, and sends 31 % of these" in off
    assert "meant to send" not in near
    unsound = with_apgr(case(meant_share=0.8), interval(0.5, 0.02))
    assert "meant to send" not in " ".join(find_verdict(unsound).sentences)


def test_rows_of_the_same_make_lead_to_the_same_verdict_whatever_their_order() -> None:
    rows = simulated(400)
    turned = tuple(rows[at] for at in np.random.default_rng(3).permutation(400))

    assert found(rows, 0.7).advice is found(turned, 0.7).advice is Advice.ROUTE


def test_every_verdict_says_what_the_router_does() -> None:
    verdict = find_verdict(case())

    # As the tables write it.
    told = "has accuracy 42.0 %, where always medium has 28.0 %, always large 43.0 %, and the oracle 48.0 %."
    assert verdict.sentences[1].endswith(told)


@pytest.mark.slow
def test_routers_that_guess_are_rarely_told_to_route() -> None:
    told = [found(simulated(200, seed=seed), 0.0, seed=1000 + seed).advice for seed in range(120)]

    # 2.5 % are expected; 9 or more of 120 happen by chance in less than one case of a thousand.
    assert told.count(Advice.ROUTE) <= 8
    assert told.count(Advice.DO_NOT_ROUTE) > 40
