"""What stands first in a report: the verdict, the headline table, targets and costs."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import ROUTER, Evaluation, Line, Target
from routesdk.pipeline.payoff.figures import PROMPT_LENGTH, RANDOM
from routesdk.report.block import (
    Column,
    Row,
    bullets,
    facts,
    lines,
    number_columns,
    paragraph,
    section,
    spoken,
    table,
)
from routesdk.report.markup import NOTHING, Content, Markup, element, join
from routesdk.report.text import ABSENT, between, dollars, ends, figure, level_text, percent, sentence

_STANDINGS = ("surely ahead", "surely behind", "cannot tell")


def verdict(evaluation: Evaluation) -> Markup:
    """Say in plain words what to do."""
    found = evaluation.verdict
    first, *rest = found.sentences or (found.advice.value,)
    return section(
        "verdict",
        f"Verdict: {found.advice.value}",
        element(
            "div",
            paragraph(spoken(sentence(first)), kind="first"),
            paragraph(spoken(" ".join(map(sentence, rest)))) if rest else NOTHING,
            class_="verdict",
        ),
    )


def stacked(interval: Interval | None, unit: str = "") -> Content:
    """Write a figure for a cell, its interval below it."""
    if interval is None:
        return ABSENT
    return lines((figure(interval, unit), element("span", ends(interval, unit), class_="low-high")))


def inline(interval: Interval | None, unit: str = "") -> Content:
    """Write a figure for a cell with its interval behind it; a narrow page may put it below."""
    if interval is None:
        return ABSENT
    return broken(figure(interval, unit), ends(interval, unit))


def broken(*pieces: str) -> Markup:
    """Write pieces in a line that breaks between them, and not within one."""
    spans = [element("span", piece, class_="piece") for piece in pieces]
    return join(part for at, span in enumerate(spans) for part in ((" ", span) if at else (span,)))


def standing(difference: Interval | None) -> str:
    """Say what a paired difference of the router from something else tells."""
    if difference is None:
        return ABSENT
    ahead, behind, unknown = _STANDINGS
    if difference.low > 0:
        return ahead
    return behind if difference.high < 0 else unknown


def headline(evaluation: Evaluation) -> Markup:
    """Build the table of the router and every baseline."""
    level = level_text(evaluation.router.accuracy)
    large = evaluation.tiers[-1].name
    costs = any(line.cost_usd or line.saved for line in evaluation.lines)
    columns = [
        Column(heading="", kind="words"),
        *number_columns("accuracy", "router ahead by, points"),
        Column(heading="so the router is", kind="words"),
        *number_columns(f"calls of {large}", "APGR", "router ahead by, APGR"),
        *(number_columns("$ for 1,000 queries", f"saved against {large} only") if costs else ()),
    ]
    caption = (
        f"The router and every baseline on the same {evaluation.rows:,} rows. Below each figure stands its "
        f"{level} interval; differences are paired, on the same resamples."
    )
    return section(
        "headline",
        "The router beside every baseline",
        table("headline", caption, columns, (_headline_row(line, costs) for line in evaluation.lines)),
        bullets(f"{line.name}: {line.note}" for line in evaluation.lines if line.note),
        *(paragraph(each) for each in behind_baselines(evaluation)),
        paragraph(
            "APGR is the share of the gap between the tiers that the ranking recovers, averaged over all "
            "shares of dear calls: 0 is the cheapest tier alone, 0.5 a random order, 1 the dearest alone.",
            kind="soft",
        ),
    )


def _headline_row(line: Line, costs: bool) -> Row:
    money = (stacked(line.cost_usd, "usd"), stacked(line.saved, "share")) if costs else ()
    return Row(
        cells=(
            line.name,
            stacked(line.accuracy, "share"),
            stacked(line.ahead, "points"),
            "" if line.name == ROUTER else standing(line.ahead),
            percent(line.large_share),
            stacked(line.apgr),
            stacked(line.apgr_ahead, "signed"),
            *money,
        ),
        ours=line.name == ROUTER,
    )


def behind_baselines(evaluation: Evaluation) -> Iterable[str]:
    """Name what needs no training and does as well at the same share of calls, as far as can be told."""
    like = [line for line in evaluation.lines if line.name in {RANDOM, PROMPT_LENGTH} and line.ahead]
    found = {said: [line.name for line in like if standing(line.ahead) == said] for said in _STANDINGS}
    if found["surely behind"]:
        names = " and ".join(found["surely behind"])
        yield f"At the same share of calls, the router is surely less accurate than {names} on these rows."
    if found["cannot tell"]:
        names = " and ".join(found["cannot tell"])
        yield (
            f"At the same share of calls, the router is not surely more accurate than {names} on these "
            "rows: what needs no training does as well, as far as they tell."
        )


def targets(evaluation: Evaluation) -> Markup:
    """Set what the project meant to reach beside what was measured."""
    if not evaluation.targets:
        return NOTHING
    columns = [
        Column(heading="", kind="words"),
        *number_columns("target", "measured"),
        Column(heading="outcome", kind="words"),
        Column(heading="note", kind="text"),
    ]
    rows = (
        Row(
            cells=(
                each.name,
                broken(target_text(each)),
                measured_cell(each),
                each.outcome,
                each.note or ABSENT,
            )
        )
        for each in evaluation.targets
    )
    caption = "What the project set out to reach, and what these rows show. A target is no result."
    return section("targets", "Targets beside what was measured", table("targets", caption, columns, rows))


def target_text(target: Target) -> str:
    """Write what was set out for, such as `+2 to +5 points` or `40 to 60 %`."""
    signed = "+" if target.unit == "points" else ""
    low, high = (f"{end:{signed}g}" for end in (target.low, target.high))
    return f"{low} to {high} {_unit_text(target)}"


def measured_text(target: Target) -> str:
    """Write what was measured of a target, in its unit."""
    found = target.measured
    if found is None:
        return ABSENT
    signed = "+" if target.unit == "points" else ""
    value, low, high = (f"{end:{signed}.1f}" for end in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}] {_unit_text(target)}"


def measured_cell(target: Target) -> Content:
    """Write the same for a cell."""
    if target.measured is None:
        return ABSENT
    value, rest = measured_text(target).split(" ", 1)
    return broken(value, rest)


def _unit_text(target: Target) -> str:
    return "%" if target.unit == "percent" else target.unit


def cost(evaluation: Evaluation) -> Markup:
    """Say what the calls cost, and how that is known."""
    found = evaluation.cost
    pairs: list[tuple[str, Content]] = [("how it is known", basis_text(evaluation))]
    if found.per_query_usd:
        pairs.append(("1,000 queries by the router", between(found.per_query_usd, "usd")))
    if found.saved_usd:
        pairs.append(("saved on 1,000 queries", between(found.saved_usd, "usd")))
    if found.saved:
        pairs.append((f"saved against {evaluation.tiers[-1].name} only", between(found.saved, "share")))
    if found.total_usd is not None:
        pairs.append(("all rows by the router", dollars(found.total_usd)))
    for tier, total in zip(evaluation.tiers, found.tier_total_usd, strict=False):
        pairs.append((f"all rows by {tier.name} alone", dollars(total)))
    return section("cost", "What it costs", facts(pairs))


def basis_text(evaluation: Evaluation) -> str:
    """Say how costs are known."""
    found = evaluation.cost
    if found.note.lower().startswith(found.basis):
        return found.note
    return f"{found.basis}: {found.note}" if found.note else found.basis


def opening(evaluation: Evaluation) -> Markup:
    """Say what was measured on what."""
    tiers = join(
        part
        for at, tier in enumerate(evaluation.tiers)
        for part in ((" → " if at else ""), f"{tier.name} ", element("code", tier.model))
    )
    made = evaluation.provenance
    return join(
        (
            element("h1", "Does routing pay?"),
            paragraph(
                "Router ",
                element("strong", made.checkpoint),
                "; ",
                f"{evaluation.rows:,} rows that the router did not learn from; ",
                tiers,
                f"; {made.date}" if made.date else "",
                kind="soft",
            ),
        )
    )
