"""Oracle runs in which calls fail, parts misbehave, or somebody wants to stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from oracles import (
    LARGE,
    MEDIUM,
    Oracle,
    Questions,
    answer_to,
    config,
    examples,
    findings,
    grades,
    host,
    question,
    run,
)
from routesdk import Query
from routesdk.config import TierConfig
from routesdk.errors import (
    BackendError,
    JournalError,
    RunStoppedError,
)
from routesdk.journal import JournalView
from routesdk.pipeline.oracle import Halt, Progress
from routesdk.testing import FakeJudge
from routesdk.types import Answer, Grade, Request, Unscored, Usage, Verdict


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests not wait between tries."""
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._FIRST_REST_S", 0.001)
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._LONGEST_REST_S", 0.01)


# Failures.


def failing(times: int, **fields: object) -> Callable[[Request], str | BackendError]:
    """Fail so often on each call, then answer."""
    tries: dict[tuple[str, str], int] = {}

    def reply(request: Request) -> str | BackendError:
        key = (request.model, request.query.text)
        tries[key] = tries.get(key, 0) + 1
        if tries[key] <= times:
            return BackendError("scripted", "is busy", **{"retryable": True, **fields})  # type: ignore[arg-type]
        return answer_to(request)

    return reply


def test_what_may_succeed_later_is_tried_again(tmp_path: Path) -> None:
    run(tmp_path / "..", Oracle(), journal=tmp_path / "sound.sqlite")
    done = run(tmp_path, Oracle(reply=failing(2)))

    assert done.calls == 3 * 2 * done.total
    assert findings(tmp_path / "oracle.sqlite") == findings(tmp_path / "sound.sqlite")
    assert done.ledger.unknown_nano == 0


def test_a_row_whose_call_fails_for_good_is_unscored_with_its_reason_and_can_be_tried_again(
    tmp_path: Path,
) -> None:
    def reply(request: Request) -> str | BackendError:
        if request.query.text == question(1) and request.model == LARGE:
            return BackendError("scripted", "400 bad request")
        return answer_to(request)

    done = run(tmp_path, Oracle(reply=reply))
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        (work,) = [work for work in view.work() if work.unscored]
    assert work.row.example.id == "q1"
    assert work.unscored == (f"{LARGE}: no answer came: 400 bad request",)
    assert work.outcomes[0].grade is not None

    again = Oracle()
    assert run(tmp_path, again).calls == 0
    run(tmp_path, again, retry_unscored=True)
    assert again.counts() == {(LARGE, question(1)): 1}
    assert all(None not in found for found in grades(tmp_path).values())
    assert len(grades(tmp_path)) == done.total


def test_a_question_too_long_for_the_price_that_is_known_leaves_its_own_row_unscored(tmp_path: Path) -> None:
    rows = examples(3)
    long = attrs.evolve(rows[1], query=Query("x" * 200_000 + " " + rows[1].query.text))
    tiers = (TierConfig(name="medium", model=MEDIUM), TierConfig(name="large", model="gemini-2.5-pro"))

    done = run(tmp_path, benchmark=Questions((rows[0], long, rows[2])), tiers=tiers)

    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        (work,) = [work for work in view.work() if work.unscored]
    assert done.done == done.total > 1
    assert "its price is known for up to 200,000 alone" in work.unscored[0]


def test_questions_too_long_for_a_price_stop_no_run_however_many_they_are(tmp_path: Path) -> None:
    long = [attrs.evolve(row, query=Query("x" * 200_000 + row.query.text)) for row in examples(30)]
    tiers = (TierConfig(name="medium", model=MEDIUM), TierConfig(name="large", model="gemini-2.5-pro"))
    oracle = Oracle(reply=lambda _: "thing")

    done = run(tmp_path, oracle, benchmark=Questions(tuple(long)), tiers=tiers)

    assert done.done == done.total > 20
    assert {request.model for request in oracle.asked} == {MEDIUM}


