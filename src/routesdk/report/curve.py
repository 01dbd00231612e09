"""The sections with plots: cost and quality, and what the confidence is worth."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.pipeline.evaluation import Evaluation
from routesdk.report.block import Column, Row, facts, figure, number_columns, paragraph, section, table
from routesdk.report.chart import across, cost_quality, reliability, risk_coverage, thinned
from routesdk.report.markup import Markup, element
from routesdk.report.summary import broken
from routesdk.report.text import between, dollars_per_thousand, level_text, percent


def curves(evaluation: Evaluation) -> Markup:
    """Draw the cost-quality curve with the operating point."""
    plot = cost_quality(evaluation)
    caption = (
        "Each line moves queries to the dearest tier, in the order of its ranking. Higher is better; "
        "a ranking that says nothing lies on the dotted line."
    )
    return section(
        "curve",
        "Cost and quality",
        element(
            "div",
            figure(plot, caption, _curve_table(evaluation)),
            element("div", element("h3", "The operating point"), *_operating_point(evaluation)),
            class_="figures",
        ),
    )


def _operating_point(evaluation: Evaluation) -> tuple[Markup, ...]:
    advice = paragraph(
        "Where a router stands on its curve is a choice: ",
        element("code", "routesdk calibrate"),
        " moves it to a cost, a quality or a share of calls that you name.",
        kind="soft",
    )
    return facts(operating_facts(evaluation)), advice


def operating_facts(evaluation: Evaluation) -> Iterable[tuple[str, str]]:
    """Say where the router stands."""
    point = evaluation.operating_point
    large = evaluation.tiers[-1].name
    yield "escalates from an expected gain of", ", ".join(point.thresholds)
    yield "set by", point.source
    if point.meant_share is not None:
        yield f"calls of {large} that it was meant to make", percent(point.meant_share)
    yield f"calls of {large} that it made", between(point.share, "share")
    yield "accuracy", between(point.accuracy, "share")
    if point.cost_usd:
        yield "cost of 1,000 queries", between(point.cost_usd, "usd")


def _curve_table(evaluation: Evaluation) -> Markup:
    costs = across(evaluation).costs
    columns = [
        Column(heading="ranking", kind="words"),
        *number_columns(f"calls of {evaluation.tiers[-1].name}", "accuracy"),
        *(number_columns("$ for 1,000 queries") if costs else ()),
    ]
    rows = []
    for curve in evaluation.curves:
        for point in thinned(curve.points):
            ends = broken(percent(point.accuracy), _ends(point.low, point.high))
            money = () if point.cost_usd is None or not costs else (dollars_per_thousand(point.cost_usd),)
            rows.append(Row(cells=(curve.name, percent(point.share), ends, *money)))
    caption = f"Points of the curves, with {level_text(evaluation.router.accuracy)} intervals."
    return table("curve-numbers", caption, columns, rows)


def confidence(evaluation: Evaluation) -> Markup:
    """Draw whether the confidence means what it says, and whether it tells hard queries from easy ones."""
    found = evaluation.reliability
    than = "no more" if found.calibration_error.value <= found.perfect_error else "more"
    return section(
        "confidence",
        "What the confidence is worth",
        paragraph(
            "Confidence is the probability that the decided policy is the recorded one. Its calibration "
            f"error is {between(found.calibration_error)}: {than} than {found.perfect_error:.3f}, which a "
            "perfectly calibrated router would stay below on 95 of 100 such samples. Its Brier score is "
            f"{between(found.brier)}; lower is better."
        ),
        element(
            "div",
            figure(
                reliability(evaluation),
                "Points on the dotted line mean what they say; below it the router is too sure, "
                "above it not sure enough.",
                _reliability_table(evaluation),
            ),
            _risk(evaluation),
            class_="figures",
        ),
    )


def _reliability_table(evaluation: Evaluation) -> Markup:
    columns = [
        Column(heading="mean confidence", kind="words"),
        *number_columns("recorded policy decided", "rows"),
    ]
    rows: list[Row] = []
    for each in evaluation.reliability.bins:
        hit = broken(percent(each.hit), _ends(each.low, each.high))
        rows.append(Row(cells=(percent(each.confidence), hit, f"{each.rows:,}")))
    return table("reliability-numbers", "Rows by their confidence.", columns, rows)


def _risk(evaluation: Evaluation) -> Markup:
    if not evaluation.risk_coverage.points:
        return paragraph("There is no curve of risk and coverage.")
    return figure(
        risk_coverage(evaluation),
        "The line should rise: the decisions that the router is surest of should be wrong least often.",
        _risk_table(evaluation),
    )


def _risk_table(evaluation: Evaluation) -> Markup:
    columns = [
        Column(heading="most confident share", kind="words"),
        *number_columns("another policy decided"),
    ]
    rows = [
        Row(
            cells=(
                percent(each.coverage, 0),
                broken(percent(each.risk), _ends(each.low, each.high)),
            )
        )
        for each in evaluation.risk_coverage.points
    ]
    area = between(evaluation.risk_coverage.area)
    return table("risk-numbers", f"The area under the curve is {area}; lower is better.", columns, rows)


def _ends(low: float, high: float) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
