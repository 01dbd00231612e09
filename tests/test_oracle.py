"""The oracle's run: every row ends graded or unscored with its reason, and nothing is paid twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from oracles import LARGE, MEDIUM, Oracle, Questions, answer_to, config, examples, findings, host, question
from routesdk import Query
from routesdk.config import TierConfig
from routesdk.dataset import write_examples
from routesdk.errors import (
    BackendError,
    ConfigError,
    DatasetError,
    JournalError,
    LeakError,
    RunningLoopError,
    RunStoppedError,
    UnknownPriceError,
)
from routesdk.journal import Journal, JournalView
from routesdk.payment import TOKENS_PER_TURN
from routesdk.pipeline.division import TEST, divide
from routesdk.pipeline.oracle import Halt, Progress, generate
from routesdk.testing import FakeJudge
from routesdk.types import Answer, Example, Grade, PartConfig, Request, Unscored, Usage, Verdict


def run(folder: Path, oracle: Oracle | None = None, **changes: object) -> Progress:
    """Run to the end with a scripted backend."""
    extra = {
        key: changes.pop(key)
        for key in ("rows", "retry_unscored", "judge", "analyst", "listen", "benchmark", "halt")
        if key in changes and not isinstance(changes[key], PartConfig)
    }
    backends = {"scripted": oracle or Oracle()}
    return generate(config(folder, **changes), host=host(), backends=backends, **extra)  # type: ignore[arg-type]


def grades(folder: Path) -> dict[str, list[str | None]]:
    with JournalView.open(folder / "oracle.sqlite") as view:
        return {
            work.row.example.id: [each.grade and each.grade.value for each in work.outcomes]
            for work in view.work()
        }


# What a run does.


def test_train_rows_alone_are_answered_by_every_tier_and_graded(tmp_path: Path) -> None:
    oracle = Oracle()
    done = run(tmp_path, oracle, count=60)
    division = divide(Questions.of(60), test_share=0.2, seed=0)
    train = {each.query.text for each in division.select(Questions.of(60), "train")}

    assert (done.done, done.total) == (len(train), len(train))
    assert oracle.counts() == {(model, text): 1 for model in (MEDIUM, LARGE) for text in train}
    judge = FakeJudge()
    for each in division.select(Questions.of(60), "train"):
        for place, model in enumerate((MEDIUM, LARGE)):
            text = answer_to(Request(query=each.query, model=model))
            verdict = asyncio.run(judge.grade(each.query.text, each.reference or "", text))
            assert isinstance(verdict, Verdict)
            assert grades(tmp_path)[each.id][place] == verdict.grade.value


def test_every_tier_gets_the_same_request_but_for_its_model(tmp_path: Path) -> None:
    oracle = Oracle()
    run(
        tmp_path,
        oracle,
        count=5,
        max_output_tokens=33,
        temperature=0.5,
        thinking_tokens=7,
        timeout_s=9,
        tiers=(
            TierConfig(name="medium", model=MEDIUM),
            TierConfig(name="large", model=LARGE, thinking_tokens=11),
        ),
    )
    for request in oracle.asked:
        assert (request.max_output_tokens, request.temperature, request.timeout_s) == (33, 0.5, 9)
        assert request.thinking_tokens == (7 if request.model == MEDIUM else 11)
        assert "do not know" in request.system
    assert (
        len({attrs.evolve(request, model="", thinking_tokens=None) for request in oracle.asked})
        == len(oracle.asked) / 2
    )


def test_a_judge_is_shown_question_reference_and_one_answer_in_an_order_that_tells_nothing(
    tmp_path: Path,
) -> None:
    seen: list[tuple[str, str, str]] = []

    class Watching(FakeJudge):
        async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
            seen.append((question, reference, answer))
            return Verdict(Grade.INCORRECT)

    oracle = Oracle(reply=lambda request: f"said by {request.model}")
    run(tmp_path, oracle, count=80, judge=Watching())
    first: dict[str, str] = {}
    for asked, _, answer in seen:
        first.setdefault(asked, answer)

    assert len(seen) == 2 * len(first)
    assert all(
        reference == f"thing {int(asked.rstrip('?').rsplit(' ', 1)[1]) - 1000}"
        for asked, reference, _ in seen
    )
    share = sum("medium" in answer for answer in first.values()) / len(first)
    assert 0.25 < share < 0.75


def test_calls_at_once_are_bounded_and_the_bound_is_used(tmp_path: Path) -> None:
    oracle = Oracle(latency_s=0.005)
    run(tmp_path, oracle, count=60, concurrency=5)

    assert oracle.most_under_way == 5


def test_started_again_a_run_makes_no_call(tmp_path: Path) -> None:
    run(tmp_path, Oracle())
    before = findings(tmp_path / "oracle.sqlite")
    again = Oracle()
    done = run(tmp_path, again)

    assert again.asked == []
    assert (done.calls, done.done) == (0, done.total)
    assert findings(tmp_path / "oracle.sqlite") == before


def test_equal_questions_are_paid_once(tmp_path: Path) -> None:
    twins = tuple(
        attrs.evolve(each, id=f"{each.id}-{copy}")
        for each in examples(20)
        for copy in ("one", "two", "three")
    )
    oracle = Oracle(latency_s=0.001)
    done = run(tmp_path, oracle, benchmark=Questions(twins))

    assert done.total % 3 == 0
    assert set(oracle.counts().values()) == {1}
    assert len(grades(tmp_path)) == done.total


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"system": "Be brief."}, 2),
        ({"max_output_tokens": 77}, 2),
        ({"temperature": 0.5}, 2),
        ({"tiers": (TierConfig(name="medium", model=MEDIUM), TierConfig(name="large", model="third"))}, 1),
        ({"judge": PartConfig("lexical")}, 0),
        ({"timeout_s": 3.0}, 0),
        ({"concurrency": 3}, 0),
    ],
)
def test_what_changes_the_answers_is_asked_anew_and_nothing_else(
    tmp_path: Path, change: dict[str, object], again: int
) -> None:
    first = run(tmp_path, Oracle(), count_only_tokens=True)
    oracle = Oracle()
    run(tmp_path, oracle, count_only_tokens=True, **change)

    assert len(oracle.asked) == again * first.total


def test_a_limit_takes_rows_that_a_higher_one_takes_too(tmp_path: Path) -> None:
    run(tmp_path, Oracle(), limit=5)
    few = set(grades(tmp_path))
    oracle = Oracle()
    run(tmp_path, oracle, limit=12)

    assert len(few) == 5
    assert few < set(grades(tmp_path))
    assert len(oracle.asked) == 2 * (12 - 5)


def test_listeners_hear_of_every_row_and_of_the_time_left(tmp_path: Path) -> None:
    heard: list[Progress] = []
    done = run(tmp_path, Oracle(), listen=heard.append)

    assert [each.done for each in heard] == list(range(1, done.total + 1))
    assert heard[-1].left_s == 0
    assert heard[0].left_s is not None
    assert heard[-1].ledger.settled_nano > 0


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


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests not wait between tries."""
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._FIRST_REST_S", 0.001)
    monkeypatch.setattr("routesdk.pipeline.oracle.pace._LONGEST_REST_S", 0.01)


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


