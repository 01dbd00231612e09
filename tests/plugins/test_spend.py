"""Money is counted exactly, by threads and processes, and is there again after a restart."""

from __future__ import annotations

import decimal
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import BudgetError, ConfigError
from routesdk.host import PluginHost
from routesdk.plugins.spend.memory import MemorySpend
from routesdk.plugins.spend.sqlite import SQLiteSpend
from routesdk.protocols import SpendSource
from routesdk.testing import check_spend_source
from routesdk.types import NANO_USD, Reservation, Spend, from_nano, to_nano

MakeSource = Callable[[], SpendSource]


@pytest.fixture(params=["memory", "sqlite"])
def make_source(request: pytest.FixtureRequest, tmp_path: Path) -> MakeSource:
    if request.param == "memory":
        return MemorySpend
    return lambda: SQLiteSpend(tmp_path / "spend.db")


def test_the_sources_are_built_by_their_names(tmp_path: Path) -> None:
    host = PluginHost(entry_points=False)

    memory = host.spend_source("memory", settled_usd=8.5)
    sqlite = host.spend_source("sqlite", path=str(tmp_path / "spend.db"))

    assert isinstance(memory, SpendSource)
    assert isinstance(sqlite, SpendSource)
    assert memory.snapshot() == Spend(settled_usd=Decimal("8.5"))
    assert sqlite.snapshot() == Spend()


def test_a_settlement_replaces_its_reservation(make_source: MakeSource) -> None:
    source = make_source()
    first, second = source.reserve(Decimal("0.30")), source.reserve(Decimal("0.5"))

    assert source.snapshot() == Spend(reserved_usd=Decimal("0.8"))
    source.settle(first, Decimal("0.1"))

    assert source.snapshot() == Spend(settled_usd=Decimal("0.1"), reserved_usd=Decimal("0.5"))
    assert second.cost_usd == Decimal("0.5")


def test_a_reservation_is_settled_once(make_source: MakeSource) -> None:
    source = make_source()
    reservation = source.reserve(Decimal(1))
    source.settle(reservation, Decimal(1))

    with pytest.raises(BudgetError, match="settled already"):
        source.settle(reservation, Decimal(1))

    assert source.snapshot() == Spend(settled_usd=Decimal(1))


def test_a_reservation_of_another_source_is_refused(make_source: MakeSource) -> None:
    source = make_source()
    source.reserve(Decimal(1))

    for foreign in (MemorySpend().reserve(Decimal(1)), Reservation("1", Decimal(1))):
        with pytest.raises(BudgetError, match="unknown"):
            source.settle(foreign, Decimal(1))

    assert source.snapshot() == Spend(reserved_usd=Decimal(1))


@pytest.mark.parametrize("amount", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), Decimal("1e30"), True])
def test_what_is_no_amount_is_refused_and_counts_nothing(make_source: MakeSource, amount: Decimal) -> None:
    source = make_source()
    reservation = source.reserve(Decimal(1))

    with pytest.raises(ConfigError):
        source.reserve(amount)
    with pytest.raises(ConfigError):
        source.settle(reservation, amount)

    assert source.snapshot() == Spend(reserved_usd=Decimal(1))
    source.settle(reservation, Decimal(0))
    assert source.snapshot() == Spend()


def test_less_than_a_nano_dollar_is_rounded_up(make_source: MakeSource) -> None:
    source = make_source()

    reservation = source.reserve(Decimal("1e-12"))
    source.settle(source.reserve(Decimal(0)), Decimal("0.0000000011"))

    assert reservation.cost_usd == NANO_USD
    assert source.snapshot() == Spend(settled_usd=2 * NANO_USD, reserved_usd=NANO_USD)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=40))
def test_an_amount_is_never_rounded_down_nor_by_a_whole_nano_dollar(amount: Decimal) -> None:
    counted = from_nano(to_nano(amount))

    assert counted.compare(amount) >= 0
    assert amount.compare(counted - NANO_USD) > 0 or counted == 0


