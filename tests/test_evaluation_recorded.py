"""The bundled router on recorded outcomes of real models: the evaluation and its card agree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from routesdk import Router
from routesdk.errors import LeakError
from routesdk.pipeline.evaluation import Advice, Evaluation, evaluate
from routesdk.types import Example

ROOT = Path(__file__).resolve().parents[1]
MEDIUM, LARGE = "claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parts(data_folder: Path) -> dict[str, tuple[Example, ...]]:
    """The recorded SimpleQA rows, divided as they were when the bundled router was trained."""
    sys.path.insert(0, str(ROOT / "tools"))
    from shared_sets import load_sets, rows_of, split_sets  # type: ignore[import-not-found]

    sets = load_sets(data_folder)
    splits = split_sets(sets, 0)
    return {part: rows_of(sets["simpleqa"], splits["simpleqa"], part) for part in ("train", "test")}


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.from_pretrained("default", medium=MEDIUM, large=LARGE)


@pytest.fixture(scope="module")
def found(router: Router, parts: dict[str, tuple[Example, ...]]) -> Evaluation:
    return evaluate(router, parts["test"], name="default", timed=20)


def test_apgr_is_that_of_the_card(router: Router, found: Evaluation) -> None:
    on_card = {
        metric.metric: metric
        for metric in router.evidence.metrics
        if (metric.dataset, metric.method) == ("simpleqa: claude", "bound")
    }["APGR"]

    assert found.router.apgr is not None
    assert found.rows == on_card.rows
    assert found.router.apgr.value == pytest.approx(on_card.value, abs=1e-9)
    assert (found.router.apgr.low, found.router.apgr.high) == pytest.approx((on_card.low, on_card.high))


def test_all_nine_cells_are_there_and_the_verdict_is_to_route(found: Evaluation) -> None:
    assert all(cell.rows for cell in found.cells)
    assert found.verdict.advice is Advice.ROUTE
    assert found.cost.basis == "estimated"
    assert found.shift.share is not None
    assert found.shift.expected is not None
    assert found.shift.share.low <= found.shift.expected


def test_accuracies_are_the_shares_of_correct_answers(
    found: Evaluation, parts: dict[str, tuple[Example, ...]]
) -> None:
    for name, model in (("always medium", MEDIUM), ("always large", LARGE)):
        correct = [row.outcomes[model].quality for row in parts["test"]]
        assert found.line(name).accuracy.value == pytest.approx(sum(correct) / len(correct))


def test_the_rows_that_it_learned_from_are_refused(
    router: Router, parts: dict[str, tuple[Example, ...]]
) -> None:
    mixed = (*parts["test"], *parts["train"][:3])

    with pytest.raises(LeakError) as caught:
        evaluate(router, mixed)

    assert caught.value.ids == tuple(row.id for row in parts["train"][:3])
