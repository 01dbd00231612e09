"""Decision logs are read back whole: in order, over set-aside files, joined by call, torn lines reported."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import attrs
import pytest

from routers import host_with_fake, make_router
from routesdk import PluginHost, Router
from routesdk.errors import BackendError, ConfigError
from routesdk.ledger import Balance, Charge, Total, read_charges, tally
from routesdk.logbook import LoggedAnswer, LoggedCall, LoggedDecision, Unreadable, read_calls, read_log
from routesdk.plugins.decision_log.log import DecisionLog
from routesdk.plugins.spend.sqlite import SQLiteSpend
from routesdk.record import answer_from_dict, answer_to_dict
from routesdk.testing import MODELS, FakeBackend, make_decision
from routesdk.types import Answer, Message, Query, Request, Stage, Usage

MEDIUM, LARGE = MODELS
QUESTION = "Who wrote Faust?"


@cache
def shared_host() -> PluginHost:
    return host_with_fake()


def logging_router(path: Path, backend: object, **options: object) -> Router:
    log = DecisionLog(path, **options)  # type: ignore[arg-type]
    return make_router(observers=[log], host=shared_host()).with_backend(backend)  # type: ignore[arg-type]


def calls(path: Path) -> list[LoggedCall]:
    found = list(read_calls(path))
    assert all(isinstance(call, LoggedCall) for call in found)
    return found  # type: ignore[return-value]


def answered_call(number: int) -> tuple[Query, object, Answer]:
    query = Query(f"Question {number}?")
    decision = attrs.evolve(make_decision(query), call_id=f"call-{number}")
    usage = Usage(input_tokens=number, output_tokens=1, cost_usd=1)
    return query, decision, Answer(text="x", model=MEDIUM, usage=usage)


def test_an_answer_is_read_back_as_it_was_written() -> None:
    usage = Usage(input_tokens=3, output_tokens=2, thinking_tokens=1, cost_usd="0.0000010", latency_s=0.5)
    answer = Answer(text="two\nlines \ud800", model="m", usage=usage, finish_reason="length")

    assert answer_from_dict(answer_to_dict(answer)) == answer
    with pytest.raises(ConfigError) as caught:
        answer_from_dict({**answer_to_dict(answer), "cost_usd": "-1"})
    assert caught.value.key == "answer.cost_usd"


def test_with_texts_everything_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    router = logging_router(path, FakeBackend(cost_usd=None), include_text=True)
    talk = Query.of([Message("user", QUESTION), Message("assistant", "Goethe."), Message("user", "When?")])

    reply = router.answer(talk)

    decided, answered = list(read_log(path))
    assert isinstance(decided, LoggedDecision) and isinstance(answered, LoggedAnswer)
    assert decided.decision == reply.decision
    assert decided.query == answered.query == talk
    assert answered.answer == reply.answer
    assert (answered.model, answered.tier, answered.policy) == (MEDIUM, "medium", reply.decision.policy)
    assert abs((datetime.now(UTC) - answered.time).total_seconds()) < 60


def test_without_texts_the_length_of_the_answer_is_left(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    reply = logging_router(path, FakeBackend()).answer(QUESTION)

    (call,) = calls(path)

    assert call.answered is not None
    assert (call.answered.query, call.answered.answer.text) == (None, "")
    assert call.answered.text_characters == len(reply.text)
    assert call.decision == reply.decision


def test_equal_questions_asked_at_once_are_joined_to_their_own_answers(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    backend = FakeBackend(answers=lambda request: request.query.text * len(backend.requests))
    router = logging_router(path, backend, include_text=True)

    async def twenty() -> dict[str, str]:
        replies = await asyncio.gather(*(router.aanswer(QUESTION) for _ in range(20)))
        return {reply.decision.call_id: reply.text for reply in replies}

    expected = asyncio.run(twenty())

    joined = {}
    for call in calls(path):
        assert call.decided is not None and call.answered is not None
        assert call.decided.decision.call_id == call.answered.call_id
        joined[call.answered.call_id] = call.answered.answer.text
    assert joined == expected
    assert len(joined) == 20


def test_decisions_without_a_call_have_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    router = logging_router(path, FakeBackend())
    router.route(QUESTION)
    router.answer(QUESTION)

    routed, answered = calls(path)

    assert routed.answered is None and routed.decision is not None
    assert answered.answered is not None


def test_a_fallback_and_what_broke_off_before_it_are_one_call(tmp_path: Path) -> None:
    class Overloaded(FakeBackend):
        async def generate(self, request: Request) -> Answer:
            if request.model == MEDIUM:
                raise BackendError("b", f"overloaded by {request.query.text}", True, True)
            return await super().generate(request)

    with_text, without = tmp_path / "with.jsonl", tmp_path / "without.jsonl"
    for path in (with_text, without):
        router = logging_router(path, Overloaded(cost_usd=None), include_text=path is with_text)
        reply = router.answer(QUESTION, fallback=LARGE)
        (call,) = calls(path)
        assert call.decision is not None and call.answered is not None
        assert call.decision.model == call.answered.model == LARGE
        assert call.decision.trace[-1].stage is Stage.FALLBACK
        assert [(each.model, each.whole) for each in call.broken_off] == [(MEDIUM, False)]
        assert call.broken_off[0].answer.usage.cost_usd
        if path is with_text:
            assert call.decision == reply.decision

    # What a provider says may quote the question.
    assert "Faust" in with_text.read_text()
    assert "Faust" not in without.read_text()


def test_a_failed_call_is_read_as_one_without_an_answer(tmp_path: Path) -> None:
    class Failing(FakeBackend):
        async def generate(self, request: Request) -> Answer:
            raise BackendError("b", "broke off", may_cost=True)

    path = tmp_path / "log.jsonl"
    with pytest.raises(BackendError):
        logging_router(path, Failing()).answer(QUESTION)

    (call,) = calls(path)

    assert call.answered is None and call.decision is not None
    assert [each.answer.finish_reason for each in call.broken_off] == ["failed"]


# Files that were set aside, and lines that cannot be read.


def test_files_that_were_set_aside_are_read_first(tmp_path: Path) -> None:
    path = tmp_path / "log[1].jsonl"
    log = DecisionLog(path, max_bytes=3_000, kept=20)
    for number in range(40):
        query, decision, answer = answered_call(number)
        log.routesdk_routed(decision, query)  # type: ignore[arg-type]
        log.routesdk_answered(decision, query, answer)  # type: ignore[arg-type]
    (tmp_path / "log[1].jsonl.old").write_text("no log")

    found = calls(path)

    assert len(list(tmp_path.iterdir())) > 12
    ids = [call.answered and call.answered.call_id for call in found]
    assert ids == [f"call-{number}" for number in range(40)]


def test_a_log_that_was_just_set_aside_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    logging_router(path, FakeBackend()).answer(QUESTION)
    path.rename(tmp_path / "log.jsonl.1")

    assert len(calls(path)) == 1


def test_a_file_that_is_set_aside_while_we_read_is_neither_missed_nor_doubled(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path, max_bytes=1, kept=50)

    def write(number: int) -> None:
        log.routesdk_routed(attrs.evolve(make_decision(), query_id=str(number)), Query("x"))

    for number in range(5):
        write(number)
    entries = read_log(path)
    first = next(entries)
    for number in range(5, 10):
        write(number)

    ids = [entry.decision.query_id for entry in (first, *entries) if isinstance(entry, LoggedDecision)]

    assert ids == [str(number) for number in range(5)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"event": "deci', "no whole line of JSON"),
        (b"\xff\xfe", "no whole line of JSON"),
        (b"[1]", "neither a decision nor an answer"),
        (b'{"event": "verdict"}', "'verdict'"),
        (b'{"event": "answer", "time": "x"}', "required"),
        (b'{"event": "decision", "time": "2026-11-25T00:00:00+00:00", "decision": {}}', "required"),
    ],
)
def test_a_line_that_cannot_be_read_is_reported_in_its_place(
    tmp_path: Path, line: bytes, problem: str
) -> None:
    path = tmp_path / "log.jsonl"
    router = logging_router(path, FakeBackend())
    router.route("One?")
    with path.open("ab") as file:
        file.write(line + b"\n\n")
    router.route("Two?")

    before, torn, after = list(read_log(path))

    assert isinstance(before, LoggedDecision) and isinstance(after, LoggedDecision)
    assert isinstance(torn, Unreadable)
    assert (torn.source, torn.line) == (str(path), 2)
    assert problem in torn.problem
    assert [type(call) for call in read_calls(path)] == [LoggedCall, Unreadable, LoggedCall]


def test_an_answer_whose_decision_is_gone_is_no_less_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    logging_router(path, FakeBackend()).answer(QUESTION)
    path.write_text(path.read_text().splitlines()[1] + "\n")

    (call,) = calls(path)

    assert call.decided is None and call.decision is None
    assert call.answered is not None


@pytest.mark.parametrize("path", ["missing.jsonl", "missing/log.jsonl", "."])
def test_a_log_that_is_not_there_is_a_config_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        list(read_log(tmp_path / path))

    assert caught.value.key == "log"


@pytest.mark.skipif(os.name != "posix", reason="counts open files as Linux shows them")
def test_a_reader_that_is_left_closes_its_files(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    logging_router(path, FakeBackend()).answer(QUESTION)
    entries = read_log(path)
    next(entries)

    entries.close()  # type: ignore[attr-defined]

    held = Path("/proc/self/fd")
    links = [str(each.readlink()) for each in held.iterdir() if each.is_symlink()] if held.is_dir() else []
    assert str(path) not in links


# What it comes to.


def charge(day: int = 1, **fields: object) -> Charge:
    time = datetime(2026, 11, day, 12, tzinfo=UTC)
    given = {"model": "a", "policy": "p", "input_tokens": 2, "output_tokens": 1, "cost_usd": Decimal("0.1")}
    return Charge(time=time, **{**given, **fields})  # type: ignore[arg-type]


def test_charges_are_added_up_exactly_by_what_is_asked() -> None:
    charges = [
        charge(1),
        charge(1, model="b", cost_usd=Decimal("0.2")),
        charge(2, cost_usd=None, input_tokens=None, output_tokens=None),
        charge(2, whole=False, input_tokens=None, output_tokens=None, cost_usd=Decimal("0.4")),
        charge(2, whole=False, cost_usd=Decimal("0.01")),
    ]

    (total,) = tally(charges, ()).values()

    assert total == Total(
        calls=5,
        broken_off=2,
        cost_usd=Decimal("0.71"),
        at_most_usd=Decimal("0.4"),
        unknown=1,
        input_tokens=6,
        output_tokens=3,
    )
    by = tally(charges, ("day", "model"))
    assert list(by) == [("2026-11-01", "a"), ("2026-11-01", "b"), ("2026-11-02", "a")]
    assert sum(each.calls for each in by.values()) == 5
    assert tally([], ("model",)) == {}


@pytest.mark.parametrize("by", [("colour",), ("day", "day")])
def test_a_grouping_that_is_none_is_refused(by: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        tally([], by)

    assert caught.value.key == "by"


def test_a_log_says_what_each_call_cost(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    router = logging_router(path, FakeBackend(cost_usd=None))
    replies = [router.answer(QUESTION), router.answer("When?", operating_point=None)]

    charges = [each for each in read_charges(path, shared_host()) if isinstance(each, Charge)]

    assert [each.cost_usd for each in charges] == [reply.answer.usage.cost_usd for reply in replies]
    assert {each.model for each in charges} == {MEDIUM}
    assert sum(each.cost_usd or 0 for each in charges) == router.spend.snapshot().settled_usd


def test_a_spend_source_says_what_it_counted(tmp_path: Path) -> None:
    source = SQLiteSpend(tmp_path / "spend.db")
    source.settle(source.reserve(Decimal(1)), Decimal("0.5"))
    source.reserve(Decimal(2))
    source.close()

    (balance,) = read_charges(tmp_path / "spend.db", shared_host())

    assert isinstance(balance, Balance)
    assert (balance.spend.settled_usd, balance.spend.reserved_usd) == (Decimal("0.5"), 2)
