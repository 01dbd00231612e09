"""`routesdk spend`: what was spent, by model, policy, tier and day, with what is unknown beside it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from command import Command
from routesdk.plugins.decision_log import log as log_module
from routesdk.plugins.decision_log.log import DecisionLog
from routesdk.plugins.spend.sqlite import SQLiteSpend
from routesdk.testing import make_decision
from routesdk.types import Answer, Query, Usage


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys, ("spend",))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log over two days, set aside once in between."""
    file = tmp_path / "log.jsonl"
    log = DecisionLog(file, max_bytes=4_500)
    moment = iter(("2026-11-24T23:59:59.999+00:00", "2026-11-25T00:00:00.000+00:00"))
    rows = (
        [("Standard_Query", "flash", Usage(input_tokens=10, output_tokens=5, cost_usd="0.1"), "stop")] * 2
        + [("Complex_Query", "pro", Usage(input_tokens=20, output_tokens=9, cost_usd="0.7"), "stop")],
        [
            ("Complex_Query", "pro", Usage(cost_usd="0.05"), "cancelled"),
            ("Standard_Query", "[red]local[/]", Usage(input_tokens=1, output_tokens=1), "stop"),
        ],
    )
    for day in rows:
        time = next(moment)
        monkeypatch.setattr(log_module, "_now", lambda time=time: time)
        for number, (policy, model, usage, reason) in enumerate(day):
            decision = make_decision(policy=policy, model=model)
            decision = attrs.evolve(decision, call_id=f"{time} {number}")
            log.routesdk_routed(decision, Query("x"))
            answer = Answer(text="x", model=model, usage=usage, finish_reason=reason)
            log.routesdk_answered(decision, Query("x"), answer)
    assert (tmp_path / "log.jsonl.1").exists()
    return file


def table(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_money_is_shown_by_model_with_a_total(spend: Command, path: Path) -> None:
    result = spend(path)

    assert (result.code, result.err) == (0, "")
    assert table(result.out)[1:] == [
        ["[red]local[/]", "1", "1", "1", "unknown", "1"],
        ["flash", "2", "20", "10", "$0.2", "0"],
        ["pro", "2", "20", "9", "$0.75", "0"],
        ["total", "5", "41", "20", "$0.95", "1"],
        [
            "calls",
            "that",
            "were",
            "cancelled,",
            "or",
            "failed:",
            "1;",
            "$0.05",
            "of",
            "the",
            "cost",
            "is",
            "what",
            "such",
            "calls",
            "can",
            "have",
            "cost",
            "at",
            "the",
            "most",
        ],
        ["calls", "of", "unknown", "cost,", "in", "no", "sum:", "1"],
    ]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (["policy"], [["Complex_Query", "2"], ["Standard_Query", "3"]]),
        (["day"], [["2026-11-24", "3"], ["2026-11-25", "2"]]),
        (["tier", "day"], [["large", "2026-11-24", "1"], ["large", "2026-11-25", "1"]]),
    ],
)
def test_money_is_grouped_by_what_is_asked(
    spend: Command, path: Path, by: list[str], groups: list[list[str]]
) -> None:
    result = spend(path, *(word for name in by for word in ("--by", name)))

    rows = table(result.out)
    assert rows[0][: len(by)] == by
    assert [row[: len(by) + 1] for row in rows[1 : len(groups) + 1]] == groups


@pytest.mark.parametrize(
    ("span", "calls"),
    [
        (("--since", "2026-11-25"), 2),
        (("--until", "2026-11-24"), 3),
        (("--until", "2026-11-25"), 5),
        (("--since", "2026-11-24", "--until", "2026-11-24"), 3),
        (("--since", "2026-11-25T00:00:01"), 0),
        (("--until", "2026-11-25T01:00:00+01:00"), 3),
    ],
)
def test_a_span_of_days_or_moments_can_be_chosen(
    spend: Command, path: Path, span: tuple[str, ...], calls: int
) -> None:
    (row,) = spend(path, "--json", *span).rows

    assert row["total"]["calls"] == calls  # type: ignore[index]


