"""The sections that one looks things up in: policies, topics, cells of grades."""

from __future__ import annotations

from routesdk.pipeline.evaluation import Breakdown, Cell, Evaluation, Group
from routesdk.report.block import Column, Row, lines, number_columns, paragraph, quoted, section, table
from routesdk.report.markup import NOTHING, Content, Markup, element, join
from routesdk.report.summary import stacked, standing
from routesdk.report.text import ABSENT, count, level_text, percent, sentence, signed_number


def policies(evaluation: Evaluation) -> Markup:
    """Show which policies and models were decided for, and how well each does."""
    return section(
        "policies",
        "By policy",
        _shares(evaluation),
        *(
            join((element("h3", f"By {each.by}"), _breakdown(evaluation, each)))
            for each in evaluation.breakdowns
            if each.by != "topic"
        ),
        _confusion(evaluation),
    )


def topics(evaluation: Evaluation) -> Markup:
    """Show how well the router does on each topic."""
    found = [each for each in evaluation.breakdowns if each.by == "topic"]
    if not found:
        return section("topics", "By topic", paragraph("The rows have no topics."))
    return section("topics", "By topic", *(_breakdown(evaluation, each) for each in found))


def _shares(evaluation: Evaluation) -> Markup:
    columns = [Column(heading="policy or model", kind="words"), *number_columns("decided", "recorded")]
    rows = [
        Row(
            cells=(
                each.name,
                stacked(each.decided, "share"),
                ABSENT if each.recorded is None else percent(each.recorded),
            )
        )
        for each in (*evaluation.policy_shares, *evaluation.model_shares)
    ]
    return join((element("h3", "What was decided"), table("shares", "Shares of all rows.", columns, rows)))


def _breakdown(evaluation: Evaluation, found: Breakdown) -> Markup:
    cheap, dear = evaluation.tiers[0].name, evaluation.tiers[-1].name
    columns = [
        Column(heading=found.by, kind="words"),
        *number_columns("rows", "accuracy", f"{cheap} only", f"{dear} only", f"gained over {cheap}, points"),
        Column(heading=f"so, against {cheap} only, it is", kind="words"),
        *number_columns(f"calls of {dear}", "recorded policy decided"),
    ]
    key = found.by.replace(" ", "-")
    middle = len(evaluation.tiers) > 2
    level = level_text(evaluation.router.accuracy)
    caption = f"Parted by {found.by}, largest first, with {level} intervals; gains are paired."
    if found.note:
        caption += f" {sentence(found.note)}"
    return table(f"by-{key}", caption, columns, (_group(each, middle) for each in found.groups))


def _group(group: Group, middle: bool) -> Row:
    return Row(
        cells=(
            group.name,
            f"{group.rows:,}",
            stacked(group.accuracy, "share"),
            stacked(group.medium, "share"),
            stacked(group.large, "share"),
            stacked(group.gained, "points"),
            standing(group.gained) if group.large_share or middle else "the same calls",
            percent(group.large_share),
            percent(group.policy_accuracy),
        )
    )


def _confusion(evaluation: Evaluation) -> Markup:
    found = evaluation.confusion
    columns = [Column(heading="recorded ↓ decided →", kind="words"), *number_columns(*found.policies, "all")]
    rows = [
        Row(
            cells=(name, *(f"{value:,.4g}" if value % 1 else f"{value:,.0f}" for value in (*line, sum(line))))
        )
        for name, line in zip(found.policies, found.table, strict=True)
    ]
    caption = "Rows of data by their recorded policy, and what the router decided for them."
    return join((element("h3", "Recorded and decided policies"), table("confusion", caption, columns, rows)))


