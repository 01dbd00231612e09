"""routesdk: decides, for each query, whether a cheap model will do or an expensive one is worth its price."""

from __future__ import annotations

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
