"""An audit tells what a judge is worth: nothing is dropped, and what must not move a verdict is tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs
import pytest
from typer.testing import CliRunner, Result

from routesdk import Component, hookimpl
from routesdk.cli.app import app
from routesdk.errors import BackendError, ConfigError, JudgeError, RouteSDKError
from routesdk.pipeline.audit import AuditSettings, audit_judge, count_calls
from routesdk.pipeline.grading import Grading, Item
from routesdk.pipeline.probe import named
from routesdk.pipeline.yardstick import AuditData, read_audit
from routesdk.protocols import Judge
from routesdk.testing import make_host
from routesdk.types import Answer, Example, Grade, Outcome, PartConfig, Query, Request, Unscored, Verdict

C, I, A = Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED  # noqa: E741

QUICK = AuditSettings(resamples=100)
UNPROBED = AuditSettings(resamples=100, probe_rows=0)


@attrs.define
class Says:
    """A judge that grades as it is told."""

    say: Callable[[str, str, str], object]

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        return self.say(question, reference, answer)  # type: ignore[return-value]


def example(number: int, reference: str | None = "yes", **answers: tuple[str | None, Grade]) -> Example:
    return Example(
        id=f"q{number}",
        query=Query(f"Question {number}?"),
        reference=reference,
        outcomes={
            system: Outcome(model=system, answer=answer, grade=grade)
            for system, (answer, grade) in answers.items()
        },
    )


def data(three_way: bool = False) -> AuditData:
    third = A if three_way else I
    return read_audit(
        [
            example(1, one=("yes", C), two=("no", I)),
            example(2, one=("yes", C), two=("yes", C)),
            example(3, one=("no", I), two=("yes", I)),
            example(4, one=("pass", third), two=("pass", third)),
            example(5, one=("no", I), two=("yes", C)),
        ]
    )


def by_word(question: str, reference: str, answer: str) -> Verdict:
    grades = {"yes": C, "no": I, "pass": A}
    return Verdict(grades[answer], f"it says {answer}")


def test_a_right_or_wrong_record_takes_an_abstention_for_not_right() -> None:
    found = audit_judge("mine", Says(by_word), data(), UNPROBED)

    assert found.overall.rows == 10
    assert found.overall.agreement is not None
    assert found.overall.agreement.value == pytest.approx(0.9)
    assert found.overall.kappa is not None
    # Observed 9/10; by chance 4/10 * 5/10 + 6/10 * 5/10 = 1/2.
    assert found.overall.kappa.value == pytest.approx(0.8)
    assert found.overall.confusion is not None
    assert found.overall.confusion.categories == ("CORRECT", "INCORRECT")
    assert found.overall.confusion.table == ((4, 0), (1, 5))
    assert [(each.system, each.rows) for each in found.systems] == [("one", 5), ("two", 5)]
    assert found.probes == ()


def test_a_record_with_abstentions_is_compared_three_ways() -> None:
    found = audit_judge("mine", Says(by_word), data(three_way=True), UNPROBED)

    assert found.overall.confusion is not None
    assert found.overall.confusion.table == ((4, 0, 0), (1, 3, 0), (0, 0, 2))


def test_unscored_answers_are_counted_and_make_no_figure() -> None:
    def shy(question: str, reference: str, answer: str) -> Verdict | Unscored:
        return Unscored("not for me") if answer == "pass" else by_word(question, reference, answer)

    found = audit_judge("shy", Says(shy), data(), UNPROBED)

    assert (found.overall.rows, found.overall.unscored) == (8, 2)
    assert found.unscored_reasons == {"not for me": 2}
    assert found.overall.agreement is not None
    assert found.overall.agreement.value == pytest.approx(7 / 8)


def test_a_judge_that_grades_nothing_has_no_figures() -> None:
    found = audit_judge("dumb", Says(lambda *_: Unscored("no")), data(), QUICK)

    assert found.overall.agreement is None
    assert found.overall.kappa is None
    assert found.overall.undefined == "the judge graded nothing"
    assert found.overall.unscored == 10


def test_kappa_of_one_verdict_for_all_is_said_to_be_undefined() -> None:
    rows = read_audit([example(1, one=("yes", C)), example(2, one=("yes", C))])

    found = audit_judge("mine", Says(by_word), rows, UNPROBED)

    assert found.overall.kappa is None
    assert "every row" in found.overall.undefined or "no value" in found.overall.undefined
    assert found.overall.agreement is not None
    assert found.overall.agreement.value == 1.0


def test_reasons_that_come_again_are_counted_with_their_errors() -> None:
    found = audit_judge("mine", Says(by_word), data(), UNPROBED)

    assert [(each.reason, each.rows, each.disagreed) for each in found.reasons] == [
        ("it says yes", 5, 1),
        ("it says no", 3, 0),
        ("it says pass", 2, 0),
    ]


def test_a_judge_that_goes_by_order_is_found_out() -> None:
    seen: list[str] = []

    def by_turn(question: str, reference: str, answer: str) -> Verdict:
        seen.append(question)
        return Verdict(C if len(seen) % 3 else I)

    order, _ = audit_judge("odd", Says(by_turn), data(), QUICK).probes

    assert order.name == "order"
    assert order.rows == 10
    assert order.moved > 0
    assert order.share is not None
    assert order.share.value == pytest.approx(order.moved / 10)
    assert seen[:10] == [row.item.question for row in data().rows]
    assert seen[10:20] != seen[:10]
    assert sorted(seen[10:20]) == sorted(seen[:10])


def test_a_judge_that_goes_by_names_is_found_out() -> None:
    def snob(question: str, reference: str, answer: str) -> Verdict:
        return Verdict(C if "GPT-4" in answer else I)

    order, name = audit_judge("snob", Says(snob), data(), QUICK).probes

    assert order.moved == 0
    # None of 10 answers to 5 questions moved: Wilson's interval for 0 of 5.
    assert order.share is not None
    assert (order.share.value, order.share.low) == (0.0, 0.0)
    assert order.share.high == pytest.approx(0.4345, abs=1e-4)
    assert name.moved == 2
    assert all("GPT-4" in each.change for each in name.examples)
    first = name.examples[0]
    assert (first.before, first.after) == ("INCORRECT", "CORRECT")
    assert (first.question_id, first.system) == (
        data().rows[first.row].question_id,
        data().rows[first.row].system,
    )


def test_every_name_and_frame_keeps_the_answer_whole() -> None:
    item = Item(question="q", reference="r", answer="an {answer} of {name}")

    variants = [named(item, number) for number in range(18)]

    assert len({changed.answer for changed, _ in variants}) == 18
    assert all("an {answer} of {name}" in changed.answer for changed, _ in variants)
    assert all((changed.question, changed.reference) == ("q", "r") for changed, _ in variants)


def test_a_judge_is_blind_to_who_answered() -> None:
    seen: list[tuple[str, str, str]] = []

    def note(*texts: str) -> Verdict:
        seen.append(texts)  # type: ignore[arg-type]
        return Verdict(C)

    audit_judge("mine", Says(note), data(), UNPROBED)

    assert not any(system in text for texts in seen for text in texts for system in ("one", "two"))


def test_outcomes_that_cannot_serve_are_counted() -> None:
    scored = Example(
        id="s", query=Query("?"), reference="r", outcomes={"m": Outcome(model="m", score=0.5, answer="x")}
    )

    found = read_audit([example(1, one=("yes", C), two=(None, C)), example(2, None, one=("yes", C)), scored])

    assert len(found.rows) == 1
    assert (found.without_answer, found.without_reference, found.without_grade) == (1, 1, 1)


def test_a_file_without_verdicts_is_an_error_that_says_what_is_wanted() -> None:
    with pytest.raises(ConfigError, match="outcomes") as caught:
        read_audit([example(1, None, one=("yes", C))])

    assert "reference" in caught.value.fix


def test_a_limit_takes_whole_questions_whatever_their_order() -> None:
    examples = [example(number, one=("yes", C), two=("no", I)) for number in range(40)]

    found = read_audit(examples, limit=5)

    assert found.questions == 5
    assert len(found.rows) == 10
    assert {row.question_id for row in found.rows} == {
        row.question_id for row in read_audit(reversed(examples), limit=5).rows
    }


@attrs.define
class Asks(Says):
    """A judge that asks a model, as far as its protocol goes; it notes how many calls are under way."""

    backend: PartConfig = attrs.field(default=PartConfig("none"))
    prompt_version: str = "1"
    under_way: int = 0
    most: int = 0

    def request(self, question: str, reference: str, answer: str) -> Request:
        return Request(query=Query(question), model="m")

    def read(self, reply: Answer) -> Verdict | Unscored:
        return Unscored("it is never asked")

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return self.say(question, reference, answer)  # type: ignore[return-value]


def test_calls_at_once_are_bounded_and_verdicts_keep_their_order() -> None:
    judge = Asks(lambda question, *_: Verdict(C, question))
    items = [Item(question=f"q{number}", reference="r", answer="a") for number in range(50)]

    said = asyncio.run(Grading(name="asks", judge=judge, concurrency=4).all(items))

    assert [each.reason for each in said] == [f"q{number}" for number in range(50)]
    assert judge.most == 4


def test_a_judge_that_asks_a_model_is_probed_on_two_hundred_rows() -> None:
    rows = read_audit([example(number, one=("yes", C)) for number in range(300)])
    asks, plain = Asks(lambda *_: Verdict(C)), Says(lambda *_: Verdict(C))

    assert count_calls(asks, rows, QUICK) == 300 + 400
    assert count_calls(plain, rows, QUICK) == 900
    assert count_calls(plain, rows, AuditSettings(probe_rows=7)) == 314


def grading(judge: Judge, items: int = 20) -> list[Verdict | Unscored]:
    rows = [Item(question=f"q{number}", reference="r", answer="a") for number in range(items)]
    return asyncio.run(Grading(name="mine", judge=judge, pauses_s=(0.0, 0.0)).all(rows))


def test_a_call_that_may_succeed_later_is_tried_again() -> None:
    tries: list[str] = []

    def flaky(question: str, reference: str, answer: str) -> Verdict:
        tries.append(question)
        if tries.count(question) < 3:
            raise BackendError("b", "503", retryable=True)
        return Verdict(C)

    assert grading(Says(flaky), items=3) == [Verdict(C)] * 3
    assert len(tries) == 9


def test_a_row_that_the_model_could_not_be_asked_about_is_unscored() -> None:
    def picky(question: str, reference: str, answer: str) -> Verdict:
        if question == "q1":
            raise BackendError("b", "too long")
        return Verdict(C)

    said = grading(Says(picky), items=3)

    assert said == [Verdict(C), Unscored("the judge could not be asked: too long"), Verdict(C)]


def raising(error: Exception) -> Says:
    def say(*_: str) -> Verdict:
        raise error

    return Says(say)


def failing_from(place: int, error: BackendError) -> Says:
    calls: list[str] = []

    def say(question: str, reference: str, answer: str) -> Verdict:
        calls.append(answer)
        if len(calls) > place:
            raise error
        return by_word(question, reference, answer)

    return Says(say)


@pytest.mark.parametrize("denied", [True, False])
def test_an_audit_that_ends_early_reports_what_was_graded(denied: bool) -> None:
    rows = read_audit([example(number, one=("yes", C)) for number in range(20)])

    found = audit_judge("mine", failing_from(6, BackendError("b", "down", denied=denied)), rows, QUICK)

    assert (found.overall.rows, found.overall.unscored) == (6, 14)
    assert found.overall.agreement is not None
    assert found.overall.agreement.value == 1.0
    assert "down" in found.ended
    assert found.probes == ()


def test_an_outage_moves_no_verdict() -> None:
    # The ten answers are graded, and then three of the probe's ten; eight failures end it.
    order, *rest = audit_judge("mine", failing_from(13, BackendError("b", "down")), data(), QUICK).probes

    assert (order.rows, order.moved, order.unasked) == (3, 0, 7)
    assert [(each.rows, each.unasked, each.share) for each in rest] == [(0, 10, None)]


def test_a_provider_may_not_ask_for_an_endless_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    busy = BackendError("b", "busy", retryable=True, retry_after_s=86_400.0)

    assert len(grading(raising(busy), items=1)) == 1
    assert slept == [60.0, 60.0]


@pytest.mark.parametrize("denied", [True, False])
def test_an_outage_ends_the_audit(denied: bool) -> None:
    with pytest.raises(BackendError):
        audit_judge("mine", raising(BackendError("b", "down", denied=denied)), data(), QUICK)


@pytest.mark.parametrize(
    ("judge", "problem"),
    [(raising(ValueError("oops")), "ValueError: oops"), (Says(lambda *_: "CORRECT"), "it returned str")],
)
def test_a_broken_judge_is_named(judge: Judge, problem: str) -> None:
    with pytest.raises(JudgeError) as caught:
        audit_judge("mine", judge, data(), QUICK)

    assert caught.value.judge == "mine"
    assert problem in caught.value.problem


def test_an_audit_inside_a_loop_says_how_to_run_it() -> None:
    async def run() -> None:
        audit_judge("mine", Says(by_word), data(), QUICK)

    with pytest.raises(ConfigError, match="to_thread"):
        asyncio.run(run())


ROWS = [
    {
        "id": number,
        "query": f"Who won race {number}?",
        "query_cs": f"Kdo vyhrál závod {number}?",
        "reference": "Anna Bell",
        "outcomes": {
            "small": {"grade": "CORRECT", "answer": "Anna Bell did."},
            "big": {"grade": "INCORRECT", "answer": "Tom Gray [bold]"},
        },
    }
    for number in range(6)
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "verdicts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["judge", "audit", "--resamples", "100", *arguments], env={"COLUMNS": "160"}
    )


def test_the_command_prints_tables(rows: Path) -> None:
    result = run("--data", str(rows), "--judge", "lexical")

    assert result.exit_code == 0, result.output
    assert "12 answers to 6 questions" in result.stdout
    assert "1.000 [0.610, 1.000]" in result.stdout
    assert "small" in result.stdout
    assert "in another order moved 0 of 12 verdicts" in result.stdout


def test_the_command_gives_a_line_of_json_a_judge(rows: Path) -> None:
    options = ("--option", f"recorded.path={rows}", "--limit", "4", "--json")

    result = run("--data", str(rows), "-j", "lexical", "-j", "recorded", *options)

    assert result.exit_code == 0, result.output
    lexical, recorded = (json.loads(line) for line in result.stdout.splitlines())
    assert (lexical["judge"], recorded["judge"]) == ("lexical", "recorded")
    assert lexical["data"]["questions"] == 4
    assert lexical["overall"]["kappa"]["value"] == 1.0
    assert recorded["overall"]["agreement"]["value"] == 1.0
    # An answer with a name in it is another answer, of which nothing is on record.
    assert recorded["probes"][1]["moved"] == 8


def test_the_question_may_stand_in_another_field(rows: Path) -> None:
    result = run(
        "--data",
        str(rows),
        "-j",
        "recorded",
        "-o",
        f"recorded.path={rows}",
        "--query-field",
        "query_cs",
        "--json",
    )

    assert json.loads(result.stdout)["overall"]["unscored"] == 12


def test_the_config_names_the_judge_and_its_options(rows: Path, tmp_path: Path) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text(f'[oracle]\njudge = {{ name = "recorded", options = {{ path = "{rows}" }} }}\n')

    result = run("--data", str(rows), "--config", str(config), "--json")

    assert json.loads(result.stdout)["judge"] == "recorded"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((), "--judge"),
        (("-j", "lexical", "-o", "model.model=x"), "--option"),
        (("-j", "lexical", "-o", "lexical"), "--option"),
        (("-j", "lexical", "-o", "lexical.colour=1"), "colour"),
    ],
)
def test_a_wrong_command_line_says_what_to_write(rows: Path, arguments: tuple[str, ...], key: str) -> None:
    result = run("--data", str(rows), *arguments)

    assert isinstance(result.exception, RouteSDKError)
    assert key in str(result.exception)


def test_the_command_audits_answers_that_people_have_graded(data_folder: Path) -> None:
    result = run(
        "--data", str(data_folder / "evouna_nq.jsonl.gz"), "-j", "lexical", "--limit", "60", "--json"
    )

    found = json.loads(result.stdout)
    assert found["data"]["questions"] == 60
    assert found["overall"]["rows"] == found["data"]["rows"]
    assert found["overall"]["kappa"]["value"] > 0.6
    assert {each["system"] for each in found["systems"]} == {"fid", "gpt35", "chatgpt", "gpt4", "newbing"}
    order, name = found["probes"]
    assert order["moved"] == 0
    assert name["share"]["value"] < 0.05


def test_a_part_of_a_plugin_can_be_audited() -> None:
    class Plugin:
        @hookimpl
        def routesdk_judges(self) -> Iterable[Component[Judge]]:
            yield Component(name="yes-man", factory=lambda: Says(lambda *_: Verdict(C)))

    found = audit_judge("yes-man", make_host(Plugin()).judge("yes-man"), data(), QUICK)

    assert found.overall.kappa is not None
    assert found.overall.kappa.value == 0.0


class _Asking:
    @hookimpl
    def routesdk_judges(self) -> Iterable[Component[Judge]]:
        calls: list[str] = []

        def say(question: str, reference: str, answer: str) -> Verdict:
            calls.append(answer)
            if len(calls) > 5:
                raise BackendError("b", "down", denied=True)
            return Verdict(C)

        yield Component(name="asking", factory=lambda: Asks(say))


def test_the_command_says_the_calls_beforehand_and_how_it_ended(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routesdk.cli.judge.PluginHost", lambda: make_host(_Asking()))

    result = run("--data", str(rows), "-j", "asking", "--json", "--concurrency", "1")

    assert "asking asks its model 36 times" in result.stderr
    found = json.loads(result.stdout)
    assert found["overall"]["rows"] == 5
    assert "down" in found["ended"]
    assert "an audit ended early" in result.stderr
    assert result.exit_code == 2
