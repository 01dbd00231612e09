"""Money and tokens: exact, with sources."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal, InvalidOperation

import attrs

from routesdk.errors import ConfigError

NANO_USD = Decimal("1e-9")
"""One nano-dollar: the unit in which amounts are stored as integers."""

EXACT = decimal.Context(
    prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[InvalidOperation]
)
"""What money is added and multiplied in: operators on `Decimal` follow the application's own
context, which may round. For sums and products alone: a quotient would fill the memory."""

# Sums and products of amounts within these bounds have few enough digits to be exact.
_LARGEST_EXPONENT = 18
_SMALLEST_EXPONENT = -1000


def usd(value: Decimal | float | int | str, *, key: str = "usd") -> Decimal:
    """Turn a public amount of US dollars into an exact one.

    A float converts by its text: 0.1 becomes `Decimal("0.1")`.

    Args:
        value: US dollars.
        key: What to call the amount in errors.

    Raises:
        ConfigError: The value is no finite amount of zero or more, has 18 digits
            or more before the point, or more than a thousand after it.
    """
    if isinstance(value, bool) or not isinstance(value, (Decimal, float, int, str)):
        raise ConfigError(key, _shown(value), "not an amount of money", "Give a number of US dollars.")
    try:
        amount = (
            value
            if isinstance(value, Decimal)
            else Decimal(str(value) if isinstance(value, float) else value)
        )
    except InvalidOperation:
        raise ConfigError(key, _shown(value), "not a number", "Give a number of US dollars.") from None
    if not amount.is_finite() or amount < 0:
        problem = "not a finite amount of zero or more"
        raise ConfigError(key, _shown(value), problem, "Give US dollars, 0 or more.")
    exponent = amount.as_tuple().exponent
    if amount.adjusted() >= _LARGEST_EXPONENT or (
        isinstance(exponent, int) and exponent < _SMALLEST_EXPONENT
    ):
        problem = "too large or too fine for an amount of money"
        raise ConfigError(
            key, _shown(value), problem, "Give US dollars below 10^18, to 1,000 places at most."
        )
    return amount


# SQLite's integers have 64 bits: nine billion dollars in nano-dollars.
_MOST_COUNTED_USD = Decimal(9_000_000_000)


def to_nano(amount: Decimal | float | int | str) -> int:
    """Turn US dollars into whole nano-dollars.

    What is finer than a nano-dollar is rounded up, so that a count never
    falls short of what was spent.

    Raises:
        ConfigError: The amount is negative, not finite, or above nine billion dollars.
    """
    exact = usd(amount)
    if exact > _MOST_COUNTED_USD:
        problem = "more than can be counted"
        raise ConfigError("usd", str(amount), problem, f"Give at most {_MOST_COUNTED_USD:,} US dollars.")
    return int(EXACT.scaleb(exact, 9).to_integral_value(decimal.ROUND_CEILING, EXACT))


def from_nano(nano: int) -> Decimal:
    """Turn whole nano-dollars into US dollars, exactly."""
    return EXACT.scaleb(Decimal(nano), -9)


def _shown(value: object) -> str:
    # A whole number of thousands of digits has no repr.
    text = f"{value:#x}" if isinstance(value, int) and value.bit_length() > 256 else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _optional_usd(value: Decimal | float | int | str | None) -> Decimal | None:
    return None if value is None else usd(value)


def _check_tokens(where: str, **counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
            problem = "not a number of tokens"
            raise ConfigError(f"{where}.{name}", _shown(count), problem, "Give a whole number of 0 or more.")


def _check_cached(where: str, cached_input_tokens: int, input_tokens: int | None) -> None:
    if input_tokens is not None and cached_input_tokens > input_tokens:
        raise ConfigError(
            f"{where}.cached_input_tokens",
            _shown(cached_input_tokens),
            f"more than the {_shown(input_tokens)} tokens of the whole prompt",
            "Count cached tokens among input_tokens too.",
        )


@attrs.frozen(kw_only=True)
class Usage:
    """What one call used, as the provider counted it.

    Attributes:
        input_tokens: Tokens of the prompt; None where nobody counted them.
        output_tokens: Tokens of the answer, thinking included; None where nobody counted them.
        thinking_tokens: The part of `output_tokens` spent on thinking.
        cached_input_tokens: The part of `input_tokens` billed as cached.
        cost_usd: US dollars, or None where the price is unknown.
        latency_s: Seconds from request to last token.

    Raises:
        ConfigError: A number is negative, or more tokens were cached than there were.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int = 0
    cached_input_tokens: int = 0
    cost_usd: Decimal | None = attrs.field(default=None, converter=_optional_usd)
    latency_s: float | None = None

    def __attrs_post_init__(self) -> None:
        _check_tokens(
            "usage",
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            thinking_tokens=self.thinking_tokens,
            cached_input_tokens=self.cached_input_tokens,
        )
        _check_cached("usage", self.cached_input_tokens, self.input_tokens)
        latency = self.latency_s
        if latency is not None and not (isinstance(latency, (int, float)) and 0 <= latency < math.inf):
            problem = "not a number of seconds"
            raise ConfigError("usage.latency_s", _shown(latency), problem, "Give 0 or more, or None.")


