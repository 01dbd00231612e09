"""What backends of paid providers share: keys, conversations, and errors that say what they may have cost."""

from __future__ import annotations

import datetime
import email.utils
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import attrs

from routesdk.errors import BackendError, ConfigError
from routesdk.types import Request, Usage, usd

# A provider's own words, but not pages of them.
_LONGEST_PROBLEM = 300

# Contexts may go in circles.
_MOST_CAUSES = 20

_SECRET_NAME = re.compile(r"API_?KEY|ACCESS_?KEY|SECRET|PASSWORD|CREDENTIAL|TOKEN$", re.IGNORECASE)
_SHORTEST_SECRET = 8

# Gateways answer so when the work behind them was begun: the time is up, or the reply was broken.
# Source: RFC 9110, sections 15.6.3 and 15.6.5; 52x: Cloudflare's own (developers.cloudflare.com/support).
_BEHIND_A_GATEWAY = frozenset({502, 504, 520, 522, 524})

# Names of classes, since httpx, httpx2 and aiohttp each have their own.
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "ClientConnectorError", "PoolTimeout"})
_NO_ADDRESS = frozenset({"InvalidURL", "LocalProtocolError", "UnsupportedProtocol"})


@attrs.frozen(kw_only=True)
class Conversation:
    """A request as providers take it.

    Attributes:
        system: System instruction: the request's, then those of the conversation; empty for none.
        turns: Role and text, oldest first; the role is `user` or `assistant`. What a tool
            returned is the user's turn, since the call that it belongs to is not kept.
    """

    system: str
    turns: tuple[tuple[str, str], ...]


def conversation(backend: str, request: Request) -> Conversation:
    """Return what to send.

    Args:
        backend: The backend's name, for errors.
        request: What is asked.

    Raises:
        BackendError: The text cannot be sent as UTF-8.
    """
    messages = request.query.messages
    systems = [request.system, *(each.content for each in messages if each.role == "system")]
    turns = [
        ("assistant" if each.role == "assistant" else "user", each.content)
        for each in messages
        if each.role != "system"
    ]
    found = Conversation(
        system="\n\n".join(each for each in systems if each),
        turns=tuple(turns) if messages else (("user", request.query.text),),
    )
    for text in (request.model, found.system, *(content for _, content in found.turns)):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            shown = ascii(text[error.start])
            problem = f"the request holds {shown}, half of a character, and cannot be sent as UTF-8"
            raise BackendError(backend, problem) from None
    return found


def api_key(backend: str, variable: str) -> str:
    """Read a key from the environment, at the time of the call.

    Args:
        backend: The backend's name, for errors.
        variable: The variable's name.

    Raises:
        BackendError: It is not set, or blank; `denied`, since every other call will fail as well.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        problem = f"no key: the environment variable {variable} is not set; set it, or name another one"
        raise BackendError(backend, f"{problem} in api_key_env", denied=True)
    if not (key.isascii() and key.isprintable()):
        problem = (
            f"the environment variable {variable} holds what no key holds: control characters, or letters"
        )
        raise BackendError(backend, f"{problem} beyond ASCII", denied=True)
    return key


def without_keys(text: str, *keys: str) -> str:
    """Blot keys out of a text: those given, and the environment's variables that are named like one."""
    secrets = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)} | set(keys)
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "(key)")
    return text


def blotted(error: BackendError, keys: Iterable[str]) -> BackendError:
    """Return an error without keys in it: a server may quote them in what it says."""
    return attrs.evolve(error, problem=without_keys(error.problem, *keys))


def stated_wait_s(value: str | None, *, now: datetime.datetime | None = None) -> float | None:
    """Read the header Retry-After, or a duration such as `1.5s`.

    Args:
        value: Seconds, a duration, or an HTTP date.
        now: What a date is counted from; None for the present.

    Returns:
        Seconds, 0 or more; None where the value says nothing that can be read.
    """
    text = (value or "").strip()
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(text)
            if date.tzinfo is None:
                date = date.replace(tzinfo=datetime.UTC)
            seconds = (date - (now or datetime.datetime.now(datetime.UTC))).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def refused(
    backend: str, status: int, message: str, *, retry_after_s: float | None = None, gateway: bool = True
) -> BackendError:
    """Return the error for a status of HTTP.

    Args:
        backend: The backend's name.
        status: HTTP's status, 400 or more.
        message: What the provider says, without a key.
        retry_after_s: Seconds after which it wants to be asked again.
        gateway: Whether another server may have done the work behind the one that answers.
    """
    # 402: no money left on the account. 408, 409, 425: the request was not taken up.
    return BackendError(
        backend,
        shortened(f"status {status}: {message}"),
        retryable=status >= 500 or status in {408, 409, 425, 429},
        may_cost=gateway and status in _BEHIND_A_GATEWAY,
        retry_after_s=retry_after_s,
        denied=status in {401, 402, 403},
    )


