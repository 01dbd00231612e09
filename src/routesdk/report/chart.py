"""The plots of a report: cost and quality, reliability, risk and coverage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import attrs

from routesdk.pipeline.evaluation import BEST_SINGLE, ROUTER, Curve, CurvePoint, Evaluation, Line
from routesdk.pipeline.payoff.figures import ORACLE, PROMPT_LENGTH, RANDOM
from routesdk.report import drawing
from routesdk.report.drawing import Band, Look, Mark, Plot, Point
from routesdk.report.marker import Place
from routesdk.report.scale import axis
from routesdk.report.text import level_text, percent, tick_dollars

_ROUTER_LOOK = Look(tone="strong", width=3.0)
_RANDOM_LOOK = Look(tone="faint", dash="2 5")
_RANKING_LOOKS = (
    Look(tone="plain", dash="9 5", marker="triangle"),
    Look(tone="plain", dash="12 4 3 4", marker="inverted"),
    Look(tone="faint", dash="5 4", marker="square"),
)
"""Looks of baselines that rank, in their order; a further one has the last."""

_POINT_LOOKS = {
    RANDOM: Look(tone="faint", marker="cross"),
    PROMPT_LENGTH: Look(tone="plain", marker="plus"),
    ORACLE: Look(tone="plain", marker="diamond"),
    BEST_SINGLE: Look(tone="plain", marker="ring"),
}
_TIER_LOOK = Look(tone="plain", marker="square")


@attrs.frozen(kw_only=True)
class Across:
    """What a cost-quality plot has across: the cost of queries, or the share of dear calls without one.

    Attributes:
        costs: Whether it is the cost.
        label: What the axis is called.
        caption: The same, in the middle of a sentence.
    """

    costs: bool
    label: str
    caption: str

    def of_point(self, point: CurvePoint) -> float:
        """Return where a point of a curve lies."""
        return _thousand(point.cost_usd) if self.costs else point.share

    def of_line(self, line: Line) -> float:
        """Return where a line of the headline table lies."""
        return _thousand(line.cost_usd.value if line.cost_usd else None) if self.costs else line.large_share

    def interval(self, line: Line, evaluation: Evaluation) -> Place:
        """Return the ends of the interval of the router's own line."""
        found = line.cost_usd if self.costs else evaluation.operating_point.share
        assert found is not None, "where costs are drawn, each line has one"
        factor = 1000.0 if self.costs else 1.0
        return found.low * factor, found.high * factor

    def text(self, value: float) -> str:
        """Write a value of the axis."""
        return tick_dollars(value) if self.costs else f"{100 * value:.0f} %"


def across(evaluation: Evaluation) -> Across:
    """Choose what the cost-quality plot has across."""
    drawn = [point.cost_usd for curve in evaluation.curves for point in curve.points]
    standing = [line.cost_usd for line in evaluation.lines]
    large = evaluation.tiers[-1].name
    if any(cost is None for cost in (*drawn, *standing)):
        label = f"calls of the {large} tier"
        return Across(costs=False, label=label, caption=f"the share of {label}; no cost is known")
    basis = "recorded" if evaluation.cost.basis == "recorded" else "estimated"
    label = f"US dollars for 1,000 queries ({basis})"
    return Across(costs=True, label=label, caption=f"the {basis} cost of 1,000 queries in US dollars")


def cost_quality(evaluation: Evaluation) -> Plot:
    """Draw what more calls of the dearest tier buy, where the router stands, and every baseline."""
    along = across(evaluation)
    standing = [line for line in evaluation.lines if line.name != ROUTER]
    xs = [along.of_line(line) for line in evaluation.lines]
    xs += [along.of_point(point) for curve in evaluation.curves for point in curve.points]
    ys = [line.accuracy.value for line in standing]
    ys += [value for curve in _own(evaluation) for point in curve.points for value in (point.low, point.high)]
    ys += [point.accuracy for curve in evaluation.curves for point in curve.points]
    ys += [evaluation.router.accuracy.low, evaluation.router.accuracy.high]
    marks: list[Mark] = [_random_order(evaluation, along)]
    marks += _curves(evaluation, along)
    marks += [_standing(evaluation, line, along) for line in standing]
    marks.append(_router_point(evaluation, along))
    return Plot(
        key="cost-quality",
        title="What calls of the dearest tier buy",
        description=_cost_quality_words(evaluation, along),
        x=axis(along.label, xs, along.text, ticks=4, lowest=0.0, highest=math.inf if along.costs else 1.0),
        y=axis("accuracy of the answers", ys, lambda value: percent(value, 0), lowest=0.0, highest=1.0),
        marks=tuple(marks),
    )


def _own(evaluation: Evaluation) -> tuple[Curve, ...]:
    return tuple(curve for curve in evaluation.curves if curve.name == ROUTER) or evaluation.curves[:1]


def _curves(evaluation: Evaluation, along: Across) -> Iterable[Mark]:
    own = _own(evaluation)
    others = [curve for curve in evaluation.curves if curve not in own and curve.name != RANDOM]
    level = level_text(evaluation.router.accuracy)
    for curve in own:
        places = tuple((along.of_point(point), point.low, point.high) for point in curve.points)
        yield Band(name=f"{curve.name}: {level} interval", points=places)
    for at, curve in enumerate(others):
        look = _RANKING_LOOKS[min(at, len(_RANKING_LOOKS) - 1)]
        yield drawing.Line(name=f"by {curve.name}", points=_places(curve, along), look=look)
    for curve in own:
        yield drawing.Line(
            name=f"{curve.name}: what its ranking buys", points=_places(curve, along), look=_ROUTER_LOOK
        )


