"""What a plugin host knows of plugins: kinds of parts, who offers what, what is wrong with whom."""

from __future__ import annotations

from collections.abc import Mapping

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
