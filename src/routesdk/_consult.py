"""Asks policy models, and names the one that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from routesdk.errors import PredictionError, RouteSDKError
from routesdk.host import attempt

T = TypeVar("T")


def consult(name: str, method: Callable[..., T], *arguments: object) -> T:
    """Call a method of a policy model, and name the policy model where it raises.

    Args:
        name: The policy model's name.
        method: Its bound method.
        arguments: What the method takes.

    Raises:
        PredictionError: The method raised; errors of routesdk are left as they are.
    """
    result, error = attempt(method, *arguments)
    if error is None:
        return cast("T", result)
    if isinstance(error, RouteSDKError):
        raise error
    called = getattr(method, "__name__", "it")
    raise PredictionError(name, f"`{called}` raised {type(error).__name__}: {error}") from error
