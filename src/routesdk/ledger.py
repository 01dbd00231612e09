"""What was spent: the charges that logs record, and what they come to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import attrs

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.journal import Attempt, JournalView, is_journal
from routesdk.logbook import FileIds, LoggedAnswer, Unreadable, read_log
from routesdk.types import EXACT, Spend, from_nano

_SQLITE = b"SQLite format 3\x00"


@attrs.frozen(kw_only=True)
class Charge:
    """What one call cost.

    Attributes:
        time: When it ended.
        model: The model that was called.
        policy: The policy that was decided.
        tier: The tier that was decided.
        cost_usd: US dollars; None where the price, or what was used, is unknown.
        input_tokens: Tokens of the prompt; None where nobody counted them.
        output_tokens: Tokens of the answer, thinking included; None where nobody counted them.
        whole: Whether there is a whole answer; else the call was cancelled, or it failed.
    """

    time: datetime
    model: str
    policy: str
    tier: str = ""
    cost_usd: Decimal | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    whole: bool = True

    @property
    def counted(self) -> bool:
        """Whether tokens were counted; the cost of a call that broke off is else what it was at the most."""
        return self.input_tokens is not None and self.output_tokens is not None


@attrs.frozen(kw_only=True)
class Balance:
    """What a spend source has counted; it does not say for which calls.

    Attributes:
        source: Its file.
        spend: What is settled, and what is reserved.
    """

    source: str
    spend: Spend


@attrs.frozen(kw_only=True)
class Total:
    """What charges come to.

    Attributes:
        calls: Calls.
        broken_off: Those of them that were cancelled, or failed.
        cost_usd: US dollars of the calls whose cost is known.
        at_most_usd: The part of it that broke off uncounted, at the most that it can have cost.
        unknown: Calls whose cost is not known.
        input_tokens: Tokens of prompts, as far as they were counted.
        output_tokens: Tokens of answers, as far as they were counted.
    """

    calls: int = 0
    broken_off: int = 0
    cost_usd: Decimal = Decimal(0)
    at_most_usd: Decimal = Decimal(0)
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def of(cls, charge: Charge) -> Total:
        """Return what one charge comes to."""
        cost_usd = Decimal(0) if charge.cost_usd is None else charge.cost_usd
        return cls(
            calls=1,
            broken_off=int(not charge.whole),
            cost_usd=cost_usd,
            at_most_usd=Decimal(0) if charge.whole or charge.counted else cost_usd,
            unknown=int(charge.cost_usd is None),
            input_tokens=charge.input_tokens or 0,
            output_tokens=charge.output_tokens or 0,
        )

    def with_total(self, other: Total) -> Total:
        """Return the sum of two totals."""
        return Total(
            calls=self.calls + other.calls,
            broken_off=self.broken_off + other.broken_off,
            cost_usd=EXACT.add(self.cost_usd, other.cost_usd),
            at_most_usd=EXACT.add(self.at_most_usd, other.at_most_usd),
            unknown=self.unknown + other.unknown,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


def _day(charge: Charge) -> str:
    return charge.time.astimezone(UTC).date().isoformat()


GROUPINGS: Mapping[str, Callable[[Charge], str]] = {
    "model": lambda charge: charge.model,
    "policy": lambda charge: charge.policy,
    "tier": lambda charge: charge.tier,
    "day": _day,
}
"""What charges can be grouped by; days are those of UTC."""


def read_charges(
    path: str | os.PathLike[str], host: PluginHost, *, seen: FileIds | None = None
) -> Iterator[Charge | Balance | Unreadable]:
    """Read what was spent from any file that tells of it.

    Args:
        path: A decision log, read with the files that were set aside of it; the
            journal of an oracle run; or the file of a spend source `sqlite`.
        host: Builds the spend source.
        seen: Files to leave out, since they were read before; those read now are added.

    Yields:
        The charges, oldest first; an `Unreadable` in the place of a line that
        cannot be read; the `Balance` of a spend source.

    Raises:
        ConfigError: There is no such file, or it cannot be read.
        BudgetError: It is a SQLite file of another program.
        JournalError: It is a journal that cannot be read.
    """
    # Each further kind of file that tells of money is told apart, and read, here.
    is_database = _begins_with(Path(path), _SQLITE)
    if is_database and seen is not None and _is_known(Path(path), seen):
        return
    if is_database and is_journal(Path(path)):
        with JournalView.open(path) as view:
            yield from map(_charge, view.attempts())
        return
    if is_database:
        spend = host.spend_source("sqlite", path=str(path))
        yield Balance(source=str(path), spend=spend.snapshot())
        return
    for entry in read_log(path, seen=seen):
        if isinstance(entry, Unreadable):
            yield entry
        elif isinstance(entry, LoggedAnswer):
            usage = entry.answer.usage
            yield Charge(
                time=entry.time,
                model=entry.model,
                policy=entry.policy,
                tier=entry.tier,
                cost_usd=usage.cost_usd,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                whole=entry.whole,
            )


def _charge(attempt: Attempt) -> Charge:
    """Turn a try of an oracle's call into a charge: what it is for stands in the policy's place."""
    settled = attempt.state == "settled"
    nano = attempt.cost_nano if settled else attempt.reserved_nano
    return Charge(
        time=datetime.fromisoformat(attempt.begun),
        model=attempt.model,
        policy=f"oracle: {attempt.role}",
        cost_usd=None if nano is None else from_nano(nano),
        input_tokens=attempt.input_tokens if settled else None,
        output_tokens=attempt.output_tokens if settled else None,
        whole=settled,
    )


def tally(charges: Iterable[Charge], by: Sequence[str]) -> dict[tuple[str, ...], Total]:
    """Add charges up.

    Args:
        charges: What calls cost; streamed.
        by: Names of `GROUPINGS`; empty for one total alone.

    Returns:
        Group → its total, sorted by group: one text for each name in `by`.

    Raises:
        ConfigError: A name is no grouping, or stands twice.
    """
    for name in by:
        if name not in GROUPINGS or list(by).count(name) > 1:
            problem = "no grouping, or given twice"
            raise ConfigError("by", repr(name), problem, f"Use {', '.join(GROUPINGS)}, each once.")
    totals: dict[tuple[str, ...], Total] = {}
    for charge in charges:
        group = tuple(GROUPINGS[name](charge) for name in by)
        totals[group] = totals.get(group, Total()).with_total(Total.of(charge))
    return dict(sorted(totals.items()))


def _is_known(file: Path, seen: FileIds) -> bool:
    status = file.stat()
    known = (status.st_dev, status.st_ino) in seen
    seen.add((status.st_dev, status.st_ino))
    return known


def _begins_with(file: Path, mark: bytes) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(mark)) == mark
    except OSError:
        # Reading it as a log says what is wrong, and finds what was set aside of it.
        return False
