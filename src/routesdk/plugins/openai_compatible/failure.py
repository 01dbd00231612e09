"""What goes wrong between OpenAI's client and a server, as errors that say what it may have cost."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import httpx2
import openai

from routesdk.errors import BackendError
from routesdk.provider import (
    blotted,
    broken_off,
    never_sent,
    refused,
    stated_wait_s,
    timed_out,
    unreadable,
    withheld,
    without_keys,
)

NAME = "openai-compatible"

_FILTERS = frozenset({"content_filter", "content_policy_violation"})

# Source: platform.openai.com/docs/guides/error-codes: a 429 that no waiting mends.
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


def failure_of(error: BaseException, timeout_s: float, *keys: str) -> BackendError:
    """Return what an exception of the client means.

    Args:
        error: What was raised.
        timeout_s: The deadline, in seconds.
        keys: What must not be shown.
    """
    if isinstance(error, BackendError):
        return blotted(error, keys)
    if isinstance(error, openai.APIStatusError):
        body = error.body if isinstance(error.body, Mapping) else {}
        wait_s = _wait_s(error.response.headers)
        return _status_failure(error.status_code, body, error.message, wait_s, keys)
    timeouts = (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException)
    if isinstance(error, timeouts) and not never_sent(error):
        return timed_out(NAME, timeout_s)
    connection = (openai.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL, OSError, ExceptionGroup)
    if isinstance(error, connection):
        return broken_off(NAME, error.__cause__ or error, keys=keys)
    if isinstance(error, openai.APIError) and isinstance(error.body, Mapping):
        # A stream that says, after it began, that it cannot go on.
        return stated_failure({"error": error.body}, keys=keys)
    return unreadable(NAME, f"{type(error).__name__}: {error}", keys=keys)


def stated_failure(reply: Mapping[str, object], *, keys: tuple[str, ...] = ()) -> BackendError:
    """Return the error that a reply of the status 200 states in place of an answer.

    The model may have been at work by then. Source: openrouter.ai/docs/errors.
    """
    body = reply.get("error")
    inner = body if isinstance(body, Mapping) else {"message": str(body)}
    code = inner.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    failure = _status_failure(status, inner, str(inner.get("message", "")), None, keys)
    return attrs.evolve(failure, may_cost=True)


def _status_failure(
    status: int, body: Mapping[str, object], message: str, wait_s: float | None, keys: tuple[str, ...]
) -> BackendError:
    code = str(body.get("code"))
    metadata = body.get("metadata")
    flagged = isinstance(metadata, Mapping) and "flagged_input" in metadata
    said = without_keys(str(body.get("message") or message), *keys)
    if code in _FILTERS or flagged:
        # OpenRouter's 403 is no matter of the key where it quotes what was flagged.
        return withheld(NAME, said)
    failure = refused(NAME, status, said, retry_after_s=wait_s)
    if code in _NO_MONEY:
        return BackendError(NAME, failure.problem, denied=True)
    return failure


def _wait_s(headers: httpx2.Headers) -> float | None:
    milliseconds = stated_wait_s(headers.get("retry-after-ms"))
    return stated_wait_s(headers.get("retry-after")) if milliseconds is None else milliseconds / 1000
