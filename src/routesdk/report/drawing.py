"""Draws plots as SVG: axes, lines, bands and points with intervals.

Nothing is told by colour alone: each line has its dashes, each point its shape, and both stand in
the legend, which is HTML so that it wraps. Colours are the page's, by class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import attrs

from routesdk.report.marker import Place, corners, marker
from routesdk.report.markup import NOTHING, Content, Markup, element, join
from routesdk.report.scale import Axis

WIDTH, HEIGHT = 480.0, 352.0
"""Size of a plot in its own units; a page shows it as wide as there is room."""

# Room for labels at the size that a narrow page gives them.
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 30.0, 16.0, 66.0

_MARKERS_OF_A_LINE = 10

_SWATCH_WIDTH, _SWATCH_HEIGHT = 44.0, 22.0


@attrs.frozen(kw_only=True)
class Look:
    """How one series is drawn.

    Attributes:
        tone: `strong`, `plain` or `faint`: which of the page's colours.
        dash: Lengths of dashes and gaps; empty for a full line.
        marker: A shape, see `routesdk.report.marker.MARKERS`; empty for none.
        width: Width of the line.
    """

    tone: str = "plain"
    dash: str = ""
    marker: str = ""
    width: float = 2.0


@attrs.frozen(kw_only=True)
class Line:
    """A line through points, with a marker at some of them where its look has one.

    Attributes:
        name: What the legend calls it; empty for a line that explains itself.
        points: (x, y) of each point.
        look: How it is drawn.
    """

    name: str
    points: tuple[Place, ...]
    look: Look


@attrs.frozen(kw_only=True)
class Band:
    """An interval along a line.

    Attributes:
        name: What the legend calls it.
        points: (x, lower y, upper y) of each point.
    """

    name: str
    points: tuple[tuple[float, float, float], ...]


@attrs.frozen(kw_only=True)
class Point:
    """A point with its intervals.

    Attributes:
        name: What the legend calls it; empty for one that belongs to a series named before.
        at: (x, y).
        look: How it is drawn; it has a marker.
        across: Lower and upper end in x, where it has an interval.
        along: Lower and upper end in y, where it has an interval.
    """

    name: str
    at: Place
    look: Look
    across: Place | None = None
    along: Place | None = None


Mark: TypeAlias = Line | Band | Point


@attrs.frozen(kw_only=True)
class Plot:
    """What is drawn.

    Attributes:
        key: Unique in its page; letters and hyphens.
        title: What it shows, in a few words.
        description: What a reader sees in it, in sentences, for who cannot see it.
        x: The axis across.
        y: The axis upward.
        marks: What is drawn, the lowest first.
    """

    key: str
    title: str
    description: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]

    def place(self, at: Place) -> Place:
        """Return where a pair of values lies on the drawing."""
        return (
            self.x.place(at[0], _LEFT, WIDTH - _RIGHT),
            self.y.place(at[1], HEIGHT - _BOTTOM, _TOP),
        )


def draw(plot: Plot) -> Markup:
    """Draw a plot; its legend is apart, see `legend`."""
    title, description = f"{plot.key}-title", f"{plot.key}-desc"
    return element(
        "svg",
        element("title", plot.title, id=title),
        element("desc", plot.description, id=description),
        _grid(plot),
        *(_mark(plot, mark) for mark in plot.marks),
        _labels(plot),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_labelledby=title,
        aria_describedby=description,
        class_="plot",
    )


def legend(plot: Plot) -> Markup:
    """List what is drawn, each with a piece of it."""
    named = [mark for mark in plot.marks if mark.name]
    return (
        element(
            "ul",
            *(element("li", _swatch(mark), element("span", mark.name)) for mark in named),
            class_="legend",
        )
        if named
        else NOTHING
    )


def _grid(plot: Plot) -> Markup:
    lines = []
    for tick in plot.x.ticks:
        x, _ = plot.place((tick, plot.y.low))
        lines.append(element("line", x1=x, x2=x, y1=_TOP, y2=HEIGHT - _BOTTOM))
    for tick in plot.y.ticks:
        _, y = plot.place((plot.x.low, tick))
        lines.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y))
    return element("g", *lines, class_="grid")


def _labels(plot: Plot) -> Markup:
    texts = []
    for tick in plot.x.ticks:
        x, y = plot.place((tick, plot.y.low))
        texts.append(element("text", plot.x.text(tick), x=x, y=y + 28, text_anchor="middle"))
    for tick in plot.y.ticks:
        x, y = plot.place((plot.x.low, tick))
        texts.append(element("text", plot.y.text(tick), x=x - 6, y=y + 5, text_anchor="end"))
    middle_x, middle_y = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
    named = {"text_anchor": "middle", "class_": "axis"}
    texts.append(element("text", plot.x.label, x=middle_x, y=HEIGHT - 10, **named))
    turned = f"rotate(-90 18 {middle_y:g})"
    texts.append(element("text", plot.y.label, x=18, y=middle_y, transform=turned, **named))
    # What the description says already: a screen reader need not read the numbers of the axes.
    return element("g", *texts, class_="labels", aria_hidden="true")


def _mark(plot: Plot, mark: Mark) -> Markup:
    if isinstance(mark, Line):
        return _line([plot.place(at) for at in mark.points], mark.look)
    if isinstance(mark, Band):
        lower = [plot.place((x, low)) for x, low, _ in mark.points]
        upper = [plot.place((x, high)) for x, _, high in mark.points]
        return element("polygon", points=corners([*lower, *reversed(upper)]), class_="band")
    return element(
        "g", *_whiskers(plot, mark), marker(mark.look.marker, plot.place(mark.at)), class_=mark.look.tone
    )


def _line(places: Sequence[Place], look: Look) -> Markup:
    drawn: list[Content] = [
        element(
            "polyline",
            points=corners(places),
            stroke_width=look.width,
            stroke_dasharray=look.dash or None,
            class_="line",
        )
    ]
    if look.marker:
        drawn += [marker(look.marker, place) for place in _some(places)]
    return element("g", *drawn, class_=look.tone)


def _some(places: Sequence[Place]) -> Sequence[Place]:
    """Pick places for markers: so few of a dense curve that the markers stay apart."""
    step = max(1, math.ceil(len(places) / _MARKERS_OF_A_LINE))
    return places[step // 2 :: step]


def _whiskers(plot: Plot, point: Point) -> list[Content]:
    drawn: list[Content] = []
    if point.along:
        (x, low), (_, high) = (plot.place((point.at[0], end)) for end in point.along)
        drawn += [_stroke((x, low), (x, high)), *(_stroke((x - 4, y), (x + 4, y)) for y in (low, high))]
    if point.across:
        (low, y), (high, _) = (plot.place((end, point.at[1])) for end in point.across)
        drawn += [_stroke((low, y), (high, y)), *(_stroke((x, y - 4), (x, y + 4)) for x in (low, high))]
    return drawn


def _stroke(start: Place, end: Place) -> Markup:
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_="whisker")


def _swatch(mark: Mark) -> Markup:
    middle = (_SWATCH_WIDTH / 2, _SWATCH_HEIGHT / 2)
    ends = [(1.0, middle[1]), (_SWATCH_WIDTH - 1, middle[1])]
    box = {"x": 4, "y": 4, "width": _SWATCH_WIDTH - 8, "height": _SWATCH_HEIGHT - 8}
    if isinstance(mark, Band):
        drawn = element("rect", **box, class_="band")
    elif isinstance(mark, Line):
        line = _line(ends, attrs.evolve(mark.look, marker=""))
        shape = (
            element("g", marker(mark.look.marker, middle), class_=mark.look.tone)
            if mark.look.marker
            else NOTHING
        )
        drawn = join((line, shape))
    else:
        drawn = element("g", marker(mark.look.marker, middle), class_=mark.look.tone)
    return element(
        "svg",
        drawn,
        viewBox=f"0 0 {_SWATCH_WIDTH:g} {_SWATCH_HEIGHT:g}",
        width=_SWATCH_WIDTH,
        height=_SWATCH_HEIGHT,
        aria_hidden="true",
        class_="swatch",
    )