def broken_off(backend: str, error: BaseException, *, keys: tuple[str, ...] = ()) -> BackendError:
    """Return the error for a call that ended without a reply: not connected, timed out or cut off.

    Only a call that never reached the provider is known to cost nothing.
    """
    said = without_keys(str(error), *keys) or type(error).__name__
    if _came_from(error, _NO_ADDRESS):
        return BackendError(backend, shortened(f"the address or a header cannot be sent: {said}"))
    if never_sent(error):
        return BackendError(backend, shortened(f"no connection: {said}"), retryable=True)
    problem = shortened(f"the connection broke off: {said}")
    return BackendError(backend, problem, retryable=True, may_cost=True)


def timed_out(backend: str, timeout_s: float) -> BackendError:
    """Return the error for a deadline that passed; the provider may be at work still."""
    return BackendError(backend, f"no answer within {timeout_s:g} s", retryable=True, may_cost=True)


def unreadable(
    backend: str, problem: str, *, usage: Usage | None = None, keys: tuple[str, ...] = ()
) -> BackendError:
    """Return the error for a reply that makes no sense; it was paid for all the same."""
    said = shortened(f"the reply cannot be read: {without_keys(problem, *keys)}")
    return BackendError(backend, said, retryable=True, may_cost=True, usage=usage)


# What servers call the parts that hold a model's thoughts.
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning")


def text_of(backend: str, content: object) -> str:
    """Return the text of a reply's content, which may come whole or in parts; empty where there is none.

    Args:
        backend: The backend's name.
        content: What stands in the reply's place for text.

    Raises:
        BackendError: Something in it is neither text nor a thought.
    """
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts = [_part_text(part) for part in parts]
    if any(text is None for text in texts):
        raise unreadable(backend, f"its content is {type(content).__name__}, and not text")
    return "".join(text for text in texts if text is not None)


def named_or(stated: object, asked: str) -> str:
    """Return the model that a reply names; where it names none, the one that was asked."""
    return stated if isinstance(stated, str) and stated else asked


def _part_text(part: object) -> str | None:
    """Return the text of a part: empty for a thought, None for what is neither text nor thought."""
    text, kind = (
        part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)
        for name in ("text", "type")
    )
    if isinstance(text, str):
        return text
    return "" if text is None and kind in _THOUGHTS else None


def withheld(backend: str, reason: str, usage: Usage | None = None) -> BackendError:
    """Return the error for an answer that a safety filter kept back."""
    return BackendError(backend, shortened(f"blocked: {reason}"), blocked=True, usage=usage)


def never_sent(error: BaseException) -> bool:
    """Tell whether an error, or what it came from, is that no connection was, or could be, made."""
    return any(isinstance(each, ConnectionRefusedError) for each in causes(error)) or _came_from(
        error, _NEVER_SENT | _NO_ADDRESS
    )


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what it came from, the latest first."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _came_from(error: BaseException, names: frozenset[str]) -> bool:
    return any(type(each).__name__ in names for each in causes(error))


def shortened(text: str) -> str:
    """Return a provider's words on one line, and cut where they are too many."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_PROBLEM else f"{line[: _LONGEST_PROBLEM - 1]}…"


def counted(
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    thinking_tokens: int | None = None,
    cached_input_tokens: int | None = None,
    cost_usd: float | int | str | None = None,
    latency_s: float | None = None,
) -> Usage:
    """Return usage from counts as they came over the wire.

    Where parts come to more than the whole, the whole is believed; a cost
    that is no amount is left out.
    """
    whole_in, whole_out = _count(input_tokens), _count(output_tokens)
    return Usage(
        input_tokens=whole_in,
        output_tokens=whole_out,
        thinking_tokens=min(_count(thinking_tokens) or 0, whole_out or 0),
        cached_input_tokens=min(_count(cached_input_tokens) or 0, whole_in or 0),
        cost_usd=_stated_usd(cost_usd),
        latency_s=latency_s,
    )


def _stated_usd(value: object) -> Decimal | None:
    """Return a cost that a server states; what is no amount of money counts as not stated."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return usd(value)
    except ConfigError:
        return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
