"""The fakes, the pytest plugin, and the contract check of rules: good rules pass, broken ones do not."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import attrs
import pytest

import routesdk.testing as kit
from routesdk.errors import BackendError
from routesdk.testing import (
    FakeBackend,
    FakeJudge,
    check_rule,
    make_context,
    make_decision,
    make_host,
    make_prediction,
    make_query,
)
from routesdk.testing.verdict import await_result
from routesdk.testing.watch import INPUT_OUTPUT, NETWORK, watching
from routesdk.types import Answer, Grade, Proposal, Query, Refusal, Request, RouteContext, Spend, Verdict

pytest_plugins = ["pytester"]


@attrs.frozen(kw_only=True)
class PinTag:
    """The style guide's example of a rule."""

    tag: str
    model: str

    def propose(self, context: RouteContext) -> Proposal | None:
        if self.tag not in context.query.tags:
            return None
        return Proposal(model=self.model, reason=f"tag {self.tag!r} is pinned")


@attrs.frozen
class ForbidDear:
    """A constraint: the dearest model is not for untagged queries."""

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        return Refusal("not without a tag") if model == context.models[0] else None


class Says:
    """A rule that does what a function does."""

    def __init__(self, what: Callable[[RouteContext], object]) -> None:
        self.what = what

    def propose(self, context: RouteContext) -> Proposal | None:
        return cast("Proposal", self.what(context))


class Counts:
    """A rule that answers by how often it was asked."""

    calls = 0

    def propose(self, context: RouteContext) -> Proposal | None:
        self.calls += 1
        return Proposal("large-model", f"call {self.calls}")


@attrs.frozen
class HoldsALock:
    lock: object = attrs.field(factory=threading.Lock)

    def propose(self, context: RouteContext) -> None:
        return None


@attrs.frozen
class ForgetsItself:
    """Two of them never compare equal."""

    model: str = attrs.field(default="pro", eq=lambda model: object())

    def propose(self, context: RouteContext) -> None:
        return None


@attrs.frozen
class SaysItsAddress:
    def propose(self, context: RouteContext) -> Proposal:
        return Proposal("large-model", f"says {id(self)}")


@attrs.frozen
class NeedsAPrice:
    """A constraint that turns down what it cannot count."""

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        context.catalogue.price(model)
        return None


class Minds:
    """A constraint that does what a function does for one model, and allows all others."""

    def __init__(self, model: str, what: Callable[[RouteContext], object]) -> None:
        self.model = model
        self.what = what

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        return cast("Refusal", self.what(context)) if model == self.model else None


@attrs.frozen
class RefusesAll:
    def refuse(self, context: RouteContext, model: str) -> Refusal:
        return Refusal("not today")


def _fail(context: RouteContext) -> None:
    raise LookupError("no such tenant")


def _randomly(context: RouteContext) -> Refusal:
    return Refusal(f"refused at {time.perf_counter_ns()}")


def _rename(context: RouteContext) -> None:
    object.__setattr__(context, "policy", f"{context.policy}!")


def _read(context: RouteContext) -> None:
    Path(__file__).read_bytes()


def _encode(context: RouteContext) -> None:
    context.query.text.encode("utf-8")


def _read_in_secret(context: RouteContext) -> None:
    try:
        Path("/nowhere/at/all").read_text()
    except OSError:
        return


def test_a_rule_and_a_constraint_that_keep_their_contract_pass() -> None:
    check_rule(PinTag(tag="law", model="large-model"), contexts=[make_context("May I sue?", tags={"law"})])
    check_rule(ForbidDear())
    check_rule(NeedsAPrice())


@pytest.mark.parametrize("model", ["medium-model", "large-model", "another-model"])
@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (_fail, "raises LookupError"),
        (lambda context: "no", "returns str from refuse"),
        (lambda context: Refusal(""), "gives the reason ''"),
        (_read, "does I/O in refuse"),
        (_randomly, "says Refusal"),
    ],
)
def test_a_constraint_is_asked_about_every_model(
    model: str, what: Callable[[RouteContext], object], fault: str
) -> None:
    with pytest.raises(AssertionError, match=f"(?s){fault}.*{model}.*The contract: "):
        check_rule(Minds(model, what))


