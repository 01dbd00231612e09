"""What a report rests on: likeness of the rows to the training data, every figure, provenance."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.pipeline.evaluation import Evaluation, Metric, Provenance
from routesdk.report.block import (
    Column,
    Row,
    bullets,
    code,
    facts,
    lines,
    number_columns,
    paragraph,
    section,
    spoken,
    table,
)
from routesdk.report.markup import NOTHING, Content, Markup, element, join
from routesdk.report.summary import inline
from routesdk.report.text import between, count, level_text, percent, sentence


def shift(evaluation: Evaluation) -> Markup:
    """Say how many rows look unlike what the router learned from."""
    found = evaluation.shift
    heading = "Are these rows like what it learned from?"
    note = paragraph(spoken(sentence(found.note))) if found.note else NOTHING
    if found.share is None:
        unknown = "The checkpoint cannot tell." if not found.note else ""
        return section("shift", heading, paragraph(unknown) if unknown else NOTHING, note)
    pairs: list[tuple[str, Content]] = [("rows that look unlike it", between(found.share, "share"))]
    if found.expected is not None:
        pairs.append(("that would by chance", percent(found.expected)))
    if found.threshold is not None:
        pairs.append(("unlike from a score of", f"{found.threshold:.4g}"))
    if found.examples:
        pairs.append(("the most unlike", ", ".join(found.examples)))
    return section("shift", heading, note, facts(pairs))


def metrics(evaluation: Evaluation) -> Markup:
    """List every figure of the router."""
    columns = [
        Column(heading="", kind="words"),
        *number_columns("value"),
        Column(heading="better is", kind="words"),
        Column(heading="note", kind="text"),
    ]
    level = level_text(evaluation.router.accuracy)
    caption = f"With {level} intervals of {evaluation.resamples:,} resamples."
    return section("figures", "Every figure", table("figures", caption, columns, _metric_rows(evaluation)))


def _metric_rows(evaluation: Evaluation) -> Iterable[Row]:
    for group in dict.fromkeys(each.group for each in evaluation.metrics):
        yield Row(cells=(group,), group=True)
        yield from (_metric_row(each) for each in evaluation.metrics if each.group == group)


def _metric_row(metric: Metric) -> Row:
    # One query's cost stands here, and that of a thousand in the headline table.
    unit = "each" if metric.unit == "usd" else metric.unit
    name = f"{metric.name}, points" if metric.unit == "points" else metric.name
    return Row(cells=(name, inline(metric.interval, unit), metric.better, sentence(metric.note)))


def provenance(evaluation: Evaluation) -> Markup:
    """Say what was measured with what, so that anyone can do it again."""
    found = evaluation.provenance
    return section(
        "provenance",
        "Where the figures come from",
        facts(_provenance_facts(evaluation, found)),
        _notes(evaluation),
    )


def _provenance_facts(evaluation: Evaluation, found: Provenance) -> Iterable[tuple[str, Content]]:
    yield "router", join((code(found.checkpoint), f", checkpoint {found.checkpoint_id or 'never saved'}"))
    yield "policy model, matrix", f"{found.policy_model}, {found.matrix}"
    yield "tiers", lines(join((f"{tier.name} ", code(tier.model))) for tier in evaluation.tiers)
    if found.learned_from:
        yield "it learned from", lines(found.learned_from)
    for each in found.data:
        yield "file", lines((f"{each.name}, {count(each.rows, 'row')}", code(f"sha256 {each.sha256}")))
    yield "rows measured on", lines((f"{evaluation.rows:,}", code(f"sha256 {found.rows_sha256}")))
    if evaluation.left_out:
        yield "rows left out", left_out_text(evaluation.left_out)
    yield "intervals", f"{evaluation.resamples:,} bootstrap resamples, seed {evaluation.seed}"
    yield (
        "versions",
        f"routesdk {found.package_version}, Python {found.python_version}, numpy {found.numpy_version}",
    )
    if found.date:
        yield "date", found.date
    if found.command:
        yield "do it again with", code(found.command)


def left_out_text(ids: tuple[str, ...], most: int = 5) -> str:
    """Say how many rows were left out, and name a few."""
    more = f" and {len(ids) - most:,} more" if len(ids) > most else ""
    return f"{len(ids):,} that lack an outcome of a tier: {', '.join(ids[:most])}{more}"


def _notes(evaluation: Evaluation) -> Markup:
    if not evaluation.notes:
        return NOTHING
    return join(
        (element("h3", "What to keep in mind"), bullets(spoken(sentence(each)) for each in evaluation.notes))
    )
