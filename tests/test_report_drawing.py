"""Plots can be read without colour, and nothing but escaped text gets into a page."""

from __future__ import annotations

import math
import re
from importlib.resources import files

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluations import make_evaluation
from pages import tree
from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import Evaluation
from routesdk.report import text
from routesdk.report.chart import cost_quality, reliability, risk_coverage, thinned
from routesdk.report.drawing import Band, Line, Look, Plot, Point, draw, legend
from routesdk.report.marker import MARKERS, marker
from routesdk.report.markup import Markup, document, element, join, style_sheet
from routesdk.report.scale import axis


def number(value: float) -> str:
    return f"{value:g}"


finite = st.floats(-1e9, 1e9)


@given(st.lists(finite, min_size=1, max_size=20), st.integers(1, 10))
def test_an_axis_holds_its_values_between_rising_labels(values: list[float], ticks: int) -> None:
    found = axis("x", values, number, ticks=ticks)

    assert found.low < found.high
    slack = 1e-6 * (found.high - found.low)
    assert found.low - slack <= min(values) and max(values) <= found.high + slack
    assert 1 <= len(found.ticks) <= 2 * ticks + 3
    assert list(found.ticks) == sorted(set(found.ticks))
    assert all(0 <= found.place(value, 0, 1) <= 1 for value in values)


def test_an_axis_has_round_labels() -> None:
    assert [f"{tick:g}" for tick in axis("x", (0.28, 0.61), number).ticks] == [
        "0.2",
        "0.3",
        "0.4",
        "0.5",
        "0.6",
        "0.7",
    ]
    assert axis("x", (0, 1), number).ticks == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1.0))


def test_an_axis_stays_within_its_bounds() -> None:
    found = axis("share", (0.01, 0.99), number, lowest=0.0, highest=1.0)

    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize("values", [(), (math.nan,), (1.0, math.inf)])
def test_an_axis_of_nothing_or_of_no_numbers_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="'cost' needs finite values"):
        axis("cost", values, number)


def plots_of(evaluation: Evaluation) -> tuple[Plot, ...]:
    return cost_quality(evaluation), reliability(evaluation), risk_coverage(evaluation)


@pytest.mark.parametrize("plot", plots_of(make_evaluation()), ids=lambda plot: plot.key)
def test_no_two_series_of_a_plot_differ_by_colour_alone(plot: Plot) -> None:
    lines = [
        (mark.look.dash, mark.look.marker) for mark in plot.marks if isinstance(mark, Line) and mark.name
    ]
    points = [mark.look.marker for mark in plot.marks if isinstance(mark, Point) and mark.name]
    of_lines = {marker for _, marker in lines if marker}

    assert len(set(lines)) == len(lines)
    assert len(set(points)) == len(points)
    assert all(points)
    assert plot.key != "cost-quality" or (len(lines) >= 4 and len(points) >= 6)
    # A point that looks like one of a line would be taken for it.
    assert not of_lines & set(points)


def test_the_legend_names_every_series_once() -> None:
    plot = cost_quality(make_evaluation())
    shown = tree(document(element("head"), element("body", legend(plot))))
    listed = ["".join(each.itertext()) for each in shown.iter("li")]

    assert listed == [mark.name for mark in plot.marks if mark.name]
    assert len(set(listed)) == len(listed)


def test_points_lie_where_their_values_say() -> None:
    x, y = axis("x", (0, 10), number), axis("y", (0, 100), number)
    band = Band(name="b", points=((0, 10, 20), (10, 30, 40)))
    line = Line(name="l", points=((0, 0), (10, 100)), look=Look(dash="2 2"))
    plot = Plot(key="p", title="t", description="d", x=x, y=y, marks=(band, line))
    drawn = draw(plot).text
    left, bottom = plot.place((0, 0))
    right, top = plot.place((10, 100))

    assert left < right and top < bottom
    assert f'points="{left:.1f},{bottom:.1f} {right:.1f},{top:.1f}"' in drawn
    assert plot.place((5, 50)) == pytest.approx(((left + right) / 2, (top + bottom) / 2))
    assert plot.place((20, 500)) == (right, top)


