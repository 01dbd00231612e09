"""Faults of providers, each with the body that its provider gives it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from provider_wire import GEMINI, Asked, Table, gemini_error, openai_error

FAULTS = ("429", "500", "503", "hang", "cut", "broken", "401", "403", "400", "blocked", "withheld", "empty")
"""What can go wrong.

`429`, `500`, `503`, `401`, `403`, `400`: the status, with the provider's own body; nothing is billed. Gemini
reports a wrong key as a 400 of the reason API_KEY_INVALID, and so does `401` there; the body quotes the key.
`hang`: the answer is made and billed, and never sent. `cut`: the socket closes half-way through the body.
`broken`: the body is half of its JSON. `blocked`: Gemini's promptFeedback.blockReason, without a candidate;
OpenAI's finish reason content_filter. `withheld`: Gemini's finish reason SAFETY; OpenAI's error of that name,
which is not billed. `empty`: an answer without text.
"""

TROUBLES = ("429", "500", "503", "hang", "cut", "broken")
"""The faults that pass: the same call may succeed later."""

STATUS = {"429": 429, "500": 500, "503": 503, "401": 401, "403": 403, "400": 400}
"""The faults that are errors of HTTP, with their status."""

_GOOGLE = "type.googleapis.com/google.rpc"

Faults = Callable[[Asked], "str | None"]
"""From what is asked to one of `FAULTS`, or None for a sound answer."""


def fault_rate(rate: float, *, seed: int, among: Sequence[str] = TROUBLES) -> Faults:
    """Plan faults for a share of calls: the same for the same text and attempt, in whatever order."""

    def plan(asked: Asked) -> str | None:
        key = f"{seed}\0{asked.dialect}\0{asked.model}\0{asked.system}\0{asked.turns}\0{asked.attempt}"
        draw = random.Random(key)
        return draw.choice(list(among)) if draw.random() < rate else None

    return plan


def fault_body(asked: Asked, fault: str, key: str, retry_info_s: float | None) -> tuple[int, Table]:
    """Return the status and the body of an error, as the provider words it."""
    if asked.dialect == GEMINI:
        status = 400 if fault == "401" else STATUS[fault]
        return status, _gemini(fault, key, retry_info_s)
    if fault == "withheld":
        message = "The response was filtered due to the prompt triggering the content policy."
        return 400, openai_error(message, "invalid_request_error", "content_filter")
    return STATUS[fault], _openai(fault, key)


def _gemini(fault: str, key: str, retry_info_s: float | None) -> Table:
    details: list[Table] = []
    if fault == "401":
        details = [{"@type": f"{_GOOGLE}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    if fault == "429" and retry_info_s is not None:
        details = [{"@type": f"{_GOOGLE}.RetryInfo", "retryDelay": f"{retry_info_s:g}s"}]
    status, state, message = {
        "429": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."),
        "500": (500, "INTERNAL", "An internal error has occurred."),
        "503": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        "401": (400, "INVALID_ARGUMENT", f"API key not valid: {key}. Please pass a valid API key."),
        "403": (403, "PERMISSION_DENIED", f"The key {key} lacks permission for this model."),
        "400": (400, "INVALID_ARGUMENT", "The request contains an invalid argument."),
    }[fault]
    return gemini_error(status, message, state, *details)


def _openai(fault: str, key: str) -> Table:
    message, kind, code = {
        "429": ("Rate limit reached for requests.", "requests", "rate_limit_exceeded"),
        "500": ("The server had an error while processing your request.", "server_error", None),
        "503": ("The engine is currently overloaded, please try again later.", "server_error", None),
        "401": (f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key"),
        "403": (f"The key {key} may not use this model.", "invalid_request_error", "model_not_allowed"),
        "400": ("Invalid value: this parameter is not supported.", "invalid_request_error", None),
    }[fault]
    return openai_error(message, kind, code)