def _places(curve: Curve, along: Across) -> tuple[Place, ...]:
    return tuple((along.of_point(point), point.accuracy) for point in curve.points)


def _random_order(evaluation: Evaluation, along: Across) -> Mark:
    """A random order moves along the straight line between the cheapest tier and the dearest."""
    ends = [evaluation.line(f"always {tier.name}") for tier in (evaluation.tiers[0], evaluation.tiers[-1])]
    places = tuple((along.of_line(line), line.accuracy.value) for line in ends)
    return drawing.Line(name="a random order", points=places, look=_RANDOM_LOOK)


def _standing(evaluation: Evaluation, line: Line, along: Across) -> Point:
    look = _POINT_LOOKS.get(line.name, _TIER_LOOK)
    if line.name == f"always {evaluation.tiers[-1].name}":
        look = attrs.evolve(look, marker="circle")
    name = f"{line.name}, same share" if line.name in {RANDOM, PROMPT_LENGTH} else line.name
    return Point(name=name, at=(along.of_line(line), line.accuracy.value), look=look)


def _router_point(evaluation: Evaluation, along: Across) -> Point:
    line = evaluation.router
    return Point(
        name="where the router stands (operating point)",
        at=(along.of_line(line), line.accuracy.value),
        look=Look(tone="strong", marker="star"),
        across=along.interval(line, evaluation),
        along=(line.accuracy.low, line.accuracy.high),
    )


def _cost_quality_words(evaluation: Evaluation, along: Across) -> str:
    line = evaluation.router
    where = [
        f"{each.name} {percent(each.accuracy.value)} at {along.text(along.of_line(each))}"
        for each in evaluation.lines
    ]
    return (
        f"Accuracy of the answers against {along.caption}. The router stands at "
        f"{percent(line.accuracy.value)}, between {percent(line.accuracy.low)} and "
        f"{percent(line.accuracy.high)}. "
        f"All lines: {'; '.join(where)}."
    )


def reliability(evaluation: Evaluation) -> Plot:
    """Draw how often decisions of about one confidence are the recorded ones."""
    found = evaluation.reliability
    series = Look(tone="strong", marker="circle")
    marks: list[Mark] = [
        drawing.Line(name="what a calibrated router would show", points=((0, 0), (1, 1)), look=_RANDOM_LOOK),
        drawing.Line(
            name="",
            points=tuple((each.confidence, each.hit) for each in found.bins),
            look=Look(tone="strong", width=1.5),
        ),
    ]
    for at, each in enumerate(found.bins):
        name = f"the router, by confidence, with {level_text(found.brier)} intervals" if not at else ""
        marks.append(
            Point(name=name, at=(each.confidence, each.hit), look=series, along=(each.low, each.high))
        )
    words = "; ".join(
        f"confidence {percent(each.confidence, 0)}: right {percent(each.hit, 0)} of the time"
        for each in found.bins
    )
    return Plot(
        key="reliability",
        title="Reliability of the confidence",
        description=f"How often the decided policy is the recorded one, against the confidence. {words}.",
        x=axis("confidence", (0, 1), _whole_percent),
        y=axis("policy is the recorded one", (0, 1), _whole_percent),
        marks=tuple(marks),
    )


def risk_coverage(evaluation: Evaluation) -> Plot:
    """Draw how often the most confident decisions are wrong."""
    found = evaluation.risk_coverage.points
    overall = found[-1].risk
    marks: tuple[Mark, ...] = (
        Band(
            name=f"{level_text(evaluation.risk_coverage.area)} interval",
            points=tuple((each.coverage, each.low, each.high) for each in found),
        ),
        drawing.Line(
            name="all rows, whatever the confidence",
            points=((0.0, overall), (1.0, overall)),
            look=_RANDOM_LOOK,
        ),
        drawing.Line(
            name="the most confident rows",
            points=tuple((each.coverage, each.risk) for each in found),
            look=_ROUTER_LOOK,
        ),
    )
    ends = f"{percent(found[0].risk)} of the most confident {percent(found[0].coverage, 0)}"
    return Plot(
        key="risk-coverage",
        title="Risk and coverage",
        description=f"Wrong policies among the most confident rows: {ends}, {percent(overall)} of all.",
        x=axis("most confident share of the rows", (0, 1), _whole_percent),
        y=axis(
            "policy is another",
            [each for point in found for each in (point.low, point.high)],
            _whole_percent,
            lowest=0.0,
            highest=1.0,
        ),
        marks=marks,
    )


def thinned(points: Sequence[CurvePoint], most: int = 11) -> Sequence[CurvePoint]:
    """Pick points for a table, the first and the last among them."""
    if len(points) <= most:
        return points
    picked = {round(at * (len(points) - 1) / (most - 1)) for at in range(most)}
    return [points[at] for at in sorted(picked)]


def _whole_percent(value: float) -> str:
    return percent(value, 0)


def _thousand(cost: float | None) -> float:
    assert cost is not None, "where costs are drawn, each point has one"
    return 1000.0 * cost
