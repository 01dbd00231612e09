"""Every hook that a plugin may implement, on one page.

A plugin is a module or object with some of these functions, marked with
`hookimpl`, and registered under the entry-point group `routesdk`. Offering
hooks are called once per `PluginHost`; the order of calls carries no meaning.
Each returns components; asking for a name that is offered twice raises
`ComponentConflictError`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from routesdk.protocols import (
    Analyst,
    Backend,
    Benchmark,
    Component,
    Constraint,
    Executor,
    Judge,
    Matrix,
    Observer,
    PolicyModel,
    Rule,
    SpendSource,
    Trainer,
)
from routesdk.types import Answer, Decision, Query

PROJECT = "routesdk"
"""Name of the hook project, and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# Evidence: questions, answers, grades, labels, reasons.


@hookspec
def routesdk_benchmarks() -> Iterable[Component[Benchmark]]:
    """Offer sources of questions.

    Returns:
        Components whose factory builds a `Benchmark`.
    """
    return ()


@hookspec
def routesdk_backends() -> Iterable[Component[Backend]]:
    """Offer ways to answer: providers, local models, recorded answers.

    A backend's package is imported by its factory, never when the plugin is.

    Returns:
        Components whose factory builds a `Backend`; `install` names the extra.
    """
    return ()


@hookspec
def routesdk_judges() -> Iterable[Component[Judge]]:
    """Offer judges that grade one answer, blind to who gave it.

    Returns:
        Components whose factory builds a `Judge`.
    """
    return ()


@hookspec
def routesdk_matrices() -> Iterable[Component[Matrix]]:
    """Offer functions from the tiers' grades to a policy.

    Returns:
        Components whose factory builds a `Matrix`, total over all cells.
    """
    return ()


@hookspec
def routesdk_analysts() -> Iterable[Component[Analyst]]:
    """Offer writers of reasons from the query alone.

    Returns:
        Components whose factory builds an `Analyst`.
    """
    return ()


# The router: what predicts, and what maps.


@hookspec
def routesdk_policy_models() -> Iterable[Component[PolicyModel]]:
    """Offer models that predict policies or grades from the query alone.

    A checkpoint names its policy model, and is loaded by an untrained one:
    `host.policy_model(name, **options).load(folder)`.

    Returns:
        Components whose factory builds a `PolicyModel`.
    """
    return ()


@hookspec
def routesdk_trainers() -> Iterable[Component[Trainer]]:
    """Offer trainers that turn rows into a policy model.

    Returns:
        Components whose factory builds a `Trainer`.
    """
    return ()


@hookspec
def routesdk_rules() -> Iterable[Component[Rule | Constraint]]:
    """Offer rules that may replace a policy's default model, or forbid models.

    Config lists rule names, and the first rule to propose a model wins;
    then constraints may move the decision to an allowed model.

    Returns:
        Components whose factory builds a `Rule`, a `Constraint`, or both in one.
    """
    return ()


@hookspec
def routesdk_spend() -> Iterable[Component[SpendSource]]:
    """Offer spend sources: where the money that was spent is counted.

    Returns:
        Components whose factory builds a `SpendSource`.
    """
    return ()


# Running: where stages run, and who watches.


@hookspec
def routesdk_executors() -> Iterable[Component[Executor]]:
    """Offer executors that run a stage over shards of a file.

    Returns:
        Components whose factory builds an `Executor`.
    """
    return ()


@hookspec
def routesdk_observers() -> Iterable[Component[Observer]]:
    """Offer observers that need a config, such as a file to write to.

    The object that the factory builds implements `routesdk_routed`,
    `routesdk_answered` or both. An observer without a config needs no
    component: its plugin implements those two hooks itself.

    Returns:
        Components whose factory builds an `Observer`.
    """
    return ()


@hookspec
def routesdk_routed(decision: Decision, query: Query) -> None:
    """Take note of a decision. What is raised here is logged, and fails nothing.

    An implementation names the arguments that it wants, and gets no others.

    Args:
        decision: What was decided.
        query: What was asked; a decision itself holds no more than the query's id.
    """


@hookspec
def routesdk_answered(decision: Decision, query: Query, answer: Answer) -> None:
    """Take note of an answer to a routed query. What is raised here is logged, and fails nothing.

    An implementation names the arguments that it wants, and gets no others.
    A call that was cancelled, or failed, and may have cost something comes
    here too: its `finish_reason` is one of `routesdk.types.BROKEN_OFF`.

    Args:
        decision: What was decided; after a fallback, its model is the one that answered.
        query: What was asked.
        answer: What the model answered, with what was settled as its cost.
    """
