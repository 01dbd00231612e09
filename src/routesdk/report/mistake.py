"""The worst decisions, each with its trace."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.pipeline.evaluation import Evaluation, Mistake
from routesdk.report.block import (
    Column,
    Row,
    bullets,
    code,
    facts,
    paragraph,
    quoted,
    section,
    table,
)
from routesdk.report.markup import NOTHING, Content, Markup, element, join
from routesdk.report.text import percent, plain_number, signed_number
from routesdk.types import Decision, Stage

_KINDS = {
    "missed": "a dearer tier was right, and was not called",
    "harmed": "a cheaper tier was right, and the one called was not",
    "wasted": "a cheaper tier was as good: money alone was lost",
}


def mistakes(evaluation: Evaluation) -> Markup:
    """Show the worst decisions, worst first."""
    if not evaluation.mistakes:
        text = "No decision lost quality, or money for nothing."
        return section("mistakes", "The worst mistakes", paragraph(text))
    return section(
        "mistakes",
        "The worst mistakes",
        paragraph(
            "Of each kind, the worst first. The best of all tiers is known only afterwards, so that even a "
            "good router makes some of these; look for what they share.",
            kind="soft",
        ),
        *_cases(evaluation),
    )


def _cases(evaluation: Evaluation) -> Iterable[Markup]:
    above = ""
    for at, mistake in enumerate(evaluation.mistakes, start=1):
        if mistake.kind != above:
            known = _KINDS.get(mistake.kind)
            yield element("h3", f"{mistake.kind.capitalize()}: {known}" if known else mistake.kind)
        above = mistake.kind
        yield _case(evaluation, at, mistake)


def _case(evaluation: Evaluation, at: int, mistake: Mistake) -> Markup:
    decision = mistake.decision
    return element(
        "article",
        element("h4", f"{at}. {mistake.kind}: {mistake.id}", id=f"mistake-{at}"),
        paragraph(quoted(mistake.query)),
        facts(_facts(evaluation, mistake, decision)),
        _answers(at, mistake),
        _trace(at, decision),
        bullets(decision.notices),
        class_="case",
        aria_labelledby=f"mistake-{at}",
    )


def _facts(evaluation: Evaluation, mistake: Mistake, decision: Decision) -> Iterable[tuple[str, Content]]:
    cheap, dear = evaluation.tiers[0].name, evaluation.tiers[-1].name
    if mistake.topic:
        yield "topic", mistake.topic
    if mistake.lost:
        yield "quality lost", plain_number(mistake.lost)
    thresholds = ", ".join(f"{threshold:.3g}" for threshold in decision.operating_point.thresholds)
    yield (
        f"gain of {dear} over {cheap}",
        f"expected {signed_number(decision.expected_gain)}, was {signed_number(mistake.actual_gain)}; "
        f"escalates from {thresholds}",
    )
    chances = ", ".join(f"{name} {percent(chance, 0)}" for name, chance in decision.probabilities.items())
    yield "decided", f"{decision.policy} with confidence {percent(decision.confidence, 0)} ({chances})"
    yield "sent to", join((f"{decision.tier}, ", code(decision.model)))
    if decision.explanation:
        yield "the router's reason", quoted(decision.explanation)
    if mistake.reference:
        yield "right answer", quoted(mistake.reference)


def _answers(at: int, mistake: Mistake) -> Markup:
    models = tuple(dict.fromkeys((*mistake.grades, *mistake.answers)))
    if not models:
        return NOTHING
    columns = [Column(heading="model", kind="words"), Column(heading="grade", kind="words")]
    if mistake.answers:
        columns.append(Column(heading="answer", kind="text"))
    rows = []
    for model in models:
        cells: list[Content] = [code(model), mistake.grades.get(model, "not graded").lower()]
        if mistake.answers:
            cells.append(quoted(mistake.answers[model]) if model in mistake.answers else "not recorded")
        rows.append(Row(cells=tuple(cells)))
    return table(f"mistake-{at}-answers", "What the models answered.", columns, rows)


def _trace(at: int, decision: Decision) -> Markup:
    columns = [
        Column(heading="step", kind="words"),
        Column(heading="by", kind="words"),
        Column(heading="its wish", kind="words"),
        Column(heading="model after it", kind="words"),
        Column(heading="why", kind="text"),
    ]
    rows = []
    for number, step in enumerate(decision.trace, start=1):
        wish: Content = code(step.model)
        if step.stage is Stage.CONSTRAINT:
            wish = join(("not ", wish))
        elif step.overruled:
            wish = join((wish, " (overruled)"))
        rows.append(
            Row(
                cells=(
                    str(number),
                    f"{step.stage.value}: {step.source}",
                    wish,
                    code(step.chosen),
                    step.reason,
                )
            )
        )
    return table(f"mistake-{at}-trace", "How the decision came to its model.", columns, rows)