def test_counts_do_not_follow_the_precision_that_an_application_has_set(make_source: MakeSource) -> None:
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_DOWN):
        source = make_source()
        reservation = source.reserve(Decimal("12345.678901234"))
        before = source.snapshot()
        source.settle(reservation, Decimal("12345.678901234000000000000001"))
        after = source.snapshot()

    assert reservation.cost_usd == Decimal("12345.678901234")
    assert before == Spend(reserved_usd=Decimal("12345.678901234"))
    assert after == Spend(settled_usd=Decimal("12345.678901235"))


def test_a_reservation_beyond_the_limit_is_refused_and_counts_nothing(make_source: MakeSource) -> None:
    source = make_source()
    source.settle(source.reserve(Decimal(2)), Decimal("0.5"))
    source.reserve(Decimal("0.3"), limit=Decimal("0.8"))
    before = source.snapshot()

    with pytest.raises(BudgetError, match=r"0\.000000001 USD more would exceed 0\.8 USD"):
        source.reserve(NANO_USD, limit=Decimal("0.8"))
    with pytest.raises(ConfigError, match="limit"):
        source.reserve(NANO_USD, limit=Decimal(-1))

    assert source.snapshot() == before
    source.reserve(Decimal(0), limit=Decimal("0.8"))
    source.reserve(Decimal(100))
    check_spend_source(source)


def test_threads_together_do_not_exceed_a_limit(make_source: MakeSource) -> None:
    source = make_source()

    def reserve(_: int) -> bool:
        try:
            source.reserve(Decimal("0.1"), limit=Decimal(1))
        except BudgetError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        allowed = sum(threads.map(reserve, range(40)))

    assert allowed == 10
    assert source.snapshot() == Spend(reserved_usd=Decimal(1))