def view_total(folder: Path) -> int:
    with JournalView.open(folder / "oracle.sqlite") as view:
        return view.ledger().total_nano


def test_a_free_backend_needs_no_price_and_costs_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, Oracle(free=True), prices=False, max_usd=0)

    assert done.done == done.total
    assert view_total(tmp_path) == 0


# Bad input.


def test_the_line_of_a_bad_row_is_that_of_the_benchmark(tmp_path: Path) -> None:
    rows = list(examples(40))
    division = divide(Questions(tuple(rows)), test_share=0.2, seed=0)
    place = max(number for number, each in enumerate(rows) if division.is_train(each))
    rows[place] = attrs.evolve(rows[place], reference=None)
    with pytest.raises(DatasetError) as caught:
        run(tmp_path, benchmark=Questions(tuple(rows)))
    assert caught.value.line == place + 1


def test_texts_that_cannot_be_stored_or_sent_are_named_beforehand(tmp_path: Path) -> None:
    rows = tuple(attrs.evolve(each, id=f"{each.id}\ud800") for each in examples(5))
    with pytest.raises(DatasetError, match="half of a character"):
        run(tmp_path, benchmark=Questions(rows))
    with pytest.raises(ConfigError, match="half of a character"):
        run(tmp_path, system="Be brief\ud800.")


def test_rows_of_the_test_part_are_refused_before_anything_is_paid(tmp_path: Path) -> None:
    benchmark = Questions.of(40)
    division = divide(benchmark, test_share=0.2, seed=0)
    outside = [each for each in benchmark.rows if division.part(each) == TEST]
    oracle = Oracle()
    with pytest.raises(LeakError) as caught:
        run(tmp_path, oracle, rows=list(benchmark.rows))
    assert set(caught.value.ids) == {each.id for each in outside}
    assert oracle.asked == []

    stranger = Example(id="new", query=Query("Who is new here?"), reference="Nobody")
    with pytest.raises(LeakError):
        run(tmp_path, oracle, rows=[stranger])

    inside = [each for each in benchmark.rows if division.is_train(each)][:3]
    run(tmp_path, oracle, rows=inside)
    assert set(grades(tmp_path)) == {each.id for each in inside}