def test_json_is_one_record(spend: Command, path: Path) -> None:
    (row,) = spend(path, "--json", "--by", "model", "--by", "policy").rows

    assert row["by"] == ["model", "policy"]
    groups = row["groups"]
    assert isinstance(groups, list)
    assert groups[-1] == {
        "model": "pro",
        "policy": "Complex_Query",
        "calls": 2,
        "broken_off": 1,
        "cost_usd": "0.75",
        "at_most_usd": "0.05",
        "unknown": 0,
        "input_tokens": 20,
        "output_tokens": 9,
    }
    assert (row["balances"], row["unreadable"]) == ([], [])


def test_several_logs_and_a_spend_source_are_read_together(
    spend: Command, path: Path, tmp_path: Path
) -> None:
    source = SQLiteSpend(tmp_path / "spend.db")
    source.settle(source.reserve(Decimal(1)), Decimal("0.5"))
    source.reserve(Decimal(2))
    source.close()
    other = tmp_path / "other.jsonl"
    other.write_bytes(path.read_bytes())

    result = spend(path, other, tmp_path / "spend.db")

    assert result.code == 0
    totals = [row for row in table(result.out) if row[:1] == ["total"]]
    assert int(totals[0][1]) > 5
    assert "spend.db: $0.500000000 settled, $2.000000000 reserved" in result.out
    alone = spend(tmp_path / "spend.db")
    assert "total" not in alone.out and "reserved" in alone.out


def test_no_file_is_counted_twice_whatever_names_it(spend: Command, path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.hardlink_to(path)
    source = SQLiteSpend(tmp_path / "spend.db")
    source.settle(source.reserve(Decimal(1)), Decimal("0.5"))
    source.close()
    (tmp_path / "again.db").hardlink_to(tmp_path / "spend.db")

    (once,) = spend(path, "--json").rows
    for names in ((path, "log.jsonl.1"), ("log.jsonl.1", path), (link, path, "log.jsonl.1")):
        (row,) = spend(*(tmp_path / name for name in names), "--json").rows
        assert row["total"] == once["total"]
    (row,) = spend(tmp_path / "spend.db", tmp_path / "again.db", "--json").rows
    assert len(row["balances"]) == 1  # type: ignore[arg-type]


def test_numbers_and_moments_beyond_the_calendar_are_told_as_unreadable(spend: Command, path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    answer = next(line for line in lines if line["event"] == "answer")
    decision = next((line for line in lines if line["event"] == "decision"), None)
    with path.open("a") as file:
        file.write(json.dumps(answer | {"time": "0001-01-01T00:00:00+05:00"}) + "\n")
        file.write(json.dumps(answer | {"answer": answer["answer"] | {"latency_s": 10**400}}) + "\n")
        if decision is not None:
            file.write(
                json.dumps(decision | {"decision": decision["decision"] | {"confidence": 10**400}}) + "\n"
            )

    (row,) = spend(path, "--json", "--until", "9999-12-31").rows

    assert row["total"]["calls"] == 5  # type: ignore[index]
    assert len(row["unreadable"]) == 2 + (decision is not None)  # type: ignore[arg-type]


def test_a_line_that_cannot_be_read_is_reported(spend: Command, path: Path) -> None:
    with path.open("a") as file:
        file.write('{"event": "ans\n')

    result = spend(path)

    assert result.code == 0
    assert "left out" in result.err and "log.jsonl, line" in result.err
    (row,) = spend(path, "--json").rows
    assert len(row["unreadable"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.jsonl",), "cannot be read"),
        (("LOG", "LOG"), "names a file twice"),
        (("LOG", "--by", "colour"), "no grouping"),
        (("LOG", "--since", "yesterday"), "neither a day nor a moment"),
        (("OTHER",), "SQLite file of another program"),
    ],
)
def test_what_is_wrong_leaves_as_one_sentence(
    spend: Command, path: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    import sqlite3

    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    names = {"LOG": path, "OTHER": other}

    assert said in spend(*(names.get(argument, argument) for argument in arguments)).refused()