def cells(evaluation: Evaluation) -> Markup:
    """Show the cells of grades with examples."""
    heading = "The cells of grades"
    if not evaluation.cells:
        return section(
            "cells", heading, paragraph("Scores were recorded instead of grades, so that there are no cells.")
        )
    tiers = ", ".join(f"{tier.name} {tier.model}" for tier in evaluation.tiers)
    columns = [
        Column(heading="cell", kind="words"),
        *number_columns("rows", "share"),
        *number_columns(f"sent to {evaluation.tiers[-1].name}", "policy decided"),
        Column(heading="policy of the cell, and why", kind="text"),
        Column(heading="examples", kind="long"),
    ]
    total = sum(cell.rows for cell in evaluation.cells)
    caption = (
        f"Grades in the order {tiers}: C correct, I incorrect, A abstained. The matrix gives each its policy."
    )
    return section(
        "cells",
        heading,
        table("cells", caption, columns, (_cell(cell, total) for cell in evaluation.cells)),
    )


def _cell(cell: Cell, total: int) -> Row:
    empty = not cell.rows
    name = join((element("strong", cell.letters), " ", " / ".join(grade.lower() for grade in cell.grades)))
    return Row(
        cells=(
            name,
            f"{cell.rows:,}",
            percent(cell.rows / total) if total else ABSENT,
            ABSENT if empty else percent(cell.large_share),
            ABSENT if empty else percent(cell.policy_accuracy),
            lines((cell.policy, element("span", sentence(cell.reason), class_="soft"))),
            _examples(cell),
        )
    )


def _examples(cell: Cell) -> Content:
    if not cell.examples:
        return ABSENT
    shown = (
        element(
            "li",
            quoted(each.query),
            element(
                "span",
                f" {each.id}: {each.policy}, {each.tier}, expected gain {signed_number(each.expected_gain)}",
                class_="soft",
            ),
        )
        for each in cell.examples
    )
    return element("ul", *shown)


def robustness(evaluation: Evaluation) -> Markup:
    """Show whether decisions stay where the wording changes, and what the reasons are worth."""
    return section(
        "robustness",
        "Other wordings, reasons, time",
        _perturbations(evaluation),
        _reasonings(evaluation),
        _latency(evaluation),
    )


def _perturbations(evaluation: Evaluation) -> Markup:
    if not evaluation.perturbations:
        return paragraph("Other wordings of the queries were not tried.")
    columns = [
        Column(heading="change", kind="words"),
        *number_columns("queries changed", "same tier", "same policy", "gain moved by"),
        Column(heading="example", kind="text"),
    ]
    rows = (
        Row(
            cells=(
                each.name,
                f"{each.rows:,}",
                stacked(each.same_tier, "share"),
                stacked(each.same_policy, "share"),
                stacked(each.gain_shift),
                quoted(each.example),
            )
        )
        for each in evaluation.perturbations
    )
    caption = "Changes that keep the meaning: how often the decision stayed."
    return join((element("h3", "Queries written otherwise"), table("wordings", caption, columns, rows)))


def _reasonings(evaluation: Evaluation) -> Markup:
    found = evaluation.reasonings
    if found is None:
        return paragraph("The router's reasons were not looked at.")
    columns = [Column(heading="of the reasons", kind="words"), *number_columns("share")]
    shares = {
        "are one line of text": found.parses,
        "agree with the decided policy": found.agrees,
        "name something of the query": found.names_query,
        "give an answer away": found.gives_away,
    }
    rows = (Row(cells=(name, stacked(value, "share"))) for name, value in shares.items())
    caption = sentence(found.note) or f"{count(found.rows, 'reason')} looked at."
    return join((element("h3", "Its reasons"), table("reasons", caption, columns, rows)))


def _latency(evaluation: Evaluation) -> Markup:
    found = evaluation.latency
    if found is None:
        return NOTHING
    return join(
        (
            element("h3", "How long a decision takes"),
            paragraph(
                f"Alone: {found.p50_ms:.3g} ms at the median, {found.p95_ms:.3g} ms at the 95th percentile "
                f"and {found.p99_ms:.3g} ms at the 99th, of {count(found.decisions, 'decision')}. In a batch "
                f"of {count(found.batch, 'row')}: {found.batch_per_s:,.0f} a second. Times are those of the "
                "machine that evaluated."
            ),
        )
    )
