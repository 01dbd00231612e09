"""How contract checks speak: one sentence that names the part, the fault and the promise."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
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
        raise broken(part, fault, promise)


def broken(part: object, fault: str, promise: str) -> AssertionError:
    """Return the failure of a promise that is broken."""
    text = f"{name_of(part)} {fault}. The contract: {promise}."
    # Parts are shown lone surrogates, and repeat them; a terminal could not print those.
    return AssertionError(text.encode("utf-8", "backslashreplace").decode("utf-8"))


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
        raise broken(part, f"raises {type(error).__name__} ({_short(error)}) {about}", promise) from error
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
    assert error is not None  # For the type checker.
    require(sentence(str(error)), part, f"raises {errors.__name__} without a text {about}", "errors explain")
    return error


def parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of a function's parameters, with the stars of those that take any number."""
    stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    return tuple(f"{stars.get(each.kind, '')}{each.name}" for each in found)


def await_result(
    part: object, about: str, promise: str, function: Callable[..., object], *arguments: object
) -> object:
    """Call a coroutine function of a part that must not raise, and return what it comes to.

    It runs in a loop of its own: checks are called from plain functions.

    Raises:
        AssertionError: It raised, or returned something that cannot be awaited.
    """
    _, outside = attempt(asyncio.get_running_loop)
    require(
        outside is not None, part, "is checked inside a running loop", "call checks from a plain function"
    )
    awaitable = call(part, about, promise, function, *arguments)
    require(inspect.isawaitable(awaitable), part, f"returns {type(awaitable).__name__} {about}", promise)

    async def wait() -> object:
        return await awaitable  # type: ignore[misc]

    return call(part, about, promise, asyncio.run, wait())


def _short(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 200 else f"{text[:199]}…"
