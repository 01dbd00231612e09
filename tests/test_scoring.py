"""From probabilities to policies, gains and tiers; thresholds that send the wanted share up."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from routers import make_router
from routesdk.errors import ConfigError, PolicyParseError, PredictionError
from routesdk.manifest import Calibration
from routesdk.plugins.cheapest_correct.matrix import CheapestCorrect
from routesdk.plugins.nine_cell.matrix import NineCell
from routesdk.scoring import ALWAYS, NEVER, Scorer, thresholds_for_share
from routesdk.testing import FakePolicyModel
from routesdk.types import GRADES, Grade, OperatingPoint, Policy, PredictionBatch, Query, Tier

NAMES = ("medium", "large", "huge", "vast")
CELLS = ("CC", "CI", "CA", "IC", "II", "IA", "AC", "AI", "AA")
POLICY_OF = dict(zip(CELLS, ("S", "S", "S", "C", "A", "C", "C", "A", "A"), strict=True))
POLICIES = ("Standard_Query", "Complex_Query", "Ambiguous_Query")


def scorer(tiers: int = 2, gains: Mapping[str, tuple[float, ...]] | None = None) -> Scorer:
    matrix = NineCell() if tiers == 2 else CheapestCorrect(tiers=NAMES[:tiers])
    return Scorer.of(matrix, gains)


def one_hot(size: int, at: int) -> NDArray[np.float64]:
    return np.eye(size)[[at]]


def random_mixture(
    seed: int, rows: int, parts: int, tiers: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(parts), rows), random.dirichlet(np.ones(3), (rows, parts, tiers))


# Cells.


@pytest.mark.parametrize(("at", "cell"), list(enumerate(CELLS)))
def test_each_of_the_nine_cells_has_its_policy_its_correctness_and_its_gain(at: int, cell: str) -> None:
    (prediction,) = scorer().score(PredictionBatch(cells=one_hot(9, at)), 1, "fake")

    likeliest = max(prediction.probabilities, key=prediction.probabilities.__getitem__)
    assert likeliest[0] == POLICY_OF[cell]
    assert prediction.correct == (float(cell[0] == "C"), float(cell[1] == "C"))
    assert prediction.gains == (float(cell[1] == "C") - float(cell[0] == "C"),)
    assert prediction.expected_gain == prediction.gains[0]
    assert not prediction.derived


@pytest.mark.parametrize("tiers", [2, 3, 4])
def test_the_dearest_tier_s_grade_changes_fastest(tiers: int) -> None:
    for at, grades in enumerate(itertools.product(GRADES, repeat=tiers)):
        (prediction,) = scorer(tiers).score(PredictionBatch(cells=one_hot(3**tiers, at)), 1, "fake")
        assert prediction.correct == tuple(float(grade is Grade.CORRECT) for grade in grades)


def test_probabilities_over_policies_are_the_sums_of_their_cells() -> None:
    row = np.random.default_rng(0).dirichlet(np.ones(9))

    (prediction,) = scorer().score(PredictionBatch(cells=row[None]), 1, "fake")

    for name, value in prediction.probabilities.items():
        wanted = sum(p for p, cell in zip(row, CELLS, strict=True) if POLICY_OF[cell] == name[0])
        assert value == pytest.approx(wanted)
    assert sum(prediction.values) == pytest.approx(1)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(2, 4))
def test_the_joint_of_a_mixture_equals_brute_force(seed: int, rows: int, parts: int, tiers: int) -> None:
    weights, grades = random_mixture(seed, rows, parts, tiers)

    joint = PredictionBatch(weights=weights, grades=grades).joint()

    assert joint.shape == (rows, 3**tiers)
    for at, cell in enumerate(itertools.product(range(3), repeat=tiers)):
        for row in range(rows):
            wanted = sum(
                weights[row, part] * np.prod([grades[row, part, tier, g] for tier, g in enumerate(cell)])
                for part in range(parts)
            )
            assert joint[row, at] == pytest.approx(wanted)


def test_a_mixture_is_more_than_the_product_of_its_marginals() -> None:
    # Either both tiers know it, or neither: nobody gains by escalating, and CI never happens.
    weights, right, wrong = np.array([[0.5, 0.5]]), [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    grades = np.array([[[right, right], [wrong, wrong]]])

    (prediction,) = scorer().score(PredictionBatch(weights=weights, grades=grades), 1, "fake")

    assert prediction.probabilities == {
        "Standard_Query": 0.5,
        "Complex_Query": 0.0,
        "Ambiguous_Query": 0.5,
    }
    assert prediction.gains == (0.0,)


def test_a_batch_of_policies_alone_has_no_cells() -> None:
    batch = PredictionBatch(policies=np.ones((1, 3)) / 3, policy_names=POLICIES)

    with pytest.raises(PredictionError) as caught:
        batch.joint()

    assert "no cells" in caught.value.problem


@pytest.mark.parametrize("forms", [{}, {"cells": 9, "policies": 3}])
def test_a_batch_has_exactly_one_form(forms: dict[str, int]) -> None:
    arrays = {name: np.ones((1, width)) / width for name, width in forms.items()}

    with pytest.raises(PredictionError) as caught:
        PredictionBatch(**arrays)  # type: ignore[arg-type]

    assert "exactly one" in caught.value.problem


# Derived gains, where a policy model knows policies alone.

GAINS = {"Standard_Query": (-0.1,), "Complex_Query": (0.9,), "Ambiguous_Query": (0.0,)}


def test_gains_are_derived_from_policies_by_their_means_and_marked() -> None:
    batch = PredictionBatch(policies=np.array([[0.2, 0.5, 0.3]]), policy_names=POLICIES)

    (prediction,) = scorer(gains=GAINS).score(batch, 1, "fake")

    assert prediction.derived
    assert prediction.correct == ()
    assert prediction.expected_gain == pytest.approx(0.2 * -0.1 + 0.5 * 0.9)


def test_columns_may_come_in_any_order() -> None:
    names = ("Complex_Query", "Ambiguous_Query", "Standard_Query")
    batch = PredictionBatch(policies=np.array([[0.5, 0.3, 0.2]]), policy_names=names)

    (prediction,) = scorer(gains=GAINS).score(batch, 1, "fake")

    assert prediction.policies == POLICIES
    assert prediction.values == (0.2, 0.5, 0.3)


@pytest.mark.parametrize("gains", [None, {}, {"Standard_Query": (0.1,)}, dict.fromkeys(GAINS, (0.1, 0.2))])
def test_without_mean_gains_policies_alone_say_what_is_missing(
    gains: Mapping[str, tuple[float, ...]] | None,
) -> None:
    batch = PredictionBatch(policies=np.array([[0.2, 0.5, 0.3]]), policy_names=POLICIES)

    with pytest.raises(PredictionError) as caught:
        scorer(gains=gains).score(batch, 1, "fake")

    assert caught.value.policy_model == "fake"
    assert "policy_gains" in caught.value.problem


def test_a_policy_that_the_matrix_lacks_is_named() -> None:
    batch = PredictionBatch(
        policies=np.array([[0.5, 0.5]]), policy_names=("Standard_Query", "Complicated_Query")
    )

    with pytest.raises(PolicyParseError) as caught:
        scorer(gains=GAINS).score(batch, 1, "fake")

    assert attrs.astuple(caught.value) == ("Complicated_Query", POLICIES)


@pytest.mark.parametrize(
    ("names", "width"),
    [
        (POLICIES[:2], 2),
        ((*POLICIES, "Standard_Query"), 4),
        (("Standard_Query", "Standard_Query", "Complex_Query"), 3),
        (POLICIES[::-1], 2),
        ((), 3),
    ],
)
def test_columns_that_are_missing_or_stand_twice_are_refused(names: tuple[str, ...], width: int) -> None:
    batch = PredictionBatch(policies=np.ones((1, width)) / width, policy_names=names)

    with pytest.raises(PredictionError) as caught:
        scorer(gains=GAINS).score(batch, 1, "fake")

    assert caught.value.policy_model == "fake"


# What is no valid prediction.

GOOD = [1 / 9] * 9


@pytest.mark.parametrize(
    "row",
    [
        [0.2] * 9,
        [0.0] * 9,
        [1.5, -0.5, *[0.0] * 7],
        [float("nan"), *[0.125] * 8],
        [float("inf"), *[0.0] * 8],
        [float("inf"), float("-inf"), *[0.0] * 7],
        [1.001, *[0.0] * 8],
    ],
)
@pytest.mark.parametrize("more", [0, 200])
def test_probabilities_that_are_none_name_the_policy_model_and_the_row(row: list[float], more: int) -> None:
    batch = PredictionBatch(cells=np.array([GOOD, GOOD, row, *[GOOD] * more]))

    with pytest.raises(PredictionError) as caught:
        scorer().score(batch, 3 + more, "fake")

    assert caught.value.policy_model == "fake"
    assert "row 2 is" in caught.value.problem


def test_probabilities_in_float32_may_be_off_by_rounding() -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(9), 500).astype(np.float32)

    predictions = scorer().score(PredictionBatch(cells=rows), 500, "fake")

    assert len(predictions) == 500
    assert all(type(value) is float for value in predictions[0].values)


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (PredictionBatch(cells=np.ones((2, 9)) / 9), "(2, 9)"),
        (PredictionBatch(cells=np.ones((1, 3)) / 3), "(1, 3)"),
        (PredictionBatch(cells=np.ones(9) / 9), "(9,)"),
        (PredictionBatch(cells=[GOOD]), "list"),  # type: ignore[arg-type]
        (PredictionBatch(cells=np.array([["a"] * 9])), "array of numbers"),
        (PredictionBatch(cells=np.ones((1, 9)) / 9, cut=np.zeros(2, dtype=np.bool_)), "cut"),
        (PredictionBatch(weights=np.ones((1, 2)) / 2, grades=np.ones((1, 1, 2, 3)) / 3), "weights"),
        (PredictionBatch(weights=np.ones((1, 1)), grades=np.ones((1, 1, 3, 3)) / 3), "2 tiers"),
        (PredictionBatch(weights=np.ones((1, 1)), grades=np.ones((1, 1, 2, 2)) / 2), "(1, 1, 2, 2)"),
        (PredictionBatch(weights=np.ones((1, 1)), grades=np.ones((1, 2, 3)) / 3), "(1, 2, 3)"),
        (PredictionBatch(weights=np.ones((1, 1)) * 2, grades=np.ones((1, 1, 2, 3)) / 3), "sum 2"),
        (None, "NoneType"),
        ([], "list"),
        ({"cells": GOOD}, "dict"),
    ],
)
def test_what_is_no_batch_for_one_query_says_what_is_wrong(batch: object, said: str) -> None:
    with pytest.raises(PredictionError) as caught:
        scorer().score(batch, 1, "fake")  # type: ignore[arg-type]

    assert caught.value.policy_model == "fake"
    assert said in caught.value.problem


def test_a_wrong_batch_is_an_error_of_the_router_too() -> None:
    class Broken(FakePolicyModel):
        def predict(self, queries: object) -> PredictionBatch:
            return PredictionBatch(cells=np.full((1, 9), 0.2))

    router = make_router(model=Broken(cells={"CC": 1.0}))

    with pytest.raises(PredictionError) as caught:
        router.route("Who?")

    assert caught.value.policy_model == "Broken"
    assert "sum 1.8" in caught.value.problem


# Matrices.


@attrs.frozen(kw_only=True)
class OddMatrix:
    """A matrix that gives one policy to every cell, and lists what it is told."""

    policies: tuple[Policy, ...]
    given: Policy
    tiers: tuple[str, ...] = ("medium", "large")

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        return self.given

    def reason(self, grades: tuple[Grade, ...]) -> str:
        return "so it is"


def test_a_matrix_must_list_what_it_gives() -> None:
    down, up = Policy("Down", "", "medium"), Policy("Up", "", "large")

    with pytest.raises(ConfigError) as caught:
        Scorer.of(OddMatrix(policies=(down, up), given=Policy("Sideways", "", "medium")))

    assert (caught.value.key, caught.value.value) == ("matrix.policies", "Sideways")


def test_a_matrix_must_have_a_policy_for_each_tier() -> None:
    down = Policy("Down", "", "medium")

    with pytest.raises(ConfigError) as caught:
        Scorer.of(OddMatrix(policies=(down,), given=down))

    assert (caught.value.key, caught.value.value) == ("matrix.policies", "large")


# The tier, and its likeliest policy.


@pytest.mark.parametrize(
    ("threshold", "tier", "policy"),
    [(0.25, 1, "Complex_Query"), (0.250001, 0, "Ambiguous_Query"), (NEVER, 0, "Ambiguous_Query")],
)
def test_a_gain_that_reaches_the_threshold_climbs_and_the_tier_s_likeliest_policy_decides(
    threshold: float, tier: int, policy: str
) -> None:
    # Ambiguous is likelier than Standard, and both than Complex: the argmax alone would never climb.
    cells = np.array([[0.25, 0, 0, 0.25, 0.5, 0, 0, 0, 0]])
    table = scorer()
    (prediction,) = table.score(PredictionBatch(cells=cells), 1, "fake")

    found, index = table.decide(prediction, OperatingPoint((threshold,)))

    assert (found, table.policies[index].name) == (tier, policy)


def test_a_query_climbs_step_by_step_and_stops_at_the_first_step_that_does_not_pay() -> None:
    table = scorer(4)
    (prediction,) = table.score(PredictionBatch(cells=one_hot(81, 40)), 1, "fake")
    climbing = attrs.evolve(prediction, gains=(0.5, 0.1, 0.9))

    tiers = [
        table.decide(climbing, OperatingPoint(thresholds))[0]
        for thresholds in ((0.6, 0, 0), (0.5, 0.2, 0), (0.5, 0.1, 0.95), (0.5, 0.1, 0.9))
    ]

    assert tiers == [0, 1, 2, 3]


# Shares.


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 3),
    rows=st.integers(1, 400),
    share=st.floats(0, 1),
)
def test_thresholds_send_the_wanted_share_of_those_below_up_each_step(
    seed: int, steps: int, rows: int, share: float
) -> None:
    gains = np.random.default_rng(seed).uniform(-1, 1, (rows, steps))

    thresholds = thresholds_for_share(gains, (share,) * steps)

    standing = np.arange(rows)
    for step, threshold in enumerate(thresholds):
        climbed = standing[gains[standing, step] >= threshold]
        assert len(climbed) == round(share * len(standing))
        standing = climbed


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_no_share_never_climbs_and_the_whole_share_always_does(steps: int) -> None:
    gains = np.random.default_rng(1).uniform(-1, 1, (50, steps))

    assert thresholds_for_share(gains, (0.0,) * steps) == (NEVER,) * steps
    assert thresholds_for_share(gains, (1.0,) * steps) == (ALWAYS,) * steps
    assert ALWAYS < -1
    assert NEVER > 1


def test_rows_of_one_gain_climb_together_or_not_at_all() -> None:
    gains = np.array([[0.5]] * 6 + [[0.1]] * 4)

    (threshold,) = thresholds_for_share(gains, (0.3,))

    assert (gains >= threshold).sum() in (0, 6)


@pytest.mark.parametrize("tiers", [2, 3, 4])
def test_a_router_sends_the_wanted_share_of_its_reference_rows_up(tiers: int) -> None:
    bound = [Tier(name, f"{name}-m") for name in NAMES[:tiers]]
    texts = [f"{'x' * length} {length}" for length in range(1, 101)]

    def predict(query: Query) -> Mapping[str, float]:
        gain = len(query.text) / 120
        return (
            {"I" * (tiers - 1) + "C": gain, "C" * tiers: 1 - gain}
            if tiers == 2
            else {
                "C" * tiers: 1 - gain,
                "I" + "C" * (tiers - 1): gain * 0.6,
                "I" * (tiers - 1) + "C": gain * 0.4,
            }
        )

    router = make_router(predict, tiers=bound, references=texts, point=0.3)
    placed = [decision.tier for decision in router.route_batch(texts)]

    assert sum(tier != "medium" for tier in placed) == 30


def test_quantiles_of_gains_stand_in_for_reference_rows() -> None:
    quantiles = tuple(index / 100 for index in range(101))
    router = make_router(point=0.25, calibration=Calibration(gain_quantiles=(quantiles,)))

    assert router.operating_point.thresholds[0] == pytest.approx(0.755, abs=0.006)
    assert router.operating_point.large_share == 0.25


def test_without_reference_rows_a_share_cannot_be_met_and_the_error_says_what_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        make_router().route("Who?", large_share=0.5)

    assert caught.value.key == "large_share"
    assert "operating_point" in caught.value.fix