def test_processes_together_do_not_exceed_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    code = (
        "import sys; from decimal import Decimal\n"
        "from routesdk.errors import BudgetError\n"
        "from routesdk.plugins.spend.sqlite import SQLiteSpend\n"
        "source, refused = SQLiteSpend(sys.argv[1]), 0\n"
        "for _ in range(20):\n"
        "    try: source.reserve(Decimal(1), limit=Decimal('25.5'))\n"
        "    except BudgetError: refused += 1\n"
        "print(refused)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    refused = sum(int(process.communicate(timeout=60)[0]) for process in processes)

    assert refused == 35
    assert SQLiteSpend(path).snapshot() == Spend(reserved_usd=Decimal(25))


def test_threads_lose_no_money(make_source: MakeSource) -> None:
    source = make_source()

    def spend() -> None:
        for _ in range(15):
            source.settle(source.reserve(Decimal("0.2")), Decimal("0.1"))
        source.reserve(Decimal("0.01"))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert source.snapshot() == Spend(settled_usd=Decimal(6), reserved_usd=Decimal("0.04"))


def test_processes_that_start_at_once_lose_no_money(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    code = (
        "import sys; from decimal import Decimal\n"
        "from routesdk.plugins.spend.sqlite import SQLiteSpend\n"
        "source = SQLiteSpend(sys.argv[1])\n"
        "for _ in range(20): source.settle(source.reserve(Decimal(1)), Decimal('0.1'))\n"
        "source.reserve(Decimal('0.5'))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert SQLiteSpend(path).snapshot() == Spend(settled_usd=Decimal(6), reserved_usd=Decimal("1.5"))


def test_a_reopened_file_goes_on_counting_and_settles_what_was_open(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    before = SQLiteSpend(path)
    before.settle(before.reserve(Decimal(2)), Decimal("1.25"))
    reservation = before.reserve(Decimal(3))
    before.close()

    after = SQLiteSpend(path)

    assert after.snapshot() == Spend(settled_usd=Decimal("1.25"), reserved_usd=Decimal(3))
    after.settle(reservation, Decimal("0.75"))
    assert after.snapshot() == Spend(settled_usd=Decimal(2))
    # The first one opens the file again by itself, and sees what the other wrote.
    assert before.snapshot() == after.snapshot()


def test_a_settlement_that_fails_halfway_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    source = SQLiteSpend(path)
    source.settle(source.reserve(Decimal(0)), Decimal(9_000_000_000))
    reservation = source.reserve(Decimal(1))

    # Two such sums do not fit 64 bits; SQLite would store an inexact float.
    with pytest.raises(BudgetError, match=r"spend\.db"):
        source.settle(reservation, Decimal(9_000_000_000))

    assert source.snapshot() == Spend(settled_usd=Decimal(9_000_000_000), reserved_usd=Decimal(1))


def test_amounts_are_stored_as_whole_nano_dollars_with_write_ahead_logging(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    source = SQLiteSpend(path)
    source.reserve(Decimal("0.000000001"))
    source.settle(source.reserve(Decimal(1)), Decimal("0.1"))

    reader = sqlite3.connect(path)
    try:
        assert reader.execute("SELECT settled_nano FROM account").fetchall() == [(100_000_000,)]
        assert reader.execute("SELECT reserved_nano FROM reservation").fetchall() == [(1,)]
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        reader.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("spent: nothing yet. " * 200)
    before = path.read_bytes()

    with pytest.raises(BudgetError, match="not a database"):
        SQLiteSpend(path)

    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE account (owner TEXT)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(BudgetError, match="another program"):
        SQLiteSpend(path)

    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    SQLiteSpend(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(BudgetError, match="newer routesdk"):
        SQLiteSpend(path)


@pytest.mark.parametrize("path", ["missing/spend.db", "."])
def test_a_path_that_cannot_be_opened_is_a_budget_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(BudgetError, match="cannot be used"):
        SQLiteSpend(tmp_path / path)


def test_a_read_only_file_is_read_but_writing_is_a_budget_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spend.db"
    writer = SQLiteSpend(path)
    writer.settle(writer.reserve(Decimal(1)), Decimal(1))

    def connect_read_only(file: Path, **options: object) -> sqlite3.Connection:
        connection = real_connect(f"file:{file}?mode=ro", uri=True, **options)  # type: ignore[call-overload]
        assert isinstance(connection, sqlite3.Connection)
        return connection

    # File modes stop nobody who tests as root; SQLite's own read-only mode does.
    real_connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", connect_read_only)
    reader = SQLiteSpend(path)

    assert reader.snapshot() == Spend(settled_usd=Decimal(1))
    with pytest.raises(BudgetError, match="readonly"):
        reader.reserve(Decimal(1))


def test_a_forked_process_opens_a_connection_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SQLiteSpend(tmp_path / "spend.db")
    opened: list[sqlite3.Connection] = []

    def connect(*arguments: object, **options: object) -> sqlite3.Connection:
        opened.append(real_connect(*arguments, **options))  # type: ignore[call-overload]
        return opened[-1]

    real_connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", connect)
    source.reserve(Decimal(1))
    assert opened == []
    # What a fork changes: the process, and nothing else.
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    source.reserve(Decimal(1))
    source.reserve(Decimal(1))

    assert len(opened) == 1
    assert source.snapshot() == Spend(reserved_usd=Decimal(3))


def test_a_file_that_another_process_holds_is_a_budget_error_after_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    source = SQLiteSpend(path, busy_timeout_s=0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(BudgetError, match="locked"):
            source.reserve(Decimal(1))
    finally:
        holder.close()

    assert source.reserve(Decimal(1)).cost_usd == 1


@pytest.mark.parametrize(
    ("name", "options", "key"),
    [
        ("memory", {"settled_usd": -1}, "spend_source.memory.settled_usd"),
        ("memory", {"settled_usd": float("nan")}, "spend_source.memory.settled_usd"),
        ("memory", {"settled": 1}, "spend_source.memory.settled"),
        ("sqlite", {}, "spend_source.sqlite.path"),
        ("sqlite", {"path": 7}, "spend_source.sqlite.path"),
        ("sqlite", {"path": "x", "busy_timeout_s": 0}, "spend_source.sqlite.busy_timeout_s"),
    ],
)
def test_wrong_options_are_config_errors_that_name_the_key(
    name: str, options: dict[str, object], key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).spend_source(name, **options)

    assert caught.value.key == key


def test_the_sources_keep_their_contract(make_source: MakeSource) -> None:
    check_spend_source(make_source())
