"""Where a run meets its parts: deadlines are kept, and what comes back is what the contract says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from routesdk.errors import BackendError, ExecutorError, RouteSDKError, RunStoppedError
from routesdk.host import attempt, attempt_async
from routesdk.pipeline.oracle.pace import Pace
from routesdk.protocols import Backend
from routesdk.types import Answer, Grade, Request, Unscored, Usage, Verdict

T = TypeVar("T")

# Backends keep the deadline themselves; this is for those that do not.
_GRACE_S = 5.0
# What SQLite can store.
_MOST_TOKENS = 2**63 - 1


@attrs.frozen(kw_only=True)
class Line:
    """A way to a provider.

    Attributes:
        name: The backend's name.
        provider: Who is asked, as keys name it: the name, and what may change the answer.
        backend: What asks.
        pace: What holds calls back.
        free: Whether calls cost nothing.
    """

    name: str
    provider: str
    backend: Backend
    pace: Pace
    free: bool = False


async def ask_backend(line: Line, request: Request) -> Answer | BackendError:
    """Ask a backend within the request's deadline.

    Raises:
        RunStoppedError: The backend broke its contract: a bug that every row would meet.
    """
    try:
        answer, error = await _in_time(request.timeout_s, line.backend.generate, request)
    except TimeoutError:
        problem = f"no answer within {request.timeout_s:g} s"
        return BackendError(line.name, problem, retryable=True, may_cost=True)
    if isinstance(error, BackendError):
        return error
    problem = _raised(error) if error is not None else _misfit(answer)
    if problem:
        raise broken("backend", line.name, problem) from error
    assert isinstance(answer, Answer)
    return answer


async def ask_itself(
    kind: str, call: Callable[..., Awaitable[T]], *arguments: object, timeout_s: float
) -> T | BackendError:
    """Call a judge or an analyst that makes its own calls, if it makes any.

    Args:
        kind: `judge` or `analyst`.
        call: Its method.
        arguments: What the method takes.
        timeout_s: Deadline, in seconds.

    Raises:
        RunStoppedError: It broke its contract, or its key was refused.
    """
    part = part_name(getattr(call, "__self__", call))
    try:
        result, error = await _in_time(timeout_s, call, *arguments)
    except TimeoutError:
        return BackendError(part, f"no result within {timeout_s:g} s", retryable=True, may_cost=True)
    if isinstance(error, BackendError) and not error.denied:
        return error
    if error is not None:
        raise broken(kind, part, _raised(error)) from error
    return result  # type: ignore[return-value]


async def _in_time(
    timeout_s: float, call: Callable[..., Awaitable[T]], *arguments: object
) -> tuple[T | None, Exception | None]:
    """Await a plugin's call within a deadline.

    Raises:
        TimeoutError: The deadline has passed.
    """
    try:
        async with asyncio.timeout(timeout_s + _GRACE_S):
            return await attempt_async(call, *arguments)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled this task: the plugin let a cancellation of its own get out.
        return None, RuntimeError("a CancelledError of its own got out")


def sound(kind: str, part: object, call: Callable[..., T], *arguments: object) -> T:
    """Call a method of a part that must not raise.

    Raises:
        RunStoppedError: It did: a bug that every row would meet.
        ExecutorError: An executor has no account, or reaches nobody: no bug, and it says what to do.
    """
    result, error = attempt(call, *arguments)
    if isinstance(error, ExecutorError):
        raise error
    if error is not None:
        raise broken(kind, part_name(part), _raised(error)) from error
    return result  # type: ignore[return-value]


def sound_verdict(judge: object, verdict: object) -> Verdict | Unscored:
    """Check what a judge returned.

    Raises:
        RunStoppedError: It is no verdict.
    """
    if isinstance(verdict, Verdict) and isinstance(verdict.grade, Grade) and isinstance(verdict.reason, str):
        return verdict
    if isinstance(verdict, Unscored) and isinstance(verdict.reason, str):
        return verdict
    raise broken("judge", part_name(judge), f"returned {verdict!r:.80}, which is no verdict")


def sound_reason(analyst: object, reason: object) -> str:
    """Check what an analyst returned.

    Raises:
        RunStoppedError: It is no text.
    """
    if not isinstance(reason, str):
        raise broken("analyst", part_name(analyst), f"returned {type(reason).__name__}, not a text")
    return reason


def broken(kind: str, part: str, did: str) -> RunStoppedError:
    """Return what stops a run whose part has broken its contract."""
    return RunStoppedError(f"{kind} {part!r} {did}", f"Repair or replace the {kind}, and run again.")


def part_name(part: object) -> str:
    """Name a part by its class."""
    return type(part).__name__


def _raised(error: Exception) -> str:
    return f"raised {error if isinstance(error, RouteSDKError) else f'{type(error).__name__}: {error}'}"


def _misfit(answer: object) -> str:
    """Say what is wrong with an answer; nothing where it is sound."""
    if not isinstance(answer, Answer):
        return f"returned {type(answer).__name__}, where an Answer or a BackendError was due"
    texts = (answer.text, answer.model, answer.finish_reason)
    if not all(isinstance(text, str) for text in texts) or not isinstance(answer.usage, Usage):
        return "returned an Answer whose text, model, finish reason or usage is of another type"
    usage = answer.usage
    counts = (usage.input_tokens, usage.output_tokens, usage.thinking_tokens, usage.cached_input_tokens)
    if any(count is not None and count > _MOST_TOKENS for count in counts):
        return "counted more tokens than there can be"
    return ""
