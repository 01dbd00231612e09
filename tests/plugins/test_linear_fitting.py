from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.heads.link import fit_link
from routesdk.heads.mixture import (
    NODES,
    WEIGHTS,
    grade_probabilities,
    one_pair_cells,
    shifts,
    two_tier_cells,
)
from routesdk.heads.solver import Design, fit_logistic
from routesdk.words.heads import quantised

LOGITS = st.lists(st.floats(-400, 400), min_size=4, max_size=4)
LOADINGS = st.lists(st.floats(-5, 5), min_size=4, max_size=4)


def make_design(rows: int = 300, width: int = 12, seed: int = 0) -> Design:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, rows)
    return Design(
        starts=np.cumsum(sizes) - sizes,
        columns=rng.integers(0, width, sizes.sum()),
        values=rng.random(sizes.sum()).astype(np.float32),
        dense=rng.normal(size=(rows, 3)).astype(np.float32),
        width=width,
    )


def as_matrix(design: Design) -> np.ndarray:
    return np.stack([design.times(unit) for unit in np.eye(design.parameters)], axis=1)


# The hidden difficulty.


@given(LOGITS, LOADINGS)
def test_cells_are_probabilities_and_one_row_gives_what_a_batch_gives(
    logits: list[float], loadings: list[float]
) -> None:
    shift = shifts(np.array(loadings))

    batch = two_tier_cells(grade_probabilities(np.array([logits, logits]), shift))
    alone = one_pair_cells(logits, shift.T.tolist())

    assert (batch >= 0).all()
    np.testing.assert_allclose(batch.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(batch[0], alone, atol=1e-9)
    assert min(alone) >= 0


def test_without_loadings_the_joint_is_the_product_of_marginals() -> None:
    cells = two_tier_cells(grade_probabilities(np.array([[0.3, -0.2, 1.0, -2.0]]), np.zeros((4, len(NODES)))))

    table = cells.reshape(3, 3)
    np.testing.assert_allclose(table, np.outer(table.sum(axis=1), table.sum(axis=0)), atol=1e-12)


def test_models_that_feel_one_difficulty_are_right_together() -> None:
    shift = shifts(np.array([1.5, 1.5, 0.0, 0.0]))
    table = two_tier_cells(grade_probabilities(np.zeros((1, 4)), shift)).reshape(3, 3)

    assert table[0, 0] > table[0].sum() * table[:, 0].sum() + 0.05


def simulated(rows: int, loading: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw grades of three models; of two alone, no data could tell the one's loading from the other's."""
    rng = np.random.default_rng(0)
    logits = np.zeros((rows, 2, 3))
    logits[:, 0] = rng.normal(size=(rows, 3))
    hidden = NODES[rng.choice(len(NODES), size=rows, p=WEIGHTS)]
    right = rng.random((rows, 3)) < 1 / (1 + np.exp(-(0.5 * logits[:, 0] + 0.4 + loading * hidden[:, None])))
    labels = np.zeros((rows, 3, 3))
    labels[..., 0], labels[..., 1] = right, ~right
    return logits, labels


def test_scale_offset_and_loading_are_found_again() -> None:
    link = fit_link(*simulated(3000, 1.2))

    np.testing.assert_allclose(link.correct, 0.5 * np.eye(3), atol=0.15)
    np.testing.assert_allclose(link.offset[0], 0.4, atol=0.15)
    np.testing.assert_allclose(np.abs(link.loading[0]), 1.2, atol=0.25)


def test_independent_models_are_found_independent() -> None:
    link = fit_link(*simulated(2000, 0.0))

    products = np.outer(link.loading[0], link.loading[0])
    # Loadings of 1.2 would have products of 1.44.
    assert np.abs(products[~np.eye(3, dtype=bool)]).max() < 0.25


def test_rows_that_a_model_was_not_graded_on_teach_it_nothing() -> None:
    logits, labels = simulated(300, 1.0)
    before = fit_link(logits, labels)
    gaps = np.full((100, 3, 3), np.nan)

    after = fit_link(np.concatenate([logits, np.full((100, 2, 3), 3.0)]), np.concatenate([labels, gaps]))

    np.testing.assert_allclose(after.correct, before.correct, atol=1e-6)
    np.testing.assert_allclose(after.loading, before.loading, atol=1e-6)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def noisy_pair(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw two heads that are sure of what they share, and wrong about where they differ."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=rows)
    logits = np.zeros((rows, 2, 2))
    logits[:, 0] = shared[:, None] + rng.normal(size=(rows, 2))
    right = rng.random((rows, 2)) < sigmoid(np.stack([shared, shared + 0.5], axis=1))
    labels = np.zeros((rows, 2, 3))
    labels[..., 0], labels[..., 1] = right, ~right
    return logits, labels


@pytest.mark.parametrize("crossed", [True, False])
def test_crossed_links_keep_gains_from_coming_out_too_large(crossed: bool) -> None:
    link = fit_link(*noisy_pair(4000, 0), crossed=crossed)
    logits, labels = noisy_pair(4000, 1)

    right = logits[:, 0] @ link.correct.T + link.offset[0]
    idle = logits[:, 1] * link.abstained + link.offset[1]
    shift = shifts(link.loading.ravel())
    cells = two_tier_cells(grade_probabilities(np.concatenate([right, idle], axis=1), shift))
    gains = cells.reshape(-1, 3, 3)[:, :, 0].sum(axis=1) - cells[:, :3].sum(axis=1)

    top = np.argsort(-gains)[:1000]
    excess = gains[top].mean() - (labels[top, 1, 0] - labels[top, 0, 0]).mean()
    assert bool(abs(excess) < 0.03) is crossed


# The solver.


def test_both_products_are_those_of_one_matrix() -> None:
    design = make_design()
    rng = np.random.default_rng(1)
    weights, rows = rng.normal(size=design.parameters), rng.normal(size=len(design))

    assert rows @ design.times(weights) == pytest.approx(weights @ design.transposed_times(rows), rel=1e-4)


def test_a_part_of_the_rows_is_a_design_of_its_own() -> None:
    design = make_design()
    chosen = np.array([3, 4, 100, 299, 3])

    np.testing.assert_allclose(as_matrix(design.rows(chosen)), as_matrix(design)[chosen], atol=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_at_the_weights_found_the_penalised_likelihood_is_flat(soft: bool) -> None:
    design = make_design()
    rng = np.random.default_rng(2)
    chance = 1 / (1 + np.exp(-design.times(rng.normal(size=design.parameters))))
    target = chance if soft else (rng.random(len(design)) < chance).astype(float)

    weights = fit_logistic(design, target, 1.0)

    slope = as_matrix(design).T @ (target - 1 / (1 + np.exp(-design.times(weights))))
    slope[:-1] -= weights[:-1]
    first = as_matrix(design).T @ (target - target.mean())
    assert np.linalg.norm(slope) < 0.02 * np.linalg.norm(first)


def test_a_larger_penalty_gives_smaller_weights() -> None:
    design = make_design()
    target = (np.random.default_rng(3).random(len(design)) < 0.4).astype(float)

    sizes = [np.linalg.norm(fit_logistic(design, target, penalty)[:-1]) for penalty in (0.1, 1.0, 10.0)]

    assert sizes[0] > sizes[1] > sizes[2]


def test_eight_bits_keep_weights_to_half_a_step() -> None:
    weights = np.random.default_rng(4).normal(size=(3, 100)) * np.array([[1.0], [100.0], [0.0]])

    rounded, steps = quantised(weights)

    assert rounded.dtype == np.int8
    assert (np.abs(rounded * steps[:, None].astype(float) - weights) <= steps[:, None] * 0.51).all()
