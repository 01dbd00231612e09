"""The contract check of rules and constraints."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Sequence

import attrs

from routesdk.errors import RouteSDKError
from routesdk.host import attempt
from routesdk.protocols import Constraint, Rule
from routesdk.testing.fakes import POLICIES, make_context
from routesdk.testing.samples import describe, odd_queries, script_queries
from routesdk.testing.verdict import broken, call, require, sentence
from routesdk.testing.watch import INPUT_OUTPUT, watching
from routesdk.types import Proposal, Refusal, RouteContext

_SERVES = "a rule answers for every query, and returns None where it has nothing to say"

SLOWEST_S = 5.0
"""Processor time that one call may take on 1 MB: far more than any linear rule needs."""

STRANGER = "another-model"
"""A model that is no tier's: constraints are asked about those of policy maps and of rules, too."""

_PICKLED = 36
"""How many questions a copy is asked: the ten scripts, about every model."""


@attrs.frozen
class _Question:
    """One call of a rule: a method, on a context and, for `refuse`, a model."""

    method: str
    context: RouteContext
    model: str | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        return (self.context,) if self.model is None else (self.context, self.model)

    @property
    def about(self) -> str:
        query = f"on {describe(self.context.query)}"
        return query if self.model is None else f"about {self.model!r} {query}"


def check_rule(
    rule: Rule | Constraint,
    *,
    contexts: Iterable[RouteContext] = (),
    unknown_models: bool = False,
    refuses_all: bool = False,
) -> None:
    """Check that a rule or constraint keeps its contract.

    It is called for ten scripts, control characters, lone surrogates, a
    conversation and 1 MB of text, with every policy, with nothing and with a
    lot spent; a constraint is asked about each tier's model, and about one
    that is no tier's. It must return a proposal of a model that there is, a
    refusal or None; allow one model at least; say the same each time; leave
    alone what it is shown; do no I/O; and survive pickling.

    Args:
        rule: The rule, built as its config asks.
        contexts: Further contexts, such as one that makes it fire.
        unknown_models: Whether it may propose a model that is neither among
            the context's nor in its catalogue, such as one of a policy map.
        refuses_all: Whether it may refuse every model of a context; a router
            that finds none allowed raises `NoModelAllowedError`.

    Raises:
        AssertionError: A promise is broken; the text says which, and on what query.
    """
    methods = [name for name in ("propose", "refuse") if callable(getattr(rule, name, None))]
    require(
        bool(methods),
        rule,
        "has neither propose(context) nor refuse(context, model)",
        "a rule proposes, a constraint refuses",
    )
    shown = [*contexts, *_contexts()]
    for method in methods:
        questions = [each for context in shown for each in _questions(method, context)]
        said = [_ask(rule, question) for question in questions]
        if method == "propose" and not unknown_models:
            _check_known(rule, questions, said)
        if method == "refuse" and not refuses_all:
            _check_way_out(rule, questions, said)
        _check_same(rule, questions, said)
        _check_pickling(rule, questions, said)


def _contexts() -> list[RouteContext]:
    queries = [*script_queries(), *odd_queries()]
    contexts = [make_context(query) for query in queries]
    for policy in (*POLICIES, "Another_Query"):
        contexts += [make_context("Any?", policy=policy, spend=spend) for spend in (0, 1_000_000)]
    return contexts


def _questions(method: str, context: RouteContext) -> list[_Question]:
    if method == "propose":
        return [_Question(method, context)]
    return [_Question(method, context, model) for model in (*context.models, STRANGER)]


def _ask(rule: object, question: _Question) -> object:
    """Ask once, and check what is returned and what is done beside it."""
    context, about = question.context, question.about
    before = attrs.asdict(context, recurse=False)
    prediction = attrs.asdict(context.prediction)
    started = time.thread_time()
    with watching(INPUT_OUTPUT) as seen:
        said = _answer(rule, question, about, _SERVES)
    spent_s = time.thread_time() - started
    did = f"does I/O in {question.method} {about} ({'; '.join(seen[:3])})"
    require(not seen, rule, did, "rules do no I/O")
    require(
        spent_s < SLOWEST_S,
        rule,
        f"takes {spent_s:.1f} s {about}",
        f"a rule answers at once, within {SLOWEST_S:g} s even on 1 MB",
    )
    unchanged = (
        attrs.asdict(context, recurse=False) == before and attrs.asdict(context.prediction) == prediction
    )
    require(unchanged, rule, f"changes its context {about}", "what a rule is shown stays as it is")
    if not isinstance(said, RouteSDKError):
        _check_said(rule, question, said)
    return said


