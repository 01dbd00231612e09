"""What goes wrong between litellm and a provider, as errors that say what it may have cost."""

from __future__ import annotations

import re

import attrs
import httpx
import openai

from routesdk.errors import BackendError
from routesdk.plugins.lite_llm.client import litellm
from routesdk.provider import (
    blotted,
    broken_off,
    causes,
    never_sent,
    refused,
    stated_wait_s,
    timed_out,
    unreadable,
    withheld,
    without_keys,
)

NAME = "litellm"

_RETRY_INFO = re.compile(r'retryDelay\\?"\s*:\s*\\?"([\d.]+s)')


def failure_of(error: BaseException, timeout_s: float, *keys: str) -> BackendError:
    """Return what an exception of litellm means.

    It gives errors other names and other statuses than the provider did: a
    broken reply is a bad request to it, and 503 is 500. What happened is to be
    read from the exceptions that it came from.

    Args:
        error: What was raised.
        timeout_s: The deadline, in seconds.
        keys: What must not be shown.
    """
    if isinstance(error, BackendError):
        return blotted(error, keys)
    chain = list(causes(error))
    said = without_keys(str(error), *keys)
    filtered = any(getattr(each, "code", None) == "content_filter" for each in chain)
    if filtered or isinstance(error, litellm.exceptions.ContentPolicyViolationError):
        return withheld(NAME, said)
    for each in chain:
        response = getattr(each, "response", None)
        if isinstance(each, httpx.HTTPStatusError) and isinstance(response, httpx.Response):
            return _refusal(response.status_code, said, response.headers)
    if never_sent(error):
        return broken_off(NAME, error, keys=keys)
    timeouts = (TimeoutError, openai.APITimeoutError, httpx.TimeoutException)
    if any(isinstance(each, timeouts) for each in chain):
        return timed_out(NAME, timeout_s)
    if any(isinstance(each, (httpx.HTTPError, openai.APIConnectionError, OSError)) for each in chain[1:]):
        return broken_off(NAME, error, keys=keys)
    status = getattr(error, "status_code", None)
    # Raised by litellm itself, or by a provider's code that keeps no response: below 500, nothing was done.
    refusal = isinstance(status, int) and 400 <= status < 500
    if refusal and not any(isinstance(each, ValueError) for each in chain[1:]):
        return _refusal(status or 400, said, httpx.Headers())
    return unreadable(NAME, f"{type(error).__name__}: {error}", keys=keys)


def _refusal(status: int, said: str, headers: httpx.Headers) -> BackendError:
    wait_s = stated_wait_s(headers.get("retry-after"))
    stated = _RETRY_INFO.search(said)
    if wait_s is None and stated is not None:
        wait_s = stated_wait_s(stated[1])
    failure = refused(NAME, status, said, retry_after_s=wait_s)
    # Gemini reports a wrong key as a 400, and OpenAI an empty account as a 429.
    if "API_KEY_INVALID" in said or "insufficient_quota" in said:
        return attrs.evolve(failure, retryable=False, denied=True)
    return failure