def test_every_marker_is_drawn_and_no_other() -> None:
    drawn = {shape: marker(shape, (10.0, 10.0)).text for shape in MARKERS}

    assert len(set(drawn.values())) == len(MARKERS)
    with pytest.raises(ValueError, match="'heart' is no marker; known: circle"):
        marker("heart", (0.0, 0.0))


def test_a_dense_curve_is_thinned_for_its_table() -> None:
    points = make_evaluation().curves[0].points

    assert len(thinned(points)) == 11
    assert (thinned(points)[0], thinned(points)[-1]) == (points[0], points[-1])
    assert thinned(points[:4]) == points[:4]


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_out_of_an_element_as_text_alone(said: str) -> None:
    page = tree(document(element("head"), element("body", said, title=said)))
    body = page.find("body")

    assert body is not None and not list(body)
    assert (body.text or "").count("<") == said.count("<")
    assert (body.get("title") or "").count('"') == said.count('"')
    document(element("head"), element("body", said)).encode()


def test_elements_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="not the name of an element"):
        element("p onclick")
    with pytest.raises(ValueError, match="not the name of an attribute"):
        element("p", **{"a b": "c"})
    with pytest.raises(ValueError, match="has no content"):
        element("br", "text")
    assert join(("<", Markup("<b/>"))).text == "&lt;<b/>"


@pytest.mark.parametrize("css", ["</style>", "@import 'x'", "a { background: url(x) }"])
def test_a_style_sheet_that_loads_or_ends_is_refused(css: str) -> None:
    with pytest.raises(ValueError, match="stands alone"):
        style_sheet(css)


def _colours(css: str, block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", css[css.index(block) :].split("}", 1)[0]))


def _contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, by WCAG 2.2."""
    lights = []
    for colour in (first, second):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize(
    "block", [":root {\n  color-scheme: light dark", "prefers-color-scheme: dark", "@media print"]
)
def test_text_and_lines_stand_out_from_the_page_in_every_scheme(block: str) -> None:
    css = files("routesdk.report").joinpath("style.css").read_text("utf-8")
    colours = _colours(css, block)

    for ground in ("page", "panel"):
        for ink in ("ink", "soft", "strong"):
            assert _contrast(colours[ground], colours[ink]) >= 4.5, (block, ground, ink)
    for line in ("strong", "plain", "faint"):
        assert _contrast(colours["page"], colours[line]) >= 3, (block, line)


def bounds(value: float, low: float, high: float) -> Interval:
    return Interval(
        metric="m", value=value, low=low, high=high, level=0.95, resamples=10, undefined=0, seed=0, rows=5
    )


def test_figures_are_written_with_their_units() -> None:
    assert text.between(bounds(0.6123, 0.5711, 0.655), "share") == "61.2 % [57.1, 65.5]"
    assert text.between(bounds(0.021, -0.0001, 0.05), "points") == "+2.1 [0.0, +5.0]"
    assert text.between(bounds(-0.0121, -0.02, 0.00001), "signed") == "-0.012 [-0.020, 0.000]"
    assert text.between(bounds(0.00123, 0.001, 0.002), "usd") == "$1.23 [1.00, 2.00]"
    assert text.between(bounds(0.00123, 0.001, 0.002), "each") == "$0.00123 [0.00100, 0.00200]"
    assert text.between(bounds(math.inf, 1.0, math.inf)) == "inf [1.000, inf]"
    assert text.between(None) == "–"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0"), (1234.5, "$1,234.50"), (0.000123456, "$0.000123"), (-0.5, "-$0.500"), (12.3456, "$12.35")],
)
def test_amounts_show_the_figures_that_count(amount: float, shown: str) -> None:
    assert text.dollars(amount) == shown


def test_sentences_begin_and_end_as_sentences() -> None:
    assert text.sentence("it does") == "It does."
    assert text.sentence(" Does it? ") == "Does it?"
    assert text.sentence("") == ""
    assert text.count(1, "row") == "1 row"
    assert text.count(1200, "row") == "1,200 rows"


def test_the_random_order_and_the_operating_point_are_always_drawn() -> None:
    bare = attrs.evolve(make_evaluation(), curves=())
    names = {mark.name for mark in cost_quality(bare).marks}

    assert {"a random order", "where the router stands (operating point)"} <= names
