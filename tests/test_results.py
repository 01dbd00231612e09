"""What the README says of quality: rendered from kept figures, and the same as card and evaluation say."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from routesdk import Router
from routesdk.manifest import MetricRecord


@pytest.fixture(scope="module")
def benchmarks(repository: Path) -> Iterator[Path]:
    folder = repository / "benchmarks"
    if not folder.is_dir():
        pytest.skip("no benchmarks here: this is not a checkout")
    sys.path[:0] = [str(folder), str(repository / "tools")]
    yield folder
    del sys.path[:2]


@pytest.fixture(scope="module")
def pairs(benchmarks: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((benchmarks / "figures" / "pairs.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.from_pretrained("default")


def test_the_table_of_the_readme_is_what_the_kept_figures_render_to(
    benchmarks: Path, repository: Path, pairs: Mapping[str, Any]
) -> None:
    import fill_readme

    page = (repository / "README.md").read_text(encoding="utf-8")

    assert fill_readme.fill(page, fill_readme.pairs_table(pairs), "pairs") == page


def test_other_figures_render_to_another_table(benchmarks: Path, pairs: Mapping[str, Any]) -> None:
    import fill_readme

    changed = json.loads(json.dumps(pairs))
    changed["claude"]["routers"]["default"] |= {
        "apgr": [0.51, 0.47, 0.55],
        "over_length": [0.01, -0.02, 0.04],
    }

    text = fill_readme.pairs_table(changed)

    assert "0.510 [0.470, 0.550] \\*" in text
    assert "`default` on claude" in text


def test_a_page_without_the_marks_is_refused(benchmarks: Path) -> None:
    import fill_readme

    with pytest.raises(ValueError, match="pairs:begin"):
        fill_readme.fill("# routesdk", "table", "pairs")


def test_every_pair_has_every_router_and_baseline(pairs: Mapping[str, Any]) -> None:
    assert len(pairs) == 5
    for each in pairs.values():
        assert set(each["routers"]) == {"default", "encoder", "generative"}
        assert {
            "always medium",
            "always large",
            "random",
            "prompt length",
            "best single model",
            "oracle",
        } <= set(each["baselines"])


def test_the_figures_are_of_the_router_that_ships(pairs: Mapping[str, Any], router: Router) -> None:
    assert {each["routers"]["default"]["checkpoint"] for each in pairs.values()} == {router.checkpoint_id}


def test_the_card_says_the_same(pairs: Mapping[str, Any], router: Router) -> None:
    for name, each in pairs.items():
        (card,) = (
            metric
            for metric in router.evidence.metrics
            if _is(metric, name, "bound") and metric.metric == "APGR"
        )
        found = each["routers"]["default"]
        assert [card.value, card.low, card.high] == pytest.approx(found["apgr"], abs=5e-7)
        assert each["rows"] == card.rows


@pytest.mark.slow
@pytest.mark.parametrize("name", ["claude", "gemma-nemotron"])
def test_the_bundled_router_still_does_what_the_table_says(
    benchmarks: Path, pairs: Mapping[str, Any], name: str
) -> None:
    import pairs as measuring
    from shared_sets import PAIRS, find_data, load_sets, rows_of, split_sets

    data = find_data()
    if data is None:
        pytest.skip("the shared sets are absent: set ROUTESDK_DATA to their folder")
    (pair,) = (each for each in PAIRS if each.name == name)
    sets = load_sets(data)
    rows = rows_of(sets[pair.dataset], split_sets(sets, measuring.SEED)[pair.dataset], "test")

    evaluation = measuring.judge("default", pair, (), measuring.graded_by_both(rows, pair))

    kept = dict(pairs[name]["routers"]["default"])
    assert measuring.described(evaluation) == kept


def _is(metric: MetricRecord, pair: str, method: str) -> bool:
    return metric.dataset.endswith(f": {pair}") and metric.method == method
