"""How the stages of a project stand, and what a run would do, as people and machines read it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from routesdk.cli.bar import clock
from routesdk.cli.console import console, printable
from routesdk.structure import unstructure

if TYPE_CHECKING:
    from routesdk.pipeline.project import Estimate, Standing

_STYLES = {
    "done": "green",
    "stale": "yellow",
    "unfinished": "yellow",
    "waiting": "yellow",
    "changed by hand": "red",
    "not needed": "dim",
}

_EDITED = (
    "Files that were changed by hand are not written over: `routesdk run` stops before them. "
    "`--keep-edits` goes on from them as they are; `--replace-edits` puts them aside under another name and "
    "makes them anew."
)


def print_standings(standings: tuple[Standing, ...], trainer: str, as_json: bool) -> None:
    """Print how every stage stands, and what the next run would do."""
    if as_json:
        typer.echo(json.dumps({"trainer": trainer, "stages": [_record(each) for each in standings]}))
        return
    table = _table("stage", "state", "why, or what it brought")
    for each in standings:
        state = each.state.value
        text = "; ".join(each.reasons) or (each.record.summary if each.record is not None else "")
        style = _STYLES.get(state, "bold")
        table.add_row(each.stage.name, f"[{style}]{state}[/]", printable(text))
    out = console()
    out.print(table)
    out.print()
    out.print(_next(standings), soft_wrap=True)
    if any(each.edited for each in standings):
        out.print(_EDITED, soft_wrap=True)


def _next(standings: tuple[Standing, ...]) -> str:
    todo = [each.stage.name for each in standings if each.must_run and each.state.value != "waiting"]
    waiting = [each.stage.name for each in standings if each.state.value == "waiting"]
    if any(each.edited for each in standings):
        return "`routesdk run` does nothing as things stand: files were changed by hand."
    if not todo and not waiting:
        return "Everything is as the config and the files have it: `routesdk run` has nothing to do."
    more = f", then what it must of {', '.join(waiting)}" if waiting else ""
    return f"`routesdk run` does {', '.join(todo)}{more}."


def _record(standing: Standing) -> dict[str, object]:
    record = standing.record
    return {
        "stage": standing.stage.name,
        "state": standing.state.value,
        "reasons": list(standing.reasons),
        "edited": [path.as_posix() for path in standing.edited],
        "outputs": [path.as_posix() for path in standing.stage.outputs],
        "finished": None if record is None else record.finished,
        "seconds": None if record is None else record.seconds,
        "summary": None if record is None else record.summary,
        "routesdk": None if record is None else record.routesdk,
    }


def print_estimates(estimates: tuple[Estimate, ...], max_usd: Decimal | None, as_json: bool) -> None:
    """Print what a run would do, what its calls would cost, and the bound that the config sets."""
    from routesdk.pipeline.project import total_usd

    cost, most = total_usd(estimates)
    if as_json:
        stages = [_record(each.standing) | _estimated(each) for each in estimates]
        typer.echo(json.dumps({"stages": stages, "cost_usd": _text(cost), "at_most_usd": _text(most)}))
        return
    table = _table("stage", "would run", "calls", "cost", "at most", "why")
    for each in estimates:
        would = {True: "yes", False: "no", None: "perhaps"}[each.runs]
        calls = each.calls
        figures = ("", "", "")
        if calls is not None:
            made = sum(item.calls for item in calls.items)
            figures = (f"{made:,}", _dollars(calls.cost_usd), _dollars(calls.at_most_usd))
        text = "; ".join((*each.standing.reasons, *([each.note] if each.note else ())))
        table.add_row(each.standing.stage.name, would, *figures, printable(text))
    out = console()
    out.print(table)
    seconds = sum(each.calls.seconds for each in estimates if each.calls is not None)
    spent = sum((each.calls.spent_usd for each in estimates if each.calls is not None), Decimal(0))
    out.print(
        f"\ncalls in all: about {_dollars(cost)}, at most {_dollars(most)} without second tries; "
        f"about {clock(seconds)} of calling"
    )
    if spent:
        out.print(f"spent already: {_dollars(spent)}")
    if max_usd is not None:
        out.print(f"oracle.max_usd: a run stops before all calls together come to more than ${max_usd:f}")
    out.print("Costs are estimates: tokens in are counted in characters, tokens out are assumed.")


def _estimated(estimate: Estimate) -> dict[str, object]:
    calls = estimate.calls
    found = None
    if calls is not None:
        found = unstructure(calls) | {
            "cost_usd": _text(calls.cost_usd),
            "at_most_usd": _text(calls.at_most_usd),
        }
    return {"runs": estimate.runs, "calls": found, "note": estimate.note}


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings[:-1]:
        right = heading in ("calls", "cost", "at most")
        table.add_column(heading, no_wrap=True, justify="right" if right else "left")
    table.add_column(headings[-1], overflow="fold")
    return table


def _dollars(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"${amount:.4f}"


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
