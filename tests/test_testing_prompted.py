"""The contract checks of prompted parts: ours pass, and each broken promise is found."""

from __future__ import annotations

import json

import attrs
import pytest

from oracles import OraclePlugin
from routesdk import Query
from routesdk.plugins.model_analyst.analyst import ModelAnalyst
from routesdk.plugins.model_judge.judge import ModelJudge
from routesdk.protocols import PromptedAnalyst, PromptedJudge
from routesdk.testing import make_host
from routesdk.testing.prompted import check_prompted_analyst, check_prompted_judge
from routesdk.types import Answer, Grade, Request, Unscored, Verdict


def judge() -> ModelJudge:
    built = make_host(OraclePlugin()).judge("model", model="m", backend="scripted")
    assert isinstance(built, ModelJudge)
    return built


def analyst() -> ModelAnalyst:
    built = make_host(OraclePlugin()).analyst("model", model="m", backend="scripted")
    assert isinstance(built, ModelAnalyst)
    return built


def test_built_in_parts_keep_their_contract() -> None:
    assert isinstance(judge(), PromptedJudge)
    assert isinstance(analyst(), PromptedAnalyst)
    check_prompted_judge(judge())
    check_prompted_analyst(analyst())


@attrs.define(slots=False)
class Wrapped:
    """A prompted judge that can be broken."""

    inner: ModelJudge

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


class Guessing(Wrapped):
    def read(self, reply: Answer, answer: str) -> Verdict | Unscored:
        return Verdict(Grade.CORRECT) if "CORRECT" in reply.text else Unscored("no grade")


class Peeking(Wrapped):
    def request(self, question: str, reference: str, answer: str, model: str = "") -> Request:
        return self.inner.request(question, reference, answer)


class Forgetful(Wrapped):
    def request(self, question: str, reference: str, answer: str) -> Request:
        return attrs.evolve(
            self.inner.request(question, reference, answer), query=Query(json.dumps([question, answer]))
        )


class Endless(Wrapped):
    def request(self, question: str, reference: str, answer: str) -> Request:
        return attrs.evolve(self.inner.request(question, reference, answer), max_output_tokens=None)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Guessing, "never guesses"),
        (Peeking, "a judge is blind"),
        (Forgetful, "leaves 'reference 0815' out"),
        (Endless, "sets no cap"),
    ],
)
def test_a_broken_promise_of_a_judge_is_found(kind: type[Wrapped], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_prompted_judge(kind(judge()))  # type: ignore[arg-type]


def test_an_analyst_that_leaves_the_query_out_is_found() -> None:
    class Empty(Wrapped):
        def request(self, query: Query) -> Request:
            return Request(query=Query("Why?"), model="m", max_output_tokens=5)

    with pytest.raises(AssertionError, match="leaves the query out"):
        check_prompted_analyst(Empty(analyst()))  # type: ignore[arg-type]
