"""Offers the spend sources `memory` and `sqlite`: where money that was spent is counted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import attrs
from attrs.validators import gt

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, SpendSource
from routesdk.types import usd


@attrs.frozen(kw_only=True)
class MemorySpendConfig:
    """What the spend source `memory` starts with.

    Attributes:
        settled_usd: US dollars that were spent before.
    """

    settled_usd: Decimal = attrs.field(default=Decimal(0), converter=usd)


@attrs.frozen(kw_only=True)
class SQLiteSpendConfig:
    """Where the spend source `sqlite` keeps its count.

    Attributes:
        path: The file; it is made where there is none, its folder is not.
        busy_timeout_s: Seconds to wait for another process that is writing.
    """

    path: Path
    busy_timeout_s: float = attrs.field(default=30.0, validator=gt(0.0))


def _memory(config: MemorySpendConfig) -> SpendSource:
    from routesdk.plugins.spend.memory import MemorySpend

    return MemorySpend(config.settled_usd)


def _sqlite(config: SQLiteSpendConfig) -> SpendSource:
    from routesdk.plugins.spend.sqlite import SQLiteSpend

    return SQLiteSpend(config.path, busy_timeout_s=config.busy_timeout_s)


@hookimpl
def routesdk_spend() -> Iterable[Component[SpendSource]]:
    """Offer a count that ends with the process, and one that outlives it."""
    yield Component(
        name="memory",
        factory=_memory,
        config=MemorySpendConfig,
        summary="Counts in memory; forgotten when the process ends.",
    )
    yield Component(
        name="sqlite",
        factory=_sqlite,
        config=SQLiteSpendConfig,
        summary="Counts in a SQLite file that threads and processes may share.",
    )
