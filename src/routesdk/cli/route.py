"""`routesdk route`: decide queries, one or many."""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from routesdk.cli import option
from routesdk.cli.console import console, errors, printable
from routesdk.cli.option import RouterOptions
from routesdk.cli.source import count_lines, read_queries
from routesdk.record import decision_to_dict
from routesdk.types import Decision, Query

if TYPE_CHECKING:
    from routesdk.router import Router
    from routesdk.shift import ShiftScore

CHUNK = 1024
"""Queries decided at once: enough for full speed, few enough for flat memory."""

_TOGETHER = 20
"""From so many queries on, it is said whether they look unlike together: fewer may do so by chance."""


def route(
    query: list[str] = option.QUERY,
    file: Path | None = option.FILE,
    as_json: bool = typer.Option(False, "--json", help="One JSON record a decision, for machines."),
    checkpoint: str | None = option.CHECKPOINT,
    medium: str | None = option.MEDIUM,
    large: str | None = option.LARGE,
    tier: list[str] = option.TIER,
    large_share: float | None = option.LARGE_SHARE,
    model_option: list[str] = option.MODEL_OPTION,
    budget: str | None = option.BUDGET,
    spent: str | None = option.SPENT,
    explain: bool = typer.Option(False, "--explain", help="Say why, as the policy model sees it."),
    log: Path | None = typer.Option(None, help="Append every decision to this JSONL file."),
    config: Path | None = option.CONFIG,
) -> None:
    """Decide which model each query deserves, offline."""
    router = RouterOptions(
        config=config,
        checkpoint=checkpoint,
        medium=medium,
        large=large,
        tier=tier,
        large_share=large_share,
        model_option=model_option,
        budget=budget,
        spent=spent,
        log=log,
    ).router()
    queries = read_queries(query or [], file)
    decided = _decide(router, queries, explain, count_lines(file))
    if as_json:
        for _, decision in decided:
            # Bytes of JSON's own ASCII: no query can hold what a terminal's encoding cannot.
            sys.stdout.write(json.dumps(decision_to_dict(decision)) + "\n")
        return
    _print(decided, router.shift)


def _decide(
    router: Router, queries: Iterable[Query], explain: bool, total: int | None
) -> Iterator[tuple[Query, Decision]]:
    """Decide in chunks; a bar appears only where there is more than one chunk, and results go elsewhere."""
    columns = (TextColumn("deciding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On one terminal a bar and results would garble each other.
    hidden = sys.stdout.isatty() or not sys.stderr.isatty()
    # Left to itself, the bar takes what is written to standard output along to its own stream.
    bar = Progress(*columns, console=errors(), transient=True, disable=hidden, redirect_stdout=False)
    with bar as progress:
        task = progress.add_task("deciding", total=total, visible=False)
        for chunk in _batched(queries):
            decisions = router.route_batch(chunk, explain=explain)
            # Drawn at once: the next chunk may be done before the bar's own clock ticks.
            progress.update(task, advance=len(chunk), visible=len(chunk) == CHUNK, refresh=True)
            yield from zip(chunk, decisions, strict=True)


def _batched(queries: Iterable[Query]) -> Iterator[tuple[Query, ...]]:
    iterator = iter(queries)
    while chunk := tuple(itertools.islice(iterator, CHUNK)):
        yield chunk


def _print(decided: Iterator[tuple[Query, Decision]], shift: ShiftScore | None) -> None:
    first = list(itertools.islice(decided, 2))
    if len(first) == 1:
        _print_one(*first[0])
    elif first:
        _print_many(itertools.chain(first, decided), shift)


def _print_one(query: Query, decision: Decision) -> None:
    console().print(decision_table(query, decision))


def decision_table(query: Query, decision: Decision) -> Table:
    """Return one decision as a table of its parts."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("query", printable(query.text, 200))
    policy = printable(decision.policy)
    table.add_row("policy", f"[bold]{policy}[/] (tier {printable(decision.tier)})")
    table.add_row("model", f"[bold green]{printable(decision.model)}[/]")
    table.add_row("confidence", f"{decision.confidence:.0%} that the oracle says {policy}")
    shares = ", ".join(f"{name} {p:.0%}" for name, p in decision.probabilities.items())
    table.add_row("probabilities", printable(shares))
    thresholds = ", ".join(f"{threshold:+.3f}" for threshold in decision.operating_point.thresholds)
    derived = ", derived" if decision.prediction.derived else ""
    table.add_row("expected gain", f"{decision.expected_gain:+.3f}{derived} (escalates from {thresholds})")
    table.add_row("cost", f"{_usd(decision)}, {printable(decision.cost_note)}")
    for number, step in enumerate(decision.trace):
        fate = f", overruled: {step.chosen} stays" if step.overruled else ""
        text = f"{step.stage.value}, {step.source}: {step.model}, since {step.reason}{fate}"
        table.add_row("" if number else "trace", printable(text))
    for number, notice in enumerate(decision.notices):
        table.add_row("" if number else "notice", f"[yellow]{printable(notice)}[/]")
    if decision.shift_score is not None:
        table.add_row("shift score", f"{decision.shift_score:.3f}, 0 to 1: how unlike what it learned from")
    if decision.explanation is not None:
        table.add_row("explanation", printable(decision.explanation))
    table.add_row("checkpoint", decision.checkpoint_id or "none")
    return table


def _print_many(decided: Iterator[tuple[Query, Decision]], shift: ShiftScore | None) -> None:
    """Print decisions a row each, chunk by chunk, and what they come to."""
    out = console()
    models: Counter[str] = Counter()
    notices: Counter[str] = Counter()
    costs: list[Decimal | None] = []
    # A question that is asked again says no more than it did.
    scores: dict[int, float] = {}
    while chunk := list(itertools.islice(decided, CHUNK)):
        out.print(_table(chunk))
        for query, decision in chunk:
            models[decision.model] += 1
            notices.update(decision.notices)
            costs.append(decision.estimated_cost_usd)
            if decision.shift_score is not None:
                scores[hash(query.text)] = decision.shift_score
    shares = ", ".join(f"{count:,} to {printable(model)}" for model, count in models.items())
    out.print(f"\n{len(costs):,} queries: {shares}")
    known = [cost for cost in costs if cost is not None]
    unknown = len(costs) - len(known)
    more = f", and {unknown:,} of unknown price" if unknown else ""
    # A sum over nothing would read as free.
    out.print(f"estimated cost: ${sum(known):.6f}{more}" if known else "estimated cost: unknown")
    for notice, count in notices.items():
        out.print(f"[yellow]{count:,} x {printable(notice)}[/]")
    if shift is not None and len(scores) >= _TOGETHER:
        together = shift.assess_scores(tuple(scores.values()))
        if together.shifted:
            out.print(f"[yellow]{printable(together.sentence)}[/]")


def _table(chunk: list[tuple[Query, Decision]]) -> Table:
    # The query gives way: a model's name that is cut or folded cannot be copied.
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    table.add_column("query", ratio=1, min_width=8, no_wrap=True, overflow="ellipsis")
    table.add_column("policy", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for heading in ("confidence", "gain", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for query, decision in chunk:
        figures = (f"{decision.confidence:.0%}", f"{decision.expected_gain:+.3f}", _usd(decision))
        table.add_row(
            printable(query.text, 60), printable(decision.policy), printable(decision.model), *figures
        )
    return table


def _usd(decision: Decision) -> str:
    cost = decision.estimated_cost_usd
    return "unknown" if cost is None else f"${cost:.6f}"
