"""The contract check of rules and constraints."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Sequence

import attrs

from routesdk.protocols import Constraint, Rule
from routesdk.testing.fakes import POLICIES, make_context
from routesdk.testing.samples import describe, odd_queries, script_queries
from routesdk.testing.verdict import broken, call, require, sentence
from routesdk.testing.watch import INPUT_OUTPUT, watching
from routesdk.types import Proposal, Refusal, RouteContext

_SERVES = "a rule answers for every query, and returns None where it has nothing to say"

SLOWEST_S = 5.0
"""Processor time that one call may take on 1 MB: far more than any linear rule needs."""


def check_rule(rule: Rule | Constraint, *, contexts: Iterable[RouteContext] = ()) -> None:
    """Check that a rule or constraint keeps its contract.

    It is called for ten scripts, control characters, lone surrogates, a
    conversation and 1 MB of text, with every policy, with nothing and with a
    lot spent. It must return a proposal, a refusal or None; say the same each
    time; leave alone what it is shown; do no I/O; and survive pickling.

    Args:
        rule: The rule, built as its config asks.
        contexts: Further contexts, such as one that makes it fire.

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
        said = [_ask(rule, method, context) for context in shown]
        _check_same(rule, method, shown, said)
        _check_pickling(rule, method, shown, said)


def _contexts() -> list[RouteContext]:
    queries = [*script_queries(), *odd_queries()]
    contexts = [make_context(query) for query in queries]
    for policy in (*POLICIES, "Another_Query"):
        contexts += [make_context("Any?", policy=policy, spend=spend) for spend in (0, 1_000_000)]
    return contexts


def _ask(rule: Rule | Constraint, method: str, context: RouteContext) -> Proposal | Refusal | None:
    """Ask once, and check what is returned and what is done beside it."""
    about = f"on {describe(context.query)}"
    arguments = (context, context.models[0]) if method == "refuse" else (context,)
    before = attrs.asdict(context, recurse=False)
    prediction = attrs.asdict(context.prediction)
    started = time.thread_time()
    with watching(INPUT_OUTPUT) as seen:
        said = call(rule, about, _SERVES, getattr(rule, method), *arguments)
    spent_s = time.thread_time() - started
    require(not seen, rule, f"does I/O in {method} {about} ({'; '.join(seen[:3])})", "rules do no I/O")
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
    return _checked(rule, method, said, about)


def _checked(rule: object, method: str, said: object, about: str) -> Proposal | Refusal | None:
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
        return said
    return None


def _check_same(rule: object, method: str, shown: list[RouteContext], said: Sequence[object]) -> None:
    # Backwards, so that a rule that counts its calls, or remembers the last one, shows itself.
    for context, first in zip(reversed(shown), reversed(said), strict=True):
        arguments = (context, context.models[0]) if method == "refuse" else (context,)
        about = f"on {describe(context.query)}"
        again = call(rule, f"asked again {about}", _SERVES, getattr(rule, method), *arguments)
        require(
            again == first,
            rule,
            f"says {again!r} {about}, and said {first!r} before",
            "the same context gives the same answer, whatever came before it",
        )


def _check_pickling(rule: object, method: str, shown: list[RouteContext], said: Sequence[object]) -> None:
    if not attrs.has(type(rule)):
        return
    ask = "an attrs rule crosses process borders; keep its class at module level and its fields plain"
    try:
        copy: object = pickle.loads(pickle.dumps(rule))
    except (pickle.PickleError, AttributeError, TypeError) as error:
        raise broken(rule, f"cannot be pickled ({error})", ask) from error
    if type(rule).__eq__ is not object.__eq__:
        require(copy == rule, rule, "is not equal to itself after pickling", ask)
    for context, first in zip(shown[:12], said[:12], strict=True):
        arguments = (context, context.models[0]) if method == "refuse" else (context,)
        again = call(copy, "after pickling", ask, getattr(copy, method), *arguments)
        require(again == first, rule, f"says {again!r} after pickling, and {first!r} before", ask)
