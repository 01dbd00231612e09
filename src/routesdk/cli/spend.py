"""`routesdk spend`: what was spent, by model, policy, tier and day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import typer
from rich.table import Table

from routesdk.cli.console import console, errors, printable
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.ledger import Balance, Charge, Total, read_charges, tally
from routesdk.logbook import FileIds, Unreadable


def spend(
    log: list[Path] = typer.Argument(
        help="Decision logs, journals of oracle runs, or SQLite files of spend sources."
    ),
    by: list[str] = typer.Option(
        ["model"], help="model, policy, tier or day; repeat it to group by several."
    ),
    since: str | None = typer.Option(None, help="Leave out calls before this day or moment (UTC)."),
    until: str | None = typer.Option(None, help="Leave out calls after this day or moment (UTC)."),
    as_json: bool = typer.Option(False, "--json", help="One JSON record, for machines."),
) -> None:
    """Show what was spent: calls, tokens and money, from decision logs and spend sources."""
    span = _Span(since=_moment(since, "--since"), until=_moment(until, "--until", end=True))
    reading = _Reading()
    groups = tally(reading.charges(log, span), by)
    total = Total()
    for each in groups.values():
        total = total.with_total(each)
    if as_json:
        typer.echo(json.dumps(_record(by, groups, total, reading)))
        return
    if groups or not reading.balances:
        console().print(_table(by, groups, total))
        _explain(total)
    for balance in reading.balances:
        settled, reserved = balance.spend.settled_usd, balance.spend.reserved_usd
        console().print(
            f"{printable(balance.source)}: ${settled:f} settled, ${reserved:f} reserved", soft_wrap=True
        )
    for line in reading.unreadable:
        errors().print(f"[yellow]left out[/] {printable(str(line))}", soft_wrap=True)


@attrs.frozen(kw_only=True)
class _Span:
    since: datetime | None
    until: datetime | None

    def holds(self, moment: datetime) -> bool:
        after = self.since is None or moment >= self.since
        return after and (self.until is None or moment < self.until)


@attrs.define
class _Reading:
    """What files hold beside charges, collected while these are streamed."""

    balances: list[Balance] = attrs.field(factory=list)
    unreadable: list[Unreadable] = attrs.field(factory=list)

    def charges(self, files: list[Path], span: _Span) -> Iterator[Charge]:
        host = PluginHost()
        if len({file.resolve() for file in files}) < len(files):
            shown = ", ".join(map(str, files))
            raise ConfigError("log", shown, "names a file twice", "Name each once: money would be doubled.")
        # `log.jsonl*` names what `log.jsonl` reads along already; links have several names.
        seen: FileIds = set()
        for file in files:
            for entry in read_charges(file, host, seen=seen):
                if isinstance(entry, Balance):
                    self.balances.append(entry)
                elif isinstance(entry, Unreadable):
                    self.unreadable.append(entry)
                elif span.holds(entry.time):
                    yield entry


def _moment(text: str | None, key: str, *, end: bool = False) -> datetime | None:
    """Read a day or a moment; the end of a span that is a day is the end of that day."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problem = "is neither a day nor a moment"
        raise ConfigError(key, repr(text), problem, "Write 2026-11-25, or 2026-11-25T18:00.") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    whole_day = len(text) <= len("2026-11-25")
    if not (end and whole_day):
        return moment
    # Behind the last day of the calendar there is no moment: its own last one stands in.
    last = datetime.max.replace(tzinfo=UTC)
    return moment + timedelta(days=1) if last - moment > timedelta(days=1) else last


def _table(by: list[str], groups: dict[tuple[str, ...], Total], total: Total) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in by:
        # A model's name that is folded cannot be copied.
        table.add_column(name, no_wrap=True)
    for heading in ("calls", "tokens in", "tokens out", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("of unknown cost", justify="right", no_wrap=True)
    for group, each in groups.items():
        table.add_row(*map(printable, group), *_figures(each))
    table.add_row("[bold]total[/]", *[""] * (len(by) - 1), *_figures(total))
    return table


def _figures(total: Total) -> tuple[str, ...]:
    return (
        f"{total.calls:,}",
        f"{total.input_tokens:,}",
        f"{total.output_tokens:,}",
        # A sum over nothing would read as free.
        "unknown" if total.calls and total.unknown == total.calls else f"${total.cost_usd:f}",
        f"{total.unknown:,}",
    )


def _explain(total: Total) -> None:
    if total.broken_off:
        text = f"calls that were cancelled, or failed: {total.broken_off:,}"
        if total.at_most_usd:
            text += f"; ${total.at_most_usd:f} of the cost is what such calls can have cost at the most"
        console().print(text, soft_wrap=True)
    if total.unknown:
        console().print(f"[yellow]calls of unknown cost, in no sum: {total.unknown:,}[/]")


def _record(
    by: list[str], groups: dict[tuple[str, ...], Total], total: Total, reading: _Reading
) -> dict[str, object]:
    return {
        "by": by,
        "groups": [dict(zip(by, group, strict=True)) | _plain(each) for group, each in groups.items()],
        "total": _plain(total),
        "balances": [
            {
                "source": balance.source,
                "settled_usd": f"{balance.spend.settled_usd:f}",
                "reserved_usd": f"{balance.spend.reserved_usd:f}",
            }
            for balance in reading.balances
        ],
        "unreadable": [attrs.asdict(line) for line in reading.unreadable],
    }


def _plain(total: Total) -> dict[str, object]:
    plain = attrs.asdict(total)
    return plain | {"cost_usd": f"{total.cost_usd:f}", "at_most_usd": f"{total.at_most_usd:f}"}
