"""The money of an oracle run: bounded, counted, and never lost sight of."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from oracles import (
    LARGE,
    MEDIUM,
    Oracle,
    findings,
    run,
)
from routesdk.errors import (
    BackendError,
    RunStoppedError,
    UnknownPriceError,
)
from routesdk.journal import JournalView
from routesdk.payment import TOKENS_PER_TURN
from routesdk.types import Answer, Request, Usage


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests not wait between tries."""
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._FIRST_REST_S", 0.001)
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._LONGEST_REST_S", 0.01)


# Money.


def test_a_provider_that_does_not_keep_its_cap_ends_a_bounded_run(tmp_path: Path) -> None:
    def reply(request: Request) -> Answer:
        usage = Usage(input_tokens=10, output_tokens=100_000)
        return Answer(text="thing 1", model=request.model, usage=usage)

    oracle = Oracle(reply=reply)
    with pytest.raises(RunStoppedError, match="that its cap allows"):
        run(tmp_path, oracle, max_usd=1000, max_output_tokens=50, concurrency=2)
    assert len(oracle.asked) <= 2
    # What was answered is paid for, and kept.
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert {bill.state for bill in view.bills()} == {"settled"}


def test_a_failure_that_was_counted_in_part_counts_with_its_worst_case(tmp_path: Path) -> None:
    usage = Usage(input_tokens=1000)
    oracle = Oracle(reply=lambda _: BackendError("scripted", "safety", blocked=True, usage=usage))
    done = run(tmp_path, oracle, limit=3)

    assert done.ledger.settled_nano == 0
    assert done.ledger.unknown_nano == sum(int(worst(request) * 10**9) for request in oracle.asked)


def test_a_failure_of_a_free_backend_costs_nothing(tmp_path: Path) -> None:
    usage = Usage(input_tokens=1000, output_tokens=1000)
    error = BackendError("scripted", "cut off", may_cost=True, usage=usage)
    done = run(tmp_path, Oracle(reply=lambda _: error, free=True), max_usd=0, limit=3)

    assert done.ledger.total_nano == 0


def worst(call: Request) -> Decimal:
    price = {MEDIUM: Decimal(1), LARGE: Decimal(10)}[call.model]
    sent = len(call.system.encode()) + len(call.query.text.encode()) + 2 * TOKENS_PER_TURN
    assert call.max_output_tokens is not None
    return (sent * price + call.max_output_tokens * 4 * price) / 1_000_000


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_is_never_overshot_and_a_higher_one_goes_on(tmp_path: Path, concurrency: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    cost = run(whole, Oracle(), concurrency=concurrency, max_output_tokens=50, count=200).ledger.settled_nano
    budget = Decimal("0.02")  # a third of what the whole run costs, and three of its dearest calls
    oracle = Oracle(latency_s=0.001)
    with pytest.raises(RunStoppedError, match="the next call may cost") as caught:
        run(tmp_path, oracle, concurrency=concurrency, max_usd=budget, max_output_tokens=50, count=200)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        spent = view.ledger()
    assert spent.total_nano <= budget * 10**9
    assert spent.open_nano == spent.unknown_nano == 0
    # It stops only where not even one more call's worst case would fit.
    assert spent.total_nano > budget * 10**9 - max(map(worst, oracle.asked)) * 10**9
    assert 0 < caught.value.done < caught.value.total

    done = run(tmp_path, Oracle(), concurrency=concurrency, max_usd=10, max_output_tokens=50, count=200)
    assert done.ledger.settled_nano == cost
    assert findings(tmp_path / "oracle.sqlite") == findings(whole / "oracle.sqlite")


def test_calls_that_may_have_been_billed_count_against_the_budget(tmp_path: Path) -> None:
    oracle = Oracle(reply=lambda _: BackendError("scripted", "cut off", retryable=True, may_cost=True))
    with pytest.raises(RunStoppedError, match="has no room"):
        run(tmp_path, oracle, max_usd="0.05", max_output_tokens=50, attempts=50)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        ledger = view.ledger()
    assert ledger.settled_nano == 0
    assert 0 < ledger.unknown_nano <= 0.05 * 10**9


def test_a_model_without_a_price_is_refused_before_any_call(tmp_path: Path) -> None:
    oracle = Oracle()
    with pytest.raises(UnknownPriceError) as caught:
        run(tmp_path, oracle, prices=False)
    assert caught.value.model == MEDIUM
    assert oracle.asked == []
    assert not (tmp_path / "oracle.sqlite").exists()


def test_tokens_alone_are_counted_where_the_config_says_so(tmp_path: Path) -> None:
    run(tmp_path, Oracle(), prices=False, count_only_tokens=True)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        bills = view.bills()
    assert all(bill.unpriced == bill.calls and bill.output_tokens > 0 for bill in bills)
    assert view_total(tmp_path) == 0


def test_a_failure_whose_tokens_alone_are_known_is_no_call_for_nothing(tmp_path: Path) -> None:
    usage = Usage(input_tokens=5, output_tokens=3)
    oracle = Oracle(reply=lambda _: BackendError("scripted", "safety", blocked=True, usage=usage))
    run(tmp_path, oracle, limit=3, prices=False, count_only_tokens=True)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        bills = view.bills()
    assert bills
    assert all(bill.unpriced == bill.calls for bill in bills)


def view_total(folder: Path) -> int:
    with JournalView.open(folder / "oracle.sqlite") as view:
        return view.ledger().total_nano


def test_a_free_backend_needs_no_price_and_costs_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, Oracle(free=True), prices=False, max_usd=0)

    assert done.done == done.total
    assert view_total(tmp_path) == 0
