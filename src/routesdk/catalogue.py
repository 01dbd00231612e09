"""The catalogue: which models there are, what they cost, and how much they can read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, TypedDict, cast

import attrs

from routesdk.errors import BudgetError, PriceStepError, UnknownModelError, UnknownPriceError
from routesdk.types.frozen import FrozenMapping, frozen
from routesdk.types.money import Price

if TYPE_CHECKING:
    from decimal import Decimal
    from typing import NotRequired

    from routesdk.types.money import Usage


@attrs.frozen(kw_only=True)
class ModelInfo:
    """One model of the catalogue.

    Attributes:
        name: The model's name, as its provider spells it.
        provider: Who answers, and whose price this is; empty where that is not known.
        price: None where no price was found.
        context_tokens: Tokens that a prompt may have; None where that is not known.
        aliases: Other names of the same model at the same price, such as dated ones.
        note: What the price does not say, such as a higher one for long prompts.
        price_up_to_tokens: Tokens of the longest prompt that the price holds for; a longer one
            costs more, nobody knows here how much. None where it holds for all.
    """

    name: str
    provider: str = ""
    price: Price | None = None
    context_tokens: int | None = None
    aliases: tuple[str, ...] = ()
    note: str = ""
    price_up_to_tokens: int | None = None

    def is_priced(self, input_tokens: int = 0) -> bool:
        """Tell whether the price of a prompt of this length is known."""
        most = self.price_up_to_tokens
        return self.price is not None and (most is None or input_tokens <= most)


def _read_only(models: Mapping[str, ModelInfo]) -> Mapping[str, ModelInfo]:
    return frozen(models)


@attrs.frozen(kw_only=True)
class Catalogue(Mapping[str, ModelInfo]):
    """A read-only mapping of model names to what is known about them.

    Look-ups take aliases too; iteration gives each model once, by its name.

    Attributes:
        version: The day that the bundled figures were collected, as YYYY-MM-DD.
        models: The models by name.
    """

    version: str
    models: Mapping[str, ModelInfo] = attrs.field(
        converter=_read_only, repr=lambda models: f"<{len(models)}>"
    )
    _names: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        aliases = {alias: info.name for info in self.models.values() for alias in info.aliases}
        object.__setattr__(self, "_names", FrozenMapping({**aliases, **{name: name for name in self.models}}))

    @classmethod
    def default(cls) -> Catalogue:
        """Return the catalogue that comes with routesdk; it is read on the first call."""
        return _bundled()

    def __getitem__(self, model: str) -> ModelInfo:
        return self.models[self._names[model]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def info(self, model: str) -> ModelInfo:
        """Look a model up.

        Args:
            model: A name or an alias.

        Raises:
            UnknownModelError: The catalogue does not have it.
        """
        if model not in self:
            raise UnknownModelError(model, tuple(self))
        return self[model]

    def price(self, model: str) -> Price:
        """Look up what a model costs.

        Args:
            model: A name or an alias.

        Returns:
            Its price, in US dollars per million tokens.

        Raises:
            UnknownPriceError: The catalogue does not have the model, or no price for it.
        """
        info = self.get(model)
        if info is None or info.price is None:
            priced = tuple(name for name, known in self.items() if known.price is not None)
            raise UnknownPriceError(model, priced)
        return info.price

    def is_priced(self, model: str, input_tokens: int = 0) -> bool:
        """Tell whether it is known what a prompt of this length costs with a model."""
        info = self.get(model)
        return info is not None and info.is_priced(input_tokens)

    def check_price(self, model: str, input_tokens: int) -> None:
        """Check that it is known what a prompt of this length costs.

        Args:
            model: A name or an alias.
            input_tokens: Tokens of the prompt.

        Raises:
            UnknownPriceError: As for `price`.
            PriceStepError: The price is known for shorter prompts alone.
        """
        self.price(model)
        most = self[model].price_up_to_tokens
        if most is not None and input_tokens > most:
            raise PriceStepError(model, input_tokens, most)

    def cost_usd(self, model: str, usage: Usage) -> Decimal:
        """Compute what a call cost from the tokens that it used.

        Args:
            model: A name or an alias.
            usage: Tokens, as the provider counted them.

        Returns:
            US dollars, exactly.

        Raises:
            UnknownPriceError: As for `price`.
            PriceStepError: The prompt is longer than those that the price holds for.
            BudgetError: The tokens were not counted.
        """
        price = self.price(model)
        if usage.input_tokens is None or usage.output_tokens is None:
            raise BudgetError(
                f"The tokens of a call to {model!r} were not counted, so its cost is not known",
                "Use a backend that counts them.",
            )
        self.check_price(model, usage.input_tokens)
        return price.cost_usd(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)

    def with_price(
        self,
        model: str,
        *,
        input_usd_per_mtok: Decimal | float | int | str,
        output_usd_per_mtok: Decimal | float | int | str,
        cached_input_usd_per_mtok: Decimal | float | int | str | None = None,
        source: str = "user",
        date: str = "",
        provider: str | None = None,
        context_tokens: int | None = None,
    ) -> Catalogue:
        """Return a copy in which a model has this price.

        Args:
            model: A name, new or known. An alias becomes a model of its own, so that
                the other names keep their price.
            input_usd_per_mtok: US dollars per million tokens of prompt.
            output_usd_per_mtok: US dollars per million tokens of answer.
            cached_input_usd_per_mtok: US dollars per million cached tokens of prompt.
            source: Where the price was read.
            date: The day it was read, as YYYY-MM-DD.
            provider: Who answers; None keeps what is known.
            context_tokens: Tokens that a prompt may have; None keeps what is known.

        Raises:
            ConfigError: A price is no finite amount of zero or more.
        """
        price = Price(
            input_usd_per_mtok=input_usd_per_mtok,
            output_usd_per_mtok=output_usd_per_mtok,
            cached_input_usd_per_mtok=cached_input_usd_per_mtok,
            source=source,
            date=date,
        )
        known = self.get(model, ModelInfo(name=model))
        info = attrs.evolve(
            known,
            name=model,
            price=price,
            provider=known.provider if provider is None else provider,
            context_tokens=known.context_tokens if context_tokens is None else context_tokens,
            aliases=known.aliases if known.name == model else (),
            note="",
            price_up_to_tokens=None,
        )
        return attrs.evolve(self, models={**self.models, model: info})


class _PriceRow(TypedDict):
    input_usd_per_mtok: str
    output_usd_per_mtok: str
    cached_input_usd_per_mtok: NotRequired[str]
    source: str
    date: str


class _ModelRow(TypedDict):
    provider: str
    context_tokens: int | None
    aliases: NotRequired[list[str]]
    note: NotRequired[str]
    price_up_to_tokens: NotRequired[int]
    price: NotRequired[_PriceRow]


@cache
def _bundled() -> Catalogue:
    text = resources.files("routesdk").joinpath("catalogue.json").read_text(encoding="utf-8")
    document = json.loads(text)
    rows = cast("Mapping[str, _ModelRow]", document["models"])
    return Catalogue(
        version=document["version"], models={name: _model(name, row) for name, row in rows.items()}
    )


def _model(name: str, row: _ModelRow) -> ModelInfo:
    price = row.get("price")
    return ModelInfo(
        name=name,
        provider=row["provider"],
        price=None if price is None else _price(price),
        context_tokens=row["context_tokens"],
        aliases=tuple(row.get("aliases", ())),
        note=row.get("note", ""),
        price_up_to_tokens=row.get("price_up_to_tokens"),
    )


def _price(row: _PriceRow) -> Price:
    return Price(
        input_usd_per_mtok=row["input_usd_per_mtok"],
        output_usd_per_mtok=row["output_usd_per_mtok"],
        cached_input_usd_per_mtok=row.get("cached_input_usd_per_mtok"),
        source=row["source"],
        date=row["date"],
    )
