"""The page of a report in a real browser, wide and narrow."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from browser import find_browser, look_at, print_page
from evaluations import make_evaluation
from pages import hostile_evaluation
from routesdk import Router
from routesdk.pipeline.evaluation import Evaluation, evaluate
from routesdk.report import to_html

pytestmark = pytest.mark.slow

WIDE, NARROW = 1280, 360


def _without_costs() -> Evaluation:
    made = make_evaluation()
    return attrs.evolve(
        made, lines=tuple(attrs.evolve(each, cost_usd=None, saved=None) for each in made.lines)
    )


EVALUATIONS = {"plain": make_evaluation, "hostile": hostile_evaluation, "without costs": _without_costs}


@pytest.fixture(autouse=True)
def browser() -> str:
    return find_browser()


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_page_fits_its_width_and_only_tables_scroll(name: str, width: int, tmp_path: Path) -> None:
    found = look_at(to_html(EVALUATIONS[name]()), width, tmp_path)

    assert found["inner"] == width
    assert found["scroll"] <= width
    assert found["beyond"] == []
    assert found["unseen"] == []
    assert found["plots"] == 3


@pytest.mark.parametrize("pair", ["claude", "gemini-1.5"])
def test_the_page_of_recorded_outcomes_fits_and_its_plots_can_be_read(
    pair: str, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "tools"))
    from shared_sets import PAIRS, load_sets, rows_of, split_sets  # type: ignore[import-not-found]

    (chosen,) = (each for each in PAIRS if each.name == pair)
    sets = load_sets(data_folder)
    rows = rows_of(sets[chosen.dataset], split_sets(sets, 0)[chosen.dataset], "test")
    router = Router.from_pretrained("default", medium=chosen.medium, large=chosen.large)
    page = to_html(evaluate(router, rows, name="default", resamples=200, timed=0))

    for width in (WIDE, NARROW):
        found = look_at(page, width, tmp_path)
        assert found["scroll"] <= width
        assert found["beyond"] == found["overlaps"] == found["unseen"] == []


def test_tables_scroll_within_themselves_on_a_narrow_page(tmp_path: Path) -> None:
    assert look_at(to_html(make_evaluation()), NARROW, tmp_path)["tables"] >= 5


def test_the_headline_table_of_a_wide_page_needs_no_scrolling(tmp_path: Path) -> None:
    assert look_at(to_html(make_evaluation()), WIDE, tmp_path)["tables"] == 0


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_letters_of_a_plot_can_be_read_and_do_not_overlap(width: int, tmp_path: Path) -> None:
    for make in (make_evaluation, _without_costs):
        found = look_at(to_html(make()), width, tmp_path)

        assert found["overlaps"] == []
        assert found["smallest"] >= 11


def test_a_page_runs_no_script_and_loads_nothing(tmp_path: Path) -> None:
    found = look_at(to_html(hostile_evaluation()), WIDE, tmp_path)

    assert found["scripts"] == 0
    assert found["resources"] == []
    assert found["title"].startswith("Does routing pay? default")


def test_a_page_follows_a_dark_scheme(tmp_path: Path) -> None:
    page = to_html(make_evaluation())
    light = look_at(page, WIDE, tmp_path, "--blink-settings=preferredColorScheme=1")
    dark = look_at(page, WIDE, tmp_path, "--blink-settings=preferredColorScheme=0")

    assert light["background"] == "rgb(255, 255, 255)"
    assert dark["background"] == "rgb(21, 24, 28)"


def test_a_page_can_be_printed(tmp_path: Path) -> None:
    printed = print_page(to_html(make_evaluation()), tmp_path)

    assert printed.startswith(b"%PDF")
    assert 3 <= printed.count(b"/Type /Page\n") <= 30
