"""What a plugin host knows of plugins: kinds of parts, who offers what, what is wrong with whom."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import FunctionType

import attrs

from routesdk.protocols import Component

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


def accepted(function: Callable[..., object], given: Mapping[str, object]) -> Mapping[str, object]:
    """Return those of the given arguments that a function of an observer takes by keyword.

    Hooks only gain arguments: an observer written before one was added goes on working.
    """
    plain = getattr(function, "__func__", function)
    # Kept for plain functions alone: anything else that can be called may have no hash, or hold much.
    names = _keywords(plain) if isinstance(plain, FunctionType) else _read_keywords(function)
    return given if names is None else {name: given[name] for name in given if name in names}


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
