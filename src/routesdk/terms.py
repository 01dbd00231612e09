"""The terms on which a question is answered: limits, money, and where to turn when a model fails."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import TypedDict, cast

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, lt, optional

from routesdk._checked import checked, named
from routesdk.errors import BackendError
from routesdk.types import OperatingPoint, usd

DEFAULT_MAX_OUTPUT_TOKENS = 4096
"""The cap on an answer where the caller sets none: what a call may cost at the most must be known
before it is made. No more than what nearly every chat model may write."""


def _names(models: Iterable[str] | str) -> tuple[str, ...]:
    if isinstance(models, str):
        return (models,)
    # What is no list passes through, for the check to name it.
    return tuple(models) if isinstance(models, Iterable) else cast("tuple[str, ...]", models)


@attrs.frozen(field_transformer=checked)
class Fallback:
    """The models to ask in turn where the chosen one gives no answer.

    Attributes:
        models: In the order in which they are asked.
        on: `retryable`: where the failure may pass, such as an overload or a
            timeout. `any`: also where the provider refuses, or a filter withholds the answer.

    Raises:
        ConfigError: A model has no name, or `on` is neither of the two.
    """

    models: tuple[str, ...] = attrs.field(default=(), converter=_names, validator=deep_iterable(named))
    on: str = attrs.field(default="retryable", validator=in_(("retryable", "any")))

    def covers(self, error: BackendError) -> bool:
        """Tell whether the caller wants to turn elsewhere after this error."""
        return self.on == "any" or error.retryable


class AnswerOptions(TypedDict, total=False):
    """What may be said beside a question; see `Terms` for the meaning of each."""

    large_share: float | None
    operating_point: OperatingPoint | None
    fallback: Fallback | Iterable[str] | None
    system: str
    max_output_tokens: int | None
    thinking_tokens: int | None
    temperature: float | None
    timeout_s: float
    max_usd: Decimal | float | int | str | None


def _fallback(value: Fallback | Iterable[str] | None) -> Fallback | None:
    return value if value is None or isinstance(value, Fallback) else Fallback(_names(value))


def _cap(value: int | None) -> int:
    return DEFAULT_MAX_OUTPUT_TOKENS if value is None else value


def _max_usd(value: Decimal | float | int | str | None) -> Decimal | None:
    return None if value is None else usd(value, key="max_usd")


@attrs.frozen(kw_only=True, field_transformer=checked)
class Terms:
    """The terms of one answer.

    Attributes:
        large_share: Share of calls meant to go up, for this call alone.
        operating_point: Thresholds for this call alone.
        fallback: Models to ask in turn where the chosen one fails, or a `Fallback`;
            None takes the router's, which asks nobody unless its config says so.
        system: System instruction; empty for none.
        max_output_tokens: Cap on the answer, thinking included; it is always sent. None for 4096.
        thinking_tokens: Cap on thinking within it; None leaves it to the provider.
        temperature: Sampling temperature; None leaves it to the provider.
        timeout_s: Deadline of each call, in seconds.
        max_usd: What the router's spend source may come to with this call, in US dollars;
            a budget of the router's rules bounds it too, and the smaller one holds.

    Raises:
        ConfigError: A value is of the wrong type, or out of range.
    """

    large_share: float | None = None
    operating_point: OperatingPoint | None = None
    fallback: Fallback | None = attrs.field(default=None, converter=_fallback)
    system: str = ""
    max_output_tokens: int = attrs.field(default=DEFAULT_MAX_OUTPUT_TOKENS, converter=_cap, validator=ge(1))
    thinking_tokens: int | None = attrs.field(default=None, validator=optional(ge(0)))
    temperature: float | None = attrs.field(default=None, validator=optional([ge(0.0), lt(math.inf)]))
    timeout_s: float = attrs.field(default=120.0, validator=[gt(0.0), lt(math.inf)])
    max_usd: Decimal | None = attrs.field(default=None, converter=_max_usd)
