"""What goes wrong between google-genai and Gemini, as errors that say what it may have cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import httpx2
import pydantic
from google.genai import errors

from routesdk.errors import BackendError
from routesdk.provider import (
    broken_off,
    never_sent,
    refused,
    stated_wait_s,
    timed_out,
    unreadable,
    without_keys,
)

NAME = "gemini"

# The client reads replies without checking their form first: another form ends in one of these.
_UNREADABLE = (
    errors.UnknownApiResponseError,
    json.JSONDecodeError,
    pydantic.ValidationError,
    UnicodeError,
    AttributeError,
    TypeError,
    LookupError,
)
CAUGHT = (
    TimeoutError,
    errors.APIError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    OSError,
    ValueError,
    *_UNREADABLE,
)
"""What the client raises, for whatever reason there is no answer."""


def failure_of(error: BaseException, timeout_s: float, key: str) -> BackendError:
    """Return what an exception of the client means.

    Args:
        error: What was raised.
        timeout_s: The deadline, in seconds.
        key: What must not be shown.
    """
    if isinstance(error, errors.APIError):
        return _refusal(error, key)
    if isinstance(error, (TimeoutError, httpx2.TimeoutException)) and not never_sent(error):
        return timed_out(NAME, timeout_s)
    if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | OSError):
        return broken_off(NAME, error, keys=(key,))
    if isinstance(error, _UNREADABLE):
        return unreadable(NAME, f"{type(error).__name__}: {error}", keys=(key,))
    # An error of values before anything was sent: a model's name, or an address, that cannot be one.
    return BackendError(NAME, without_keys(f"{error}", key))


def _refusal(error: errors.APIError, key: str) -> BackendError:
    """Return the error for an error body; a stream may hold one after the status 200."""
    headers = getattr(error.response, "headers", None) or {}
    details = _details(error.details)
    waits = [each.get("retryDelay") for each in details if "retryDelay" in each]
    wait_s = stated_wait_s(headers.get("retry-after"))
    if wait_s is None and waits:
        wait_s = stated_wait_s(str(waits[0]))
    status = error.code if isinstance(error.code, int) else 500
    message = without_keys(f"{error.status or ''} {error.message or ''}".strip(), key)
    # Google bills no call that failed, also where its own servers stand behind a gateway.
    # Source: ai.google.dev/gemini-api/docs/billing, "Am I charged for failed requests?"
    failure = refused(NAME, status, message, retry_after_s=wait_s, gateway=False)
    if any(each.get("reason") == "API_KEY_INVALID" for each in details):
        # It comes as a 400.
        failure = BackendError(NAME, failure.problem, denied=True)
    return failure


def _details(body: object) -> list[Mapping[str, object]]:
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    found = inner.get("details") if isinstance(inner, Mapping) else None
    return [cast("Mapping[str, object]", each) for each in found or [] if isinstance(each, Mapping)]
