"""`routesdk plugins`: what is installed, what it offers, what is wrong with it."""

from __future__ import annotations

import json
import logging
from collections import Counter

import typer
from rich.table import Table

from routesdk.cli.console import console, printable
from routesdk.host import PluginHost
from routesdk.offers import PluginReport

app = typer.Typer(help="See installed plugins.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """See installed plugins."""


@app.command("list")
def list_plugins(
    as_json: bool = typer.Option(False, "--json", help="One JSON object a plugin, for machines."),
) -> None:
    """List plugins with what they offer, and what is wrong with broken ones."""
    reports = _reports()
    twice = _offered_twice(reports)
    if as_json:
        for report in reports:
            typer.echo(json.dumps(_record(report, twice)))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("plugin", "from", "offers", "state"):
        table.add_column(heading, overflow="fold")
    for report in reports:
        problems = [*report.errors, *_conflicts(report, twice)]
        state = "blocked" if report.blocked else "; ".join(problems)
        offers = "\n".join(f"{offered.kind} {offered.component.name}" for offered in report.components)
        table.add_row(
            printable(report.name),
            printable(f"{report.distribution} {report.version}".strip()),
            printable(offers) or "-",
            f"[red]{printable(state)}[/]" if state else "[green]ok[/]",
        )
    console().print(table)


def _reports() -> tuple[PluginReport, ...]:
    """Load every plugin, quietly: the table tells of broken ones, and warnings would say it twice."""
    logger = logging.getLogger("routesdk")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return PluginHost().plugins()
    finally:
        logger.setLevel(level)


def _offered_twice(reports: tuple[PluginReport, ...]) -> dict[tuple[str, str], list[str]]:
    owners: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        for (kind, name), count in Counter((o.kind, o.component.name) for o in report.components).items():
            owners.setdefault((kind, name), []).extend([report.distribution] * count)
    return {offer: who for offer, who in owners.items() if len(who) > 1}


def _record(report: PluginReport, twice: dict[tuple[str, str], list[str]]) -> dict[str, object]:
    return {
        "name": report.name,
        "distribution": report.distribution,
        "version": report.version,
        "blocked": report.blocked,
        "components": [
            {"kind": offered.kind, "name": offered.component.name, "summary": offered.component.summary}
            for offered in report.components
        ],
        "errors": list(report.errors),
        "conflicts": _conflicts(report, twice),
    }


def _conflicts(report: PluginReport, twice: dict[tuple[str, str], list[str]]) -> list[str]:
    offers = dict.fromkeys((offered.kind, offered.component.name) for offered in report.components)
    return [
        f"{kind} {name!r} is offered by {' and '.join(sorted(twice[kind, name]))}"
        for kind, name in offers
        if (kind, name) in twice
    ]
