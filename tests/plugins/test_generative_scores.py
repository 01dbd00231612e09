"""Scores of policies' names, and their calibration: numpy alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.plugins.generative.scaling import Scaling, fit_scaling
from routesdk.plugins.generative.tree import Tree

END = 99

names = st.lists(
    st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple), min_size=2, max_size=6, unique=True
)


def constrained(tree: Tree, labels: list[tuple[int, ...]], logits: dict[tuple[int, ...], np.ndarray]) -> int:
    """Decode greedily among the tokens that some label goes on with."""
    path: tuple[int, ...] = ()
    while path not in [(*label, END) for label in labels]:
        going = sorted({(*label, END)[len(path)] for label in labels if (*label, END)[: len(path)] == path})
        best = going[0]
        if len(going) > 1:
            best = going[int(logits[path].argmax())]
        path = (*path, best)
    return [(*label, END) for label in labels].index(path)


@given(names, st.integers(0, 1000))
def test_scores_are_a_distribution_over_names_however_they_share_tokens(
    labels: list[tuple[int, ...]], seed: int
) -> None:
    tree = Tree.of(labels, END)
    random = np.random.default_rng(seed)
    logits = [random.normal(size=(5, len(branch.allowed))) * 5 for branch in tree.branches]

    scores = tree.scores(logits)

    assert scores.shape == (5, len(labels))
    assert np.exp(scores).sum(axis=1) == pytest.approx(1.0)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6, unique=True), st.integers(0, 1000))
def test_of_names_that_part_at_once_the_best_score_is_what_constrained_decoding_writes(
    firsts: list[int], seed: int
) -> None:
    labels = [(first, *range(60, 60 + at)) for at, first in enumerate(firsts)]
    tree = Tree.of(labels, END)
    logits = [np.random.default_rng(seed).normal(size=(1, len(branch.allowed))) for branch in tree.branches]

    best = int(tree.scores(logits)[0].argmax())

    assert len(tree.branches) == 1
    assert best == constrained(
        tree, labels, {branch.path: each[0] for branch, each in zip(tree.branches, logits, strict=True)}
    )


def test_a_long_name_is_not_scored_down_for_its_length() -> None:
    tree = Tree.of([(1,), (2, 3, 4, 5)], END)

    assert tree.scores([np.zeros((1, 2))])[0] == pytest.approx(np.log([0.5, 0.5]))


def test_a_name_that_another_one_begins_with_is_told_apart_by_what_ends_it() -> None:
    tree = Tree.of([(1,), (1, 2)], END)

    assert [(branch.path, branch.allowed) for branch in tree.branches] == [((1,), (2, END))]
    assert tree.paths == ((1,),)
    assert tree.scores([np.log([[0.25, 0.75]])])[0] == pytest.approx(np.log([0.75, 0.25]))


def drawn(scale: np.ndarray, offset: np.ndarray, rows: int = 6000) -> tuple[np.ndarray, list[int]]:
    random = np.random.default_rng(0)
    scores = np.log(random.dirichlet([1.0, 2.0, 3.0], rows))
    chances = Scaling(method="vector", scale=tuple(scale), offset=tuple(offset)).probabilities(scores)
    return scores, [int(random.choice(3, p=row)) for row in chances]


def test_a_temperature_is_found_again() -> None:
    scores, labels = drawn(np.full(3, 0.5), np.zeros(3))

    found = fit_scaling(scores, labels, "temperature")

    assert found.scale == pytest.approx((0.5,) * 3, abs=0.03)
    assert found.offset == (0.0,) * 3
    assert found.rows == 6000


def test_a_vector_scaling_predicts_like_the_one_that_made_the_labels() -> None:
    scale, offset = np.array([0.6, 0.5, 0.4]), np.array([0.0, 0.8, -0.5])
    scores, labels = drawn(scale, offset)

    found = fit_scaling(scores, labels)

    true = Scaling(method="vector", scale=tuple(scale), offset=tuple(offset)).probabilities(scores)
    assert np.abs(found.probabilities(scores) - true).mean() < 0.02


@pytest.mark.parametrize("method", ["vector", "temperature"])
def test_no_scores_and_no_labels_break_the_fit(method: str) -> None:
    random = np.random.default_rng(1)
    for scores, labels in (
        (np.log(random.dirichlet([0.01, 0.01, 0.01], 20) + 1e-30), [0] * 20),
        (np.zeros((5, 3)), [0, 1, 2, 0, 1]),
        (random.normal(size=(4, 3)) * 300, [0, 1, 1, 2]),
    ):
        values = fit_scaling(scores, labels, method).probabilities(scores)
        assert np.isfinite(values).all()
        assert values.sum(axis=1) == pytest.approx(1.0)


def test_a_scaling_reads_back() -> None:
    scores, labels = drawn(np.ones(3), np.zeros(3), rows=50)
    found = fit_scaling(scores, labels)

    assert Scaling.read(found.record()) == found