def test_a_model_that_refuses_everything_stops_the_run_before_the_others_are_paid_for_nothing(
    tmp_path: Path,
) -> None:
    def reply(request: Request) -> str | BackendError:
        return (
            BackendError("scripted", "404: no such model") if request.model == LARGE else answer_to(request)
        )

    oracle = Oracle(reply=reply)
    with pytest.raises(RunStoppedError, match=f"has refused 20 requests to '{LARGE}'.*404"):
        run(tmp_path, oracle, count=200, concurrency=2)
    assert len(oracle.asked) < 2 * 20 + 10
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert view.counts()[0] < 20
    # Once it has answered, a refusal is the matter of one row.
    run(tmp_path, Oracle(), count=200, limit=5)
    done = run(tmp_path, Oracle(reply=reply), count=200)
    assert done.done == done.total


def test_after_the_last_try_a_call_is_given_up(tmp_path: Path) -> None:
    def reply(request: Request) -> str | BackendError:
        if request.query.text == question(1):
            return BackendError("scripted", "500", retryable=True)
        return answer_to(request)

    oracle = Oracle(reply=reply)
    run(tmp_path, oracle, attempts=3)

    assert oracle.counts()[MEDIUM, question(1)] == 3
    assert grades(tmp_path)["q1"] == [None, None]


def test_a_blocked_answer_is_unscored_and_what_it_cost_is_counted(tmp_path: Path) -> None:
    def reply(request: Request) -> str | BackendError:
        if request.query.text == question(1):
            usage = Usage(input_tokens=1000, output_tokens=0)
            return BackendError("scripted", "safety", blocked=True, usage=usage)
        return answer_to(request)

    done = run(tmp_path, Oracle(reply=reply), limit=None)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        (work,) = [work for work in view.work() if work.unscored]
        cost = sum(bill.cost_nano for bill in view.bills())
    assert work.unscored[0] == f"{MEDIUM}: the answer was blocked: safety"
    assert done.ledger.settled_nano == cost
    assert cost > 1000 * (1 + 10) * 1000


def test_an_answer_without_text_is_no_abstention(tmp_path: Path) -> None:
    def reply(request: Request) -> str | Answer:
        if request.query.text == question(1):
            usage = Usage(input_tokens=5, output_tokens=9)
            return Answer(text=" \n", model=request.model, usage=usage, finish_reason="MAX_TOKENS")
        return answer_to(request)

    run(tmp_path, Oracle(reply=reply))
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        (work,) = [work for work in view.work() if work.unscored]
    assert work.unscored[0] == f"{MEDIUM}: the answer has no text (finish reason MAX_TOKENS)"


