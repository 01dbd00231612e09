"""What a run will cost and how long it will take, before anything is paid."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from decimal import Decimal

import attrs

from routesdk.catalogue import Catalogue
from routesdk.config import Config
from routesdk.errors import PriceStepError
from routesdk.host import PluginHost
from routesdk.journal import JournalView, call_key
from routesdk.payment import estimate_tokens
from routesdk.pipeline.oracle.plan import Plan, build_plan
from routesdk.pipeline.oracle.rows import train_rows
from routesdk.pipeline.oracle.seam import Line
from routesdk.protocols import PromptedAnalyst, PromptedJudge
from routesdk.types import EXACT, Answer, Example, Query, Request, from_nano

ANSWER_TOKENS = 60
"""Tokens assumed for an answer in one or two sentences, without thinking: an estimate."""

VERDICT_TOKENS = 60
"""Tokens assumed for a grade with its reason: an estimate."""

REASON_TOKENS = 60
"""Tokens assumed for the reason of a row: an estimate."""

CALL_S = 2.0
"""Seconds assumed for a call where the journal has measured none: an estimate."""


@attrs.frozen(kw_only=True)
class Item:
    """One kind of call of a forecast.

    Attributes:
        role: `answer`, `verdict` or `reason`.
        model: The model.
        calls: How many are to come.
        input_tokens: Tokens in, estimated.
        output_tokens: Tokens out, estimated.
        cost_usd: US dollars, estimated; None where only tokens are counted.
        at_most_usd: US dollars if every call took its cap; None as well.
        seconds: Seconds of one call: measured, where the journal has some, or assumed.
        measured: Whether they were measured.
    """

    role: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    at_most_usd: Decimal | None
    seconds: float
    measured: bool


@attrs.frozen(kw_only=True)
class Forecast:
    """What is to come.

    Attributes:
        rows: Rows to be done.
        items: The kinds of calls.
        seconds: Seconds for all of them, at the concurrency and the rates of the config.
        spent_usd: US dollars that earlier sittings have cost, unknown ends at their worst.
    """

    rows: int
    items: tuple[Item, ...]
    seconds: float
    spent_usd: Decimal

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars in all, estimated; None where a part of it is not known."""
        return _sum(item.cost_usd for item in self.items)

    @property
    def at_most_usd(self) -> Decimal | None:
        """US dollars in all, if every call took its cap and none was tried twice; None as well."""
        return _sum(item.at_most_usd for item in self.items)


@attrs.define
class _Account:
    """What one kind of call adds up to."""

    role: str
    line: Line
    model: str
    expected_tokens: int
    calls: int = 0
    input_tokens: int = 0
    worst_nano: int = 0

    def add(self, request: Request, plan: Plan, more_tokens: int = 0, at_most_tokens: int = 0) -> None:
        """Count one call more; tokens of a text that does not exist yet come on top."""
        if not self.line.free:
            try:
                self.worst_nano += plan.pricing.worst_nano(request, at_most_tokens)
            except PriceStepError:
                # The run will not make this call: its price is known for shorter prompts alone.
                return
        self.calls += 1
        self.input_tokens += estimate_tokens(request) + more_tokens


def forecast(
    config: Config,
    *,
    host: PluginHost | None = None,
    catalogue: Catalogue | None = None,
    rows: Sequence[Example] | None = None,
) -> Forecast:
    """Estimate the cost and time of what is left of a run; no call is made, and nothing is written.

    Tokens in are counted in characters, tokens out are assumed: a first run of a
    hundred rows tells more. Calls that the journal has settled are left out.

    Args:
        config: `[oracle]` and `[prices]` are used.
        rows: These rows alone.
        host: Where parts are found; None loads built-in and installed ones.
        catalogue: Prices; None takes the bundled ones.

    Raises:
        RouteSDKError: What the run itself would raise before it makes a call.
    """
    plan = build_plan(config, host or PluginHost(), catalogue=catalogue)
    accounts, count = _accounts(plan), 0
    with contextlib.ExitStack() as stack:
        view = None
        if config.oracle.journal.is_file():
            view = stack.enter_context(JournalView.open(config.oracle.journal))
        for row in train_rows(plan, only=rows):
            if view is None or not view.finished(row):
                count += 1
                _add(plan, accounts, row.example, _Settled(view))
        items = tuple(_item(account, plan, view) for account in accounts)
        spent_nano = 0 if view is None else view.ledger().total_nano
    return Forecast(rows=count, items=items, seconds=_seconds(plan, items), spent_usd=from_nano(spent_nano))