@attrs.frozen(kw_only=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    Attributes:
        input_usd_per_mtok: Per million tokens of prompt.
        output_usd_per_mtok: Per million tokens of answer, thinking included.
        cached_input_usd_per_mtok: Per million cached tokens of prompt, where the vendor publishes it.
        source: Where the figures were read: a page, or a collection of prices and the
            page that it gives them for, such as `litellm 1.109.1, for https://…`; or `user`.
        date: The day they were read there, as YYYY-MM-DD.
    """

    input_usd_per_mtok: Decimal = attrs.field(converter=usd)
    output_usd_per_mtok: Decimal = attrs.field(converter=usd)
    cached_input_usd_per_mtok: Decimal | None = attrs.field(default=None, converter=_optional_usd)
    source: str = "user"
    date: str = ""

    def cost_usd(self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> Decimal:
        """Return the exact cost of a call in US dollars.

        Args:
            input_tokens: Tokens of the prompt, cached ones included.
            output_tokens: Tokens of the answer, thinking included.
            cached_input_tokens: How many of `input_tokens` were cached; they
                cost the full price where no cached price is published.

        Raises:
            ConfigError: A number is negative, or more tokens are cached than there are.
        """
        _check_tokens(
            "cost",
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_input_tokens=cached_input_tokens,
        )
        _check_cached("cost", cached_input_tokens, input_tokens)
        cached_price = self.cached_input_usd_per_mtok
        if cached_price is None:
            cached_price = self.input_usd_per_mtok
        fresh_tokens = input_tokens - cached_input_tokens
        total = EXACT.fma(cached_input_tokens, cached_price, Decimal(0))
        total = EXACT.fma(fresh_tokens, self.input_usd_per_mtok, total)
        total = EXACT.fma(output_tokens, self.output_usd_per_mtok, total)
        return EXACT.scaleb(total, -6)


@attrs.frozen(kw_only=True)
class Spend:
    """What has been spent so far, at one moment.

    Attributes:
        settled_usd: Paid for certain.
        reserved_usd: Promised to calls under way, or unknown; it counts against budgets.
    """

    settled_usd: Decimal = attrs.field(default=Decimal(0), converter=usd)
    reserved_usd: Decimal = attrs.field(default=Decimal(0), converter=usd)

    @property
    def total_usd(self) -> Decimal:
        """Settled and reserved together: what a budget is held against."""
        return EXACT.add(self.settled_usd, self.reserved_usd)


@attrs.frozen
class Reservation:
    """Money set aside for one call.

    Attributes:
        id: Unique within its spend source.
        cost_usd: The amount set aside.
    """

    id: str
    cost_usd: Decimal = attrs.field(converter=usd)