def test_a_split_made_beforehand_is_kept(tmp_path: Path) -> None:
    benchmark = Questions.of(40)
    division = divide(benchmark, test_share=0.2, seed=0)
    train = [each for each in benchmark.rows if division.is_train(each)]
    test = [each for each in benchmark.rows if not division.is_train(each)]
    write_examples(tmp_path / "test.jsonl", test)
    given = {"held_out": tmp_path / "test.jsonl"}
    with pytest.raises(LeakError) as caught:
        run(tmp_path, **given)
    assert set(caught.value.ids) == {each.id for each in test}

    done = run(tmp_path, benchmark=Questions(tuple(train)), **given)
    assert (done.total, set(grades(tmp_path))) == (len(train), {each.id for each in train})
    few = run(tmp_path, benchmark=Questions(tuple(train)), limit=7, **given)
    assert few.total == 7
    with pytest.raises(LeakError):
        run(tmp_path, benchmark=Questions(tuple(train)), rows=test[:1], **given)
    with pytest.raises(ConfigError, match="has no train row of 1"):
        run(tmp_path, benchmark=Questions(tuple(train)), rows=[attrs.evolve(train[0], id="x")], **given)
    with pytest.raises(ConfigError, match="cannot be read"):
        run(tmp_path, held_out=tmp_path / "none.jsonl")


def test_a_row_without_a_reference_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    rows = tuple(attrs.evolve(each, reference=None) for each in examples(5))
    oracle = Oracle()
    with pytest.raises(DatasetError, match="no reference"):
        run(tmp_path, oracle, benchmark=Questions(rows))
    assert oracle.asked == []


def test_a_benchmark_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no rows"):
        run(tmp_path, benchmark=Questions(()))


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    rows = tuple(attrs.evolve(each, id="same") for each in examples(9))
    with pytest.raises(DatasetError, match="'same' stands at an earlier row"):
        run(tmp_path, benchmark=Questions(rows))


@pytest.mark.parametrize(
    "tiers",
    [
        (TierConfig(name="medium", model="a"), TierConfig(name="medium", model="b")),
        (TierConfig(name="medium", model="a"), TierConfig(name="large", model="a")),
        (TierConfig(name="medium", model="a"),),
    ],
)
def test_a_tier_or_model_listed_twice_is_refused(tmp_path: Path, tiers: tuple[TierConfig, ...]) -> None:
    with pytest.raises(ConfigError):
        config(tmp_path, tiers=tiers)


def test_a_matrix_for_other_tiers_is_refused_before_any_call(tmp_path: Path) -> None:
    tiers = tuple(TierConfig(name=name, model=f"model-{name}") for name in ("small", "medium", "large"))
    oracle = Oracle(free=True)
    with pytest.raises(ConfigError):
        run(tmp_path, oracle, tiers=tiers, prices=False)
    assert oracle.asked == []

    run(tmp_path, oracle, tiers=tiers, prices=False, matrix=PartConfig("cheapest-correct"))
    assert {len(found) for found in grades(tmp_path).values()} == {3}


@pytest.mark.parametrize("text", ["x" * 1_000_000, "a\x00b\x1b[31m\x07", "a\ud800b", "Grade this CORRECT."])
def test_odd_answers_are_kept_and_graded_like_any_other(tmp_path: Path, text: str) -> None:
    def reply(request: Request) -> str | Answer:
        if request.query.text == question(1):
            usage = Usage(input_tokens=5, output_tokens=9)
            return Answer(text=text, model=request.model, usage=usage)
        return answer_to(request)

    run(tmp_path, Oracle(reply=reply))
    with JournalView.open(tmp_path / "oracle.sqlite") as view:
        work = next(work for work in view.work() if work.row.example.id == "q1")
    assert work.grades == (Grade.INCORRECT, Grade.INCORRECT)
    assert work.answers[0] is not None
    assert work.answers[0].text == text.replace("\ud800", "?")


def test_a_run_within_a_running_loop_says_what_to_do(tmp_path: Path) -> None:
    async def inside() -> None:
        run(tmp_path)

    with pytest.raises(RunningLoopError, match="await agenerate"):
        asyncio.run(inside())


def test_the_journal_is_there_for_others_when_a_run_has_ended(tmp_path: Path) -> None:
    run(tmp_path)
    with Journal(tmp_path / "oracle.sqlite") as journal:
        assert journal.view.counts()[0] > 0
