"""Prints what an audit of a judge found."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.metrics import Confusion, Interval
from routesdk.pipeline.audit import Comparison, JudgeAudit
from routesdk.pipeline.probe import Probe
from routesdk.pipeline.yardstick import AuditData

_WHAT = {
    "order": "grading the same answers again, in another order",
    "name": "putting a model's name into the answer",
}


def print_audit(found: JudgeAudit, data: AuditData) -> None:
    """Print one judge's audit as tables."""
    out = console()
    kind = "three-way" if data.three_way else "right or wrong; an abstention counts as not right"
    out.print(
        f"[bold]{printable(found.judge)}[/] on {len(data.rows):,} answers to {data.questions:,} questions"
    )
    out.print(f"verdicts on record: {kind}")
    for count, lacks in (
        (data.without_answer, "their text was not kept"),
        (data.without_grade, "they have a score and no grade"),
        (data.without_reference, "their question has no reference"),
    ):
        if count:
            out.print(f"[yellow]{count:,} outcomes left out: {lacks}[/]")
    out.print(_agreement((found.overall, *found.systems)))
    if found.overall.confusion is not None:
        out.print(_confusion(found.overall.confusion))
    for reason, count in found.unscored_reasons.items():
        out.print(f"[yellow]{count:,} x unscored: {printable(reason, 120)}[/]")
    if found.reasons:
        out.print(_reasons(found))
    if found.ended:
        out.print(f"[red]the audit ended early; above is what was graded: {printable(found.ended, 300)}[/]")
    for probe in found.probes:
        _print_probe(out, probe, data)
    out.print()


def _agreement(comparisons: tuple[Comparison, ...]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("answers of", no_wrap=True)
    for heading in ("graded", "unscored", "agreement (95 %)", "Cohen's kappa (95 %)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in comparisons:
        table.add_row(
            printable(each.system) or "[bold]all[/]",
            f"{each.rows:,}",
            f"{each.unscored:,}",
            _interval(each.agreement),
            _interval(each.kappa),
        )
    for each in comparisons:
        if each.undefined:
            table.add_row("", "", "", "", f"[yellow]{printable(each.undefined)}[/]")
    return table


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "undefined"
    # Square brackets are Rich's markup.
    return f"{interval.value:.3f} \\[{interval.low:.3f}, {interval.high:.3f}]"


def _confusion(confusion: Confusion) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title="", show_edge=False)
    table.add_column("on record \\ judge", no_wrap=True)
    for name in confusion.categories:
        table.add_column(name, justify="right")
    for name, counts in zip(confusion.categories, confusion.table, strict=True):
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table


def _reasons(found: JudgeAudit) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("the judge's reason")
    table.add_column("answers", justify="right")
    table.add_column("not as on record", justify="right")
    for each in found.reasons:
        table.add_row(
            printable(each.reason, 80),
            f"{each.rows:,}",
            f"{each.disagreed:,} ({each.disagreed / each.rows:.0%})",
        )
    return table


def _print_probe(out: Console, probe: Probe, data: AuditData) -> None:
    share = probe.share
    if probe.unasked:
        out.print(f"[yellow]{probe.unasked:,} answers left out of the next: the judge could not be asked[/]")
    if share is None:
        return
    out.print(
        f"\n[bold]{_WHAT[probe.name]}[/] moved {probe.moved:,} of {probe.rows:,} verdicts: "
        f"{share.value:.2%} \\[{share.low:.2%}, {share.high:.2%}]"
    )
    for moved in probe.examples:
        row = data.rows[moved.row]
        out.print(
            f"  {moved.before} -> {moved.after}: {printable(row.item.question, 70)} | "
            f"reference {printable(row.item.reference, 40)} | {printable(moved.change, 50)} | "
            f"{printable(row.item.answer, 80)}"
        )