def test_a_verdict_that_cannot_be_given_leaves_the_row_unscored(tmp_path: Path) -> None:
    class Undecided(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            return Unscored("cannot tell")

    done = run(tmp_path, Oracle(), judge=Undecided())
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        works = list(view.work())
    assert len(works) == done.total
    assert all(work.unscored == (f"{MEDIUM}: cannot tell", f"{LARGE}: cannot tell") for work in works)


def test_a_reason_that_gives_the_answer_away_keeps_its_row_out(tmp_path: Path) -> None:
    class Telling:
        async def reason(self, query: Query) -> str:
            if query.text == question(1):
                return "It is easy, since the answer is thing 1."
            return "It asks for a particular thing."

    run(tmp_path, Oracle(), analyst=Telling())
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        problems = {work.row.example.id: work.problem for work in view.work() if work.problem}
    assert set(problems) == {"q1"}
    assert "away" in problems["q1"]


class Silent:
    """An analyst that has nothing to say."""

    async def reason(self, query: Query) -> str:
        return " "


def test_a_row_without_a_reason_says_so(tmp_path: Path) -> None:
    run(tmp_path, Oracle(), analyst=Silent())
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert {work.problem for work in view.work()} == {"the analyst wrote no reason"}


# Stops.


def test_refused_access_stops_the_run_at_once_and_loses_nothing(tmp_path: Path) -> None:
    oracle = Oracle()

    def reply(request: Request) -> str | BackendError:
        if len(oracle.asked) > 20:
            return BackendError("scripted", "401: the key in MY_KEY was refused", denied=True)
        return answer_to(request)

    oracle.reply = reply
    with pytest.raises(RunStoppedError) as caught:
        run(tmp_path, oracle, concurrency=4)
    assert "refuses access" in caught.value.problem
    assert 0 < caught.value.done < caught.value.total
    assert len(oracle.asked) <= 20 + 4
    assert all(None not in found for found in grades(tmp_path).values())

    again = Oracle()
    run(tmp_path, again)
    assert len(again.asked) == 2 * caught.value.total - 20


def test_an_outage_is_waited_for_and_no_row_is_given_up(tmp_path: Path) -> None:
    oracle = Oracle()
    until = time.monotonic() + 0.4

    def reply(request: Request) -> str | BackendError:
        if time.monotonic() < until:
            return BackendError("scripted", "503", retryable=True)
        return answer_to(request)

    oracle.reply = reply
    done = run(tmp_path, oracle, concurrency=4)

    assert done.done == done.total
    assert all(None not in found for found in grades(tmp_path).values())


@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_outage_costs_no_row_however_few_calls_are_made_at_once(tmp_path: Path, concurrency: int) -> None:
    failures = iter(range(9))

    def reply(request: Request) -> str | BackendError:
        if next(failures, None) is not None:
            return BackendError("scripted", "503", retryable=True)
        return answer_to(request)

    run(tmp_path, Oracle(reply=reply), concurrency=concurrency, attempts=3)
    assert all(None not in found for found in grades(tmp_path).values())


def test_asked_to_stop_a_run_lets_calls_end_and_begins_none(tmp_path: Path) -> None:
    halt, oracle = Halt(), Oracle(latency_s=0.01)

    def listen(progress: Progress) -> None:
        if progress.done >= 5:
            halt.ask()

    with pytest.raises(RunStoppedError, match="was asked to stop") as caught:
        run(tmp_path, oracle, concurrency=4, listen=listen, halt=halt)
    asked = len(oracle.asked)
    assert 5 <= caught.value.done < caught.value.total
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert {bill.state for bill in view.bills()} == {"settled"}
        assert sum(bill.calls for bill in view.bills()) == asked
    again = Oracle()
    done = run(tmp_path, again)
    assert len(again.asked) == 2 * done.total - asked


def test_an_outage_without_end_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routesdk.pipeline.oracle.plan.PATIENCE_S", 0.2)
    oracle = Oracle(reply=lambda request: BackendError("scripted", "503", retryable=True))
    with pytest.raises(RunStoppedError, match="no call to 'scripted' has succeeded"):
        run(tmp_path, oracle, attempts=1000)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert view.counts()[0] == 0


@pytest.mark.parametrize("reply", [lambda _: ValueError("a bug"), lambda _: 3])
def test_a_backend_that_breaks_its_contract_stops_the_run_and_is_named(
    tmp_path: Path, reply: Callable[[Request], str]
) -> None:
    class Broken(Oracle):
        async def generate(self, request: Request) -> Answer:
            said = reply(request)
            if isinstance(said, Exception):
                raise said
            return said  # type: ignore[return-value]

    with pytest.raises(RunStoppedError, match="backend 'scripted'"):
        run(tmp_path, Broken())


def test_a_judge_or_analyst_with_a_bug_stops_the_run_and_is_named(tmp_path: Path) -> None:
    class Buggy(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            raise KeyError(answer)

        async def reason(self, query: Query) -> str:
            return 3  # type: ignore[return-value]

    with pytest.raises(RunStoppedError, match="judge 'Buggy' raised KeyError"):
        run(tmp_path, Oracle(), judge=Buggy())
    with pytest.raises(RunStoppedError, match="analyst 'Buggy' returned int"):
        run(tmp_path, Oracle(), analyst=Buggy())


def test_a_cancelled_run_counts_its_open_calls_and_goes_on(tmp_path: Path) -> None:
    from routesdk.pipeline.oracle import agenerate

    oracle = Oracle(latency_s=0.02)
    settings = config(tmp_path, concurrency=4)

    async def cancel_soon() -> None:
        task = asyncio.ensure_future(agenerate(settings, host=host(), backends={"scripted": oracle}))
        while len(oracle.asked) < 20:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancel_soon())
    with JournalView.open(settings.oracle.journal) as view:
        ledger = view.ledger()
        unknown = sum(bill.calls for bill in view.bills() if bill.state == "unknown")
    assert ledger.open_nano == 0
    assert 0 < unknown <= 4
    assert ledger.unknown_nano > 0

    again = Oracle()
    done = run(tmp_path, again)
    assert len(again.asked) + len(oracle.asked) <= 2 * done.total + 4
    assert len(grades(tmp_path)) == done.total


def test_two_runs_on_one_journal_are_one_too_many(tmp_path: Path) -> None:
    begun = threading.Event()
    oracle = Oracle(latency_s=0.01)

    def listen(_: Progress) -> None:
        begun.set()

    thread = threading.Thread(target=run, args=(tmp_path, oracle), kwargs={"listen": listen})
    thread.start()
    begun.wait(10)
    with pytest.raises(JournalError, match="another run is writing"):
        run(tmp_path, Oracle())
    thread.join()
    assert all(None not in found for found in grades(tmp_path).values())


def test_a_part_that_hangs_is_given_up_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routesdk.pipeline.oracle.seam._GRACE_S", 0.0)

    class Hanging(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            await asyncio.sleep(60)
            return Verdict(Grade.CORRECT)

    class Stuck(Oracle):
        async def generate(self, request: Request) -> Answer:
            await asyncio.sleep(60)
            return await super().generate(request)

    run(tmp_path, Oracle(), judge=Hanging(), timeout_s=0.05, attempts=1, limit=3)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert all("no result within 0.05 s" in each.unscored[0] for each in view.work())
    run(tmp_path, Stuck(), system="Another.", timeout_s=0.05, attempts=1, limit=3)
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        assert all("no answer within 0.05 s" in each.unscored[0] for each in view.work())
        assert view.ledger().unknown_nano > 0


def test_a_cancellation_that_gets_out_of_a_plugin_stops_the_run(tmp_path: Path) -> None:
    class Leaky(Oracle):
        async def generate(self, request: Request) -> Answer:
            if request.query.text == question(1):
                raise asyncio.CancelledError
            return await super().generate(request)

    with pytest.raises(RunStoppedError, match="a CancelledError of its own") as caught:
        run(tmp_path, Leaky())
    assert caught.value.done < caught.value.total


@pytest.mark.parametrize(
    "odd",
    [
        Answer(text=None, model="m"),  # type: ignore[arg-type]
        Answer(text="x", model=None),  # type: ignore[arg-type]
        Answer(text="x", model="m", finish_reason=None),  # type: ignore[arg-type]
        Answer(text="x", model="m", usage=Usage(input_tokens=2**64, output_tokens=1)),
    ],
)
def test_an_answer_of_odd_types_stops_the_run_and_names_the_backend(tmp_path: Path, odd: Answer) -> None:
    with pytest.raises(RunStoppedError, match="backend 'scripted'"):
        run(tmp_path, Oracle(reply=lambda _: odd))


@pytest.mark.parametrize(
    "odd",
    [Verdict("CORRECT"), Verdict(Grade.CORRECT, None), Unscored(3), None, "CORRECT"],  # type: ignore[arg-type]
)
def test_a_verdict_of_odd_types_stops_the_run_and_names_the_judge(tmp_path: Path, odd: Verdict) -> None:
    class Odd(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            return odd

    with pytest.raises(RunStoppedError, match="judge 'Odd' returned"):
        run(tmp_path, Oracle(), judge=Odd())


def test_texts_of_a_provider_that_have_no_utf8_are_stored(tmp_path: Path) -> None:
    def reply(request: Request) -> Answer:
        usage = Usage(input_tokens=1, output_tokens=1)
        return Answer(text="a\ud800", model="m\ud800", finish_reason="s\ud800", usage=usage)

    done = run(tmp_path, Oracle(reply=reply))
    assert done.done == done.total


def test_a_wait_that_is_longer_than_patience_stops_the_run(tmp_path: Path) -> None:
    def reply(request: Request) -> BackendError:
        return BackendError("scripted", "429", retryable=True, retry_after_s=86_400.0)

    with pytest.raises(RunStoppedError, match="asked again in 86,400 seconds"):
        run(tmp_path, Oracle(reply=reply))
