"""Agreement is what it is by hand, and its interval draws whole questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routesdk.errors import MetricError
from routesdk.metrics import agreement, agreement_interval, cohens_kappa, confusion, kappa_interval

# Fifty rows: both yes 20, yes and no 5, no and yes 10, both no 15.
FIRST = ["yes"] * 25 + ["no"] * 25
SECOND = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15

CATEGORIES = st.sampled_from(["a", "b", "c"])
PAIRS = st.lists(st.tuples(CATEGORIES, CATEGORIES), min_size=1, max_size=60)


def test_kappa_is_what_it_is_by_hand() -> None:
    # Observed 35/50; by chance 25/50 * 30/50 + 25/50 * 20/50 = 0.5; (0.7 - 0.5) / (1 - 0.5) = 0.4.
    assert agreement(FIRST, SECOND) == pytest.approx(0.7)
    assert cohens_kappa(FIRST, SECOND) == pytest.approx(0.4)


def test_kappa_of_three_categories_is_what_it_is_by_hand() -> None:
    first = ["a", "a", "a", "b", "b", "c"]
    second = ["a", "a", "b", "b", "c", "c"]

    # Observed 4/6; by chance (3*2 + 2*2 + 1*2) / 36 = 1/3; (2/3 - 1/3) / (2/3) = 1/2.
    assert cohens_kappa(first, second) == pytest.approx(0.5)


def test_the_table_counts_pairs_in_the_order_that_is_wanted() -> None:
    found = confusion(FIRST, SECOND, ["yes", "no", "never"])

    assert found.categories == ("yes", "no", "never")
    assert found.table == ((20, 5, 0), (10, 15, 0), (0, 0, 0))


@given(PAIRS)
def test_identities_hold(pairs: list[tuple[str, str]]) -> None:
    first, second = [one for one, _ in pairs], [two for _, two in pairs]
    table = np.array(confusion(first, second).table)

    assert table.sum() == len(pairs)
    assert np.trace(table) / len(pairs) == pytest.approx(agreement(first, second))
    assert (np.array(confusion(second, first).table) == table.T).all()
    assume(len({*first, *second}) > 1)
    value = cohens_kappa(first, second)
    assert -1 <= value <= agreement(first, second) + 1e-12
    assert value == pytest.approx(cohens_kappa(second, first))
    # Names carry nothing, and more of the same rows neither.
    renamed = {"a": "x", "b": "y", "c": "z"}
    assert value == pytest.approx(
        cohens_kappa([renamed[each] for each in first] * 2, [renamed[each] for each in second] * 2)
    )
    assert cohens_kappa(first, first) == pytest.approx(1.0) if len({*first}) > 1 else True


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ([], [], "no rows"),
        (["a"], ["a", "b"], "1 and 2 rows"),
        (["a", "a"], ["a", "a"], "'a' to every row"),
    ],
)
def test_kappa_is_undefined_where_it_says_nothing(first: list[str], second: list[str], problem: str) -> None:
    with pytest.raises(MetricError) as caught:
        cohens_kappa(first, second)

    assert problem in caught.value.problem


def test_raters_of_one_category_each_agree_by_chance_alone() -> None:
    assert cohens_kappa(["a", "a"], ["b", "b"]) == 0.0
    assert cohens_kappa(["a", "a"], ["a", "b"]) == 0.0


def test_an_interval_holds_the_value_and_repeats_itself() -> None:
    groups = [str(row // 2) for row in range(50)]

    first = kappa_interval(FIRST, SECOND, groups, seed=3)

    assert first == kappa_interval(FIRST, SECOND, groups, seed=3)
    assert first.low < first.value < first.high
    assert first.value == pytest.approx(0.4)
    assert first.rows == 50
    assert agreement_interval(FIRST, SECOND, groups).value == pytest.approx(0.7)


def test_rows_that_hang_together_make_the_interval_wider() -> None:
    generator = np.random.default_rng(0)
    right = generator.random(100) < 0.7
    first = ["right"] * 500
    second = ["right" if each else "wrong" for each in np.repeat(right, 5)]
    questions = [str(row // 5) for row in range(500)]

    whole = agreement_interval(first, second, questions)
    apart = agreement_interval(first, second, [str(row) for row in range(500)])

    # Five copies of a row say no more than one: the width grows by the root of five.
    assert (whole.high - whole.low) / (apart.high - apart.low) == pytest.approx(5**0.5, rel=0.2)


def test_an_interval_needs_a_group_for_each_row() -> None:
    with pytest.raises(MetricError, match="50 rows and 3 groups"):
        kappa_interval(FIRST, SECOND, ["a", "b", "c"])


@pytest.mark.parametrize(("share", "low", "high"), [(1.0, 0.7225, 1.0), (0.0, 0.0, 0.2775)])
def test_full_agreement_and_none_have_intervals_with_a_width(share: float, low: float, high: float) -> None:
    # Wilson's interval for 10 of 10: 1 / (1 + z * z / 10) is 0.7225.
    first = ["yes", "no"] * 5
    second = first if share else first[1:] + first[:1]

    found = agreement_interval(first, second, [str(row) for row in range(10)])

    assert (found.value, found.low) == (share, pytest.approx(low, abs=1e-4))
    assert found.high == pytest.approx(high, abs=1e-4)


def test_a_perfect_kappa_has_an_interval_with_a_width() -> None:
    graded = ["yes", "no"] * 5

    found = kappa_interval(graded, graded, [str(row) for row in range(10)])

    assert (found.value, found.high) == (1.0, 1.0)
    # Chance brings 1/2, and 0.7225 is the least share that Wilson's interval holds: 0.2225 of 0.5.
    assert found.low == pytest.approx(0.4449, abs=1e-4)
