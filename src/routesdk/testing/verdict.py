"""How contract checks speak: one sentence that names the part, the fault and the promise."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

from routesdk.host import attempt

T = TypeVar("T")


def name_of(part: object) -> str:
    """Return the name that a failure calls the part by."""
    return part.__name__ if isinstance(part, type) else type(part).__name__


def sentence(value: object) -> bool:
    """Tell whether a value is a non-blank string."""
    return isinstance(value, str) and bool(value.strip())


def require(kept: bool, part: object, fault: str, promise: str) -> None:
    """Fail unless a promise is kept.

    Args:
        kept: Whether it is.
        part: The part under test.
        fault: What it does instead, as the sentence's verb.
        promise: What the contract asks.

    Raises:
        AssertionError: The promise is broken.
    """
    # Not an assert statement: `python -O` drops those, and a check that checks nothing is a lie.
    if not kept:
        raise AssertionError(f"{name_of(part)} {fault}. The contract: {promise}.")


def call(part: object, about: str, promise: str, function: Callable[..., T], *arguments: object) -> T:
    """Call a function of a part that must not raise, and return what it returns.

    Args:
        part: The part under test.
        about: What was called, on what.
        promise: What the contract asks.
        function: The function.
        arguments: Its arguments.

    Raises:
        AssertionError: It raised; the text names the error, which is the cause.
    """
    result, error = attempt(function, *arguments)
    if error is not None:
        text = f"{name_of(part)} raises {type(error).__name__} ({_short(error)}) {about}"
        raise AssertionError(f"{text}. The contract: {promise}.") from error
    return result  # type: ignore[return-value]


def must_raise(
    part: object, about: str, errors: type[Exception], function: Callable[..., object], *arguments: object
) -> Exception:
    """Call a function of a part that must raise, and return the error.

    Raises:
        AssertionError: It raised nothing, or something else.
    """
    _, error = attempt(function, *arguments)
    did = f"raises {type(error).__name__} ({_short(error)})" if error else "raises nothing"
    require(
        isinstance(error, errors),
        part,
        f"{did} {about}",
        f"{errors.__name__} is raised, and says what to do",
    )
    assert error is not None
    require(sentence(str(error)), part, f"raises {errors.__name__} without a text {about}", "errors explain")
    return error


def parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of a function's parameters, with the stars of those that take any number."""
    stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    return tuple(f"{stars.get(each.kind, '')}{each.name}" for each in found)


def awaited(awaitable: Awaitable[T]) -> T:
    """Wait for the result, in a loop of its own.

    Raises:
        AssertionError: A loop is running already: checks are called from plain functions.
    """

    async def wait() -> T:
        return await awaitable

    return asyncio.run(wait())


def _short(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 200 else f"{text[:199]}…"