def _answer(rule: object, question: _Question, about: str, promise: str) -> object:
    """Return what the rule says, or the error by which it may turn a model down that it knows nothing of."""
    function = getattr(rule, question.method)
    if question.model == STRANGER:
        # A budget cannot count what a model without a price costs, and says so: UnknownPriceError.
        _, error = attempt(function, *question.arguments)
        if isinstance(error, RouteSDKError):
            return error
    said: object = call(rule, about, promise, function, *question.arguments)
    return said


def _check_said(rule: object, question: _Question, said: object) -> None:
    method, about = question.method, question.about
    wanted = Refusal if method == "refuse" else Proposal
    require(
        said is None or isinstance(said, wanted),
        rule,
        f"returns {type(said).__name__} from {method} {about}",
        f"{method} returns a {wanted.__name__} or None",
    )
    if isinstance(said, Proposal):
        ask = "a Proposal names a model by a non-blank string"
        require(sentence(said.model), rule, f"proposes the model {said.model!r} {about}", ask)
    if isinstance(said, (Proposal, Refusal)):
        ask = "the trace shows a reason, a non-blank string"
        require(sentence(said.reason), rule, f"gives the reason {said.reason!r} {about}", ask)


def _check_known(rule: object, questions: Sequence[_Question], said: Sequence[object]) -> None:
    for question, proposal in zip(questions, said, strict=True):
        context = question.context
        if isinstance(proposal, Proposal) and proposal.model not in context.models:
            require(
                proposal.model in context.catalogue,
                rule,
                f"proposes {proposal.model!r} {question.about}, which nobody knows",
                "a proposed model is a tier's or in the catalogue; for others, pass unknown_models=True",
            )


def _check_way_out(rule: object, questions: Sequence[_Question], said: Sequence[object]) -> None:
    allowed: dict[int, bool] = {}
    for question, refusal in zip(questions, said, strict=True):
        if question.model != STRANGER:
            # By identity: a context has no hash where its catalogue has none.
            key = id(question.context)
            allowed[key] = allowed.get(key, False) or refusal is None
    for question in questions:
        require(
            allowed[id(question.context)],
            rule,
            f"refuses every model on {describe(question.context.query)}",
            "a constraint leaves a model to answer; for one that may stop all, pass refuses_all=True",
        )


def _check_same(rule: object, questions: Sequence[_Question], said: Sequence[object]) -> None:
    # Backwards, so that a rule that counts its calls, or remembers the last one, shows itself.
    for question, first in zip(reversed(questions), reversed(said), strict=True):
        again = _answer(rule, question, f"asked again {question.about}", _SERVES)
        require(
            _same(again, first),
            rule,
            f"says {again!r} {question.about}, and said {first!r} before",
            "the same context gives the same answer, whatever came before it",
        )


def _same(one: object, other: object) -> bool:
    if isinstance(one, RouteSDKError) and type(one) is type(other):
        return str(one) == str(other)
    return one == other


def _check_pickling(rule: object, questions: Sequence[_Question], said: Sequence[object]) -> None:
    if not attrs.has(type(rule)):
        return
    ask = "an attrs rule crosses process borders; keep its class at module level and its fields plain"
    try:
        copy: object = pickle.loads(pickle.dumps(rule))
    except (pickle.PickleError, AttributeError, TypeError) as error:
        raise broken(rule, f"cannot be pickled ({error})", ask) from error
    if type(rule).__eq__ is not object.__eq__:
        require(copy == rule, rule, "is not equal to itself after pickling", ask)
    for question, first in zip(questions[:_PICKLED], said[:_PICKLED], strict=True):
        again = _answer(copy, question, "after pickling", ask)
        require(_same(again, first), rule, f"says {again!r} after pickling, and {first!r} before", ask)