def _accounts(plan: Plan) -> list[_Account]:
    thinking = plan.config.thinking_tokens or 0
    accounts = [
        _Account(
            "answer", seat.line, seat.tier.model, ANSWER_TOKENS + (seat.tier.thinking_tokens or thinking)
        )
        for seat in plan.seats
    ]
    if plan.judge_line is not None and isinstance(plan.judge, PromptedJudge):
        model = plan.judge.request("?", "?", "?").model
        accounts.append(_Account("verdict", plan.judge_line, model, VERDICT_TOKENS))
    if plan.analyst_line is not None and isinstance(plan.analyst, PromptedAnalyst):
        model = plan.analyst.request(Query("?")).model
        accounts.append(_Account("reason", plan.analyst_line, model, REASON_TOKENS))
    return accounts


@attrs.frozen
class _Settled:
    """The replies that the journal has, where there is a journal."""

    view: JournalView | None

    def reply(self, line: Line, request: Request, prompt_version: str = "") -> Answer | None:
        if self.view is None:
            return None
        key = call_key(request, provider=line.provider, prompt_version=prompt_version)
        return self.view.reply(key)


def _add(plan: Plan, accounts: list[_Account], example: Example, settled: _Settled) -> None:
    by_role: dict[str, list[_Account]] = {}
    for account in accounts:
        by_role.setdefault(account.role, []).append(account)
    for seat, account in zip(plan.seats, by_role["answer"], strict=True):
        request = plan.answer_request(example.query, seat)
        reply = settled.reply(seat.line, request)
        if reply is None:
            account.add(request, plan)
        for judging in by_role.get("verdict", ()):
            _add_verdict(plan, judging, example, None if reply is None else reply.text, settled)
    for account in by_role.get("reason", ()):
        assert isinstance(plan.analyst, PromptedAnalyst)
        request = plan.analyst.request(example.query)
        if settled.reply(account.line, request, plan.analyst.prompt_version) is None:
            account.add(request, plan)


def _add_verdict(
    plan: Plan, account: _Account, example: Example, answer: str | None, settled: _Settled
) -> None:
    judge = plan.judge
    assert isinstance(judge, PromptedJudge)
    if answer is None:
        # The answer does not exist yet: its length is what is assumed of it, and its cap at the most.
        request = judge.request(example.query.text, example.reference or "", "?")
        account.add(request, plan, ANSWER_TOKENS, plan.config.max_output_tokens)
        return
    request = judge.request(example.query.text, example.reference or "", answer)
    if settled.reply(account.line, request, judge.prompt_version) is None:
        account.add(request, plan)


def _item(account: _Account, plan: Plan, view: JournalView | None) -> Item:
    output = account.calls * account.expected_tokens
    free = account.line.free
    cost = plan.pricing.expected_usd(account.model, account.input_tokens, output)
    measured = None if view is None else view.latency_s(account.line.provider, account.model)
    seconds = measured if measured is not None else 0.0 if free else CALL_S
    return Item(
        role=account.role,
        model=account.model,
        calls=account.calls,
        input_tokens=account.input_tokens,
        output_tokens=output,
        cost_usd=Decimal(0) if free else cost,
        at_most_usd=Decimal(0) if free else None if cost is None else from_nano(account.worst_nano),
        seconds=seconds,
        measured=measured is not None,
    )


def _seconds(plan: Plan, items: tuple[Item, ...]) -> float:
    """Return the time of the slowest bound: slots, requests a minute, or tokens a minute."""
    config = plan.config
    bounds = [sum(item.calls * item.seconds for item in items) / config.concurrency]
    paid = [item for item in items if item.seconds > 0]
    if config.requests_per_minute is not None:
        bounds.append(60 * sum(item.calls for item in paid) / config.requests_per_minute)
    if config.tokens_per_minute is not None:
        tokens = sum(item.input_tokens + item.output_tokens for item in paid)
        bounds.append(60 * tokens / config.tokens_per_minute)
    return max(bounds)


def _sum(amounts: Iterator[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total = EXACT.add(total, amount)
    return total
