"""What a plugin host knows of plugins: kinds of parts, who offers what, whether a part is of its kind."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import FunctionType

import attrs

from routesdk.protocols import (
    Analyst,
    Backend,
    Benchmark,
    Component,
    Constraint,
    Executor,
    Judge,
    Matrix,
    PolicyModel,
    Rule,
    SpendSource,
    Trainer,
)

KINDS: Mapping[str, str] = {
    "benchmark": "routesdk_benchmarks",
    "backend": "routesdk_backends",
    "judge": "routesdk_judges",
    "matrix": "routesdk_matrices",
    "analyst": "routesdk_analysts",
    "policy model": "routesdk_policy_models",
    "trainer": "routesdk_trainers",
    "rule": "routesdk_rules",
    "spend source": "routesdk_spend",
    "executor": "routesdk_executors",
    "observer": "routesdk_observers",
}
"""Kind of part → the hook that offers it."""


def _members(protocol: type) -> tuple[str, ...]:
    return tuple(name for name in vars(protocol) if not name.startswith("_"))


# Kind of part → what it must have: all names of one of the groups.
_MEMBERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "benchmark": (_members(Benchmark),),
    "backend": (_members(Backend),),
    "judge": (_members(Judge),),
    "matrix": (_members(Matrix),),
    "analyst": (_members(Analyst),),
    "policy model": (_members(PolicyModel),),
    "trainer": (_members(Trainer),),
    "rule": (_members(Rule), _members(Constraint)),
    "spend source": (_members(SpendSource),),
    "executor": (_members(Executor),),
    "observer": (("routesdk_routed",), ("routesdk_answered",)),
}


@attrs.frozen(kw_only=True)
class Offered:
    """A component with the plugin that it comes from.

    Attributes:
        kind: One of `KINDS`.
        component: The component.
        plugin: Name of its plugin.
        distribution: Name of the distribution that the plugin came with.
        version: That distribution's version; empty where it has none.
    """

    kind: str
    component: Component[object]
    plugin: str
    distribution: str
    version: str = ""


@attrs.frozen(kw_only=True)
class PluginReport:
    """One plugin as `routesdk plugins list` shows it.

    Attributes:
        name: The plugin's name.
        distribution: The distribution that it came with.
        version: That distribution's version; empty where it has none.
        components: What it offers.
        errors: What went wrong with it, one sentence each.
        blocked: Whether it was left out by name.
    """

    name: str
    distribution: str
    version: str
    components: tuple[Offered, ...] = ()
    errors: tuple[str, ...] = ()
    blocked: bool = False


def plain_name(name: str) -> str:
    """Return a plugin's or distribution's name as all of its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def misfit(kind: str, part: object) -> str:
    """Say what a part lacks that its kind must have; return nothing where it lacks nothing.

    Python would find out as late as at the first call; and a rule of neither
    method would never be called at all.
    """
    if isinstance(part, type):
        return f"it built the class {part.__name__}, not an object of it"
    lacking = [[name for name in group if not _has(part, name)] for group in _MEMBERS[kind]]
    if not all(lacking):
        return ""
    wanted = " or ".join(", ".join(f"`{name}`" for name in names) for names in lacking)
    return f"it built {type(part).__name__}, which lacks {wanted}"


def _has(part: object, name: str) -> bool:
    # Looked up in the class first: a property may compute, and a proxy answers only when it is asked.
    missing = object()
    found = inspect.getattr_static(part, name, missing)
    if found is missing:
        found = getattr(part, name, None)
    return found is not None


def accepted(function: Callable[..., object], given: Mapping[str, object]) -> Mapping[str, object]:
    """Return those of the given arguments that a function of an observer takes by keyword.

    Hooks only gain arguments: an observer written before one was added goes on working.
    """
    plain = getattr(function, "__func__", function)
    # Kept for plain functions alone: anything else that can be called may have no hash, or hold much.
    names = _keywords(plain) if isinstance(plain, FunctionType) else _read_keywords(function)
    return given if names is None else {name: given[name] for name in given if name in names}


def names_argument(function: Callable[..., object], name: str) -> bool:
    """Tell whether a function has a parameter of this very name that can be passed by keyword."""
    names = _read_keywords(function)
    return names is not None and name in names


def _read_keywords(function: Callable[..., object]) -> frozenset[str] | None:
    """Return the names that a function takes by keyword; None where it takes any, or does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return frozenset(
        each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    )


_keywords = lru_cache(maxsize=256)(_read_keywords)