def test_a_constraint_that_refuses_every_model_is_caught_unless_it_may() -> None:
    with pytest.raises(AssertionError, match="refuses every model"):
        check_rule(RefusesAll())
    check_rule(RefusesAll(), refuses_all=True)


def test_a_rule_that_proposes_a_model_that_nobody_knows_is_caught_unless_it_may() -> None:
    stray = Says(lambda context: Proposal("no-such-model", "why not"))

    with pytest.raises(AssertionError, match=r"proposes 'no-such-model' .* which nobody knows"):
        check_rule(stray)
    check_rule(stray, unknown_models=True)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (object(), "has neither propose"),
        (Says(lambda context: "pro"), "returns str from propose"),
        (Says(lambda context: Refusal("no")), "returns Refusal from propose"),
        (Says(lambda context: Proposal("", "why")), "proposes the model ''"),
        (Says(lambda context: Proposal("pro", " ")), "gives the reason ' '"),
        (Says(_encode), "raises UnicodeEncodeError"),
        (Says(_rename), "changes its context"),
        (Says(_read), "does I/O in propose .*open"),
        (Says(_read_in_secret), "does I/O in propose"),
        (Counts(), "says .*and said .*before"),
        (HoldsALock(), "cannot be pickled"),
        (ForgetsItself(), "not equal to itself after pickling"),
        (SaysItsAddress(), "after pickling"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_rule_that_breaks_a_promise_is_caught_and_the_promise_named(rule: PinTag, fault: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){fault}.*The contract: "):
        check_rule(rule)


def test_a_rule_is_caught_by_a_context_that_its_author_gives() -> None:
    with pytest.raises(AssertionError, match="proposes the model ''"):
        check_rule(PinTag(tag="law", model=""), contexts=[make_context("May I sue?", tags={"law"})])


def test_a_slow_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routesdk.testing.rules.SLOWEST_S", 1e-9)
    with pytest.raises(AssertionError, match="a rule answers at once"):
        check_rule(PinTag(tag="law", model="pro"))


def test_the_watch_sees_a_file_that_is_read_but_not_a_module_that_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_late.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with watching(INPUT_OUTPUT) as of_import:
        __import__("loaded_late")
    with watching(INPUT_OUTPUT) as of_reading:
        (tmp_path / "loaded_late.py").read_text()

    assert of_import == []
    assert [event.partition(":")[0] for event in of_reading] == ["open"]


def test_the_watch_sees_the_network_but_not_an_event_loop() -> None:
    import asyncio
    import socket

    async def reach() -> None:
        with socket.socket() as client:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", 9))

    with watching(NETWORK) as of_loop:
        asyncio.run(asyncio.sleep(0))
    with watching(NETWORK) as of_reach:
        asyncio.run(reach())

    assert of_loop == []
    assert of_reach and of_reach[0].startswith("socket.connect")


def test_a_context_is_what_the_router_would_show() -> None:
    context = make_context("Prove it.", tags=("math",), policy="Complex_Query", spend=8.5)

    assert context.query == Query("Prove it.", tags={"math"})
    assert context.default_model == "large-model"
    assert context.spend == Spend(settled_usd="8.5")
    assert context.catalogue.price("large-model").input_usd_per_mtok == 10
    assert max(context.prediction.probabilities, key=context.prediction.probabilities.__getitem__) == (
        "Complex_Query"
    )
    assert make_context("Prove it.") == make_context("Prove it.")


def test_a_context_keeps_the_prices_of_models_that_the_catalogue_knows() -> None:
    known = next(name for name, info in make_context("x").catalogue.items() if info.price is not None)
    price = make_context("x").catalogue.price(known)

    assert make_context("x", models=(known, "new-model")).catalogue.price(known) == price


def test_a_prediction_adds_up_for_any_policy() -> None:
    for policy in ("Standard_Query", "Another_Query"):
        prediction = make_prediction(policy=policy)
        assert sum(prediction.values) == pytest.approx(1.0)
        assert prediction.expected_gain == pytest.approx(0.25)


def test_a_decision_is_of_its_query_and_a_query_keeps_its_metadata() -> None:
    assert make_decision("May I sue?", policy="Complex_Query").model == "large-model"
    assert make_decision("May I sue?").query_id == Query("May I sue?").id
    assert make_query("May I?", metadata={"tenant": "a"}).metadata["tenant"] == "a"


def test_a_fake_backend_answers_from_its_script_and_remembers_what_it_was_asked() -> None:
    backend = FakeBackend(answers={"Who wrote Faust?": "Goethe did."}, default=None, failures=1)
    faust = Request(query=Query("Who wrote Faust?"), model="medium-model")
    other = Request(query=Query("Who else?"), model="medium-model")

    outcomes: list[object] = []
    for request in (faust, faust, other):
        try:
            answer = await_result(backend, "", "", backend.generate, request)
            assert isinstance(answer, Answer)
            outcomes.append(answer.text)
        except AssertionError as error:
            assert isinstance(error.__cause__, BackendError)
            outcomes.append(error.__cause__.retryable)

    assert outcomes == [True, "Goethe did.", False]
    assert backend.requests == [faust, faust, other]


def test_a_fake_judge_compares_unless_its_script_says_otherwise() -> None:
    judge = FakeJudge({"42": Verdict(Grade.ABSTAINED, "scripted")})
    grades = [
        await_result(judge, "", "", judge.grade, "Where?", "Paris", answer).grade  # type: ignore[attr-defined]
        for answer in ("paris.", "Berlin", "I don't know", "42")
    ]

    assert grades == [Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED, Grade.ABSTAINED]


def test_every_public_name_of_the_kit_can_be_imported_and_no_other() -> None:
    for name in kit.__all__:
        assert getattr(kit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'check_nothing'"):
        _ = kit.check_nothing


def test_the_host_of_the_kit_has_the_built_ins_and_no_installed_plugin() -> None:
    assert {report.distribution for report in make_host().plugins()} == {"routesdk"}
    assert make_host(builtins=False).plugins() == ()


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("assert routesdk_host.names('rule')", {"passed": 1}),
        ("assert routesdk_installed_host.plugins()", {"passed": 1}),
        ("assert routesdk_context('Hi?', tags=['a']).query.text == 'Hi?'", {"passed": 1}),
        ("assert routesdk_offline is None", {"passed": 1}),
        (
            "import socket\n    with socket.socket() as s:\n        s.connect_ex(('127.0.0.1', 9))",
            {"passed": 1, "errors": 1},
        ),
    ],
)
def test_the_pytest_plugin_gives_its_fixtures(
    pytester: pytest.Pytester, body: str, outcome: dict[str, int]
) -> None:
    fixtures = "routesdk_host, routesdk_installed_host, routesdk_context, routesdk_offline"
    pytester.makepyfile(f"def test_it({fixtures}):\n    {body}\n")

    result = pytester.runpytest_inprocess("-p", "no:routesdk", "-p", "routesdk.testing.pytest_plugin")

    result.assert_outcomes(**outcome)


def test_the_pytest_plugin_is_registered_by_entry_point() -> None:
    found = importlib.metadata.entry_points(group="pytest11", name="routesdk")

    assert [point.value for point in found] == ["routesdk.testing.pytest_plugin"]


def test_the_checks_say_that_they_want_a_plain_function() -> None:
    import asyncio

    async def inside() -> None:
        kit.check_judge(FakeJudge())

    with pytest.raises(AssertionError, match="call checks from a plain function"):
        asyncio.run(inside())


def test_failures_can_be_printed_whatever_the_part_repeats() -> None:
    repeats = Says(lambda context: Proposal("pro", "") if "\ud83d" in context.query.text else None)
    with pytest.raises(AssertionError) as caught:
        check_rule(repeats)

    str(caught.value).encode("utf-8")


def test_checks_work_without_assert_statements() -> None:
    code = (
        "from routesdk.testing import check_rule\n"
        "class Bad:\n    def propose(self, context): return 1\n"
        "try:\n    check_rule(Bad())\n"
        "except AssertionError:\n    raise SystemExit(7)\n"
    )

    assert subprocess.run([sys.executable, "-O", "-c", code], check=False).returncode == 7
