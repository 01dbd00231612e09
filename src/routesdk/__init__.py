"""routesdk: decides, for each query, whether a cheap model will do or an expensive one is worth its price."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routesdk.hookspecs import hookimpl, hookspec
    from routesdk.host import PluginHost
    from routesdk.hybrid import get_hybrid_mapper
    from routesdk.protocols import Component
    from routesdk.router import Router
    from routesdk.types import Decision, OperatingPoint, Proposal, Query, Refusal, RouteContext

__version__ = "0.1.0.dev0"

__all__ = [
    "Component",
    "Decision",
    "OperatingPoint",
    "PluginHost",
    "Proposal",
    "Query",
    "Refusal",
    "RouteContext",
    "Router",
    "__version__",
    "get_hybrid_mapper",
    "hookimpl",
    "hookspec",
]

# Loaded on first use, so that whoever imports routesdk for one name does not wait for all.
_HOMES = {
    "Component": "routesdk.protocols",
    "Decision": "routesdk.types",
    "OperatingPoint": "routesdk.types",
    "PluginHost": "routesdk.host",
    "Proposal": "routesdk.types",
    "Query": "routesdk.types",
    "Refusal": "routesdk.types",
    "RouteContext": "routesdk.types",
    "Router": "routesdk.router",
    "get_hybrid_mapper": "routesdk.hybrid",
    "hookimpl": "routesdk.hookspecs",
    "hookspec": "routesdk.hookspecs",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'routesdk' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
