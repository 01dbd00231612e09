"""Prices beyond the catalogue's own: the user's, and those of litellm's table where it is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from routesdk.catalogue import Catalogue, ModelInfo
from routesdk.types.money import EXACT, Price

if TYPE_CHECKING:
    from routesdk.config import PriceConfig

# Where litellm keeps the table that it falls back on without a network. Source: litellm 1.70 to 1.110.
_FILE = "model_prices_and_context_window_backup.json"

_TEXT_MODES = frozenset({"chat", "completion", "responses"})


def with_prices(catalogue: Catalogue, prices: Mapping[str, PriceConfig]) -> Catalogue:
    """Return a copy in which the user's prices stand in place of all others.

    Args:
        catalogue: What is known without them.
        prices: Model → price, as `[prices."MODEL"]` of `routesdk.toml` gives them.
    """
    for model, price in prices.items():
        catalogue = catalogue.with_price(
            model,
            input_usd_per_mtok=price.input_usd_per_mtok,
            output_usd_per_mtok=price.output_usd_per_mtok,
            cached_input_usd_per_mtok=price.cached_input_usd_per_mtok,
            source=price.source,
            date=price.date,
        )
    return catalogue


def with_litellm(catalogue: Catalogue, models: Iterable[str] | None = None) -> Catalogue:
    """Return a copy with the models of litellm's table that the catalogue has no price for.

    The table is the one that the installed litellm came with; litellm itself is
    not imported, and nothing is downloaded. Where litellm is not installed, the
    catalogue is returned as it is.

    Args:
        catalogue: What is known without it; its own prices stay.
        models: Names to look up, as litellm spells them, with or without the
            provider before a slash; None for all that it prices.
    """
    wanted = None if models is None else [each for each in models if not _priced(catalogue, each)]
    if wanted == []:
        # Reading the table takes a tenth of a second, and most runs can do without.
        return catalogue
    version, rows = _table()
    added: dict[str, ModelInfo] = {}
    for name in rows if wanted is None else wanted:
        row = _row(rows, name)
        info = None if row is None else _info(name, row, version)
        if info is not None and not _priced(catalogue, name):
            known = catalogue.get(name, info)
            # An alias becomes a model of its own: its price is not that of the others.
            aliases = known.aliases if known.name == name else ()
            added[name] = attrs.evolve(info, aliases=aliases)
    return attrs.evolve(catalogue, models={**catalogue.models, **added}) if added else catalogue


def _priced(catalogue: Catalogue, model: str) -> bool:
    info = catalogue.get(model)
    return info is not None and info.price is not None


@cache
def _table() -> tuple[str, Mapping[str, Mapping[str, object]]]:
    """Return litellm's version and its table; empty where it is not installed, or keeps no table."""
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return "", {}
    found = importlib.util.find_spec("litellm")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        file = Path(folder) / _FILE
        if file.is_file():
            # Prices are for one token: as floats they would come out crooked.
            rows = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
            return version, {name: row for name, row in rows.items() if isinstance(row, dict)}
    return version, {}


def _row(rows: Mapping[str, Mapping[str, object]], model: str) -> Mapping[str, object] | None:
    if model in rows:
        return rows[model]
    provider, slash, name = model.partition("/")
    row = rows.get(name) if slash else None
    return row if row is not None and row.get("litellm_provider") == provider else None


def _info(name: str, row: Mapping[str, object], version: str) -> ModelInfo | None:
    """Return what a row says of a model; None where it gives no price that is sure."""
    cost_in, cost_out = _per_mtok(row, "input_cost_per_token"), _per_mtok(row, "output_cost_per_token")
    thinking = _per_mtok(row, "output_cost_per_reasoning_token")
    if row.get("mode") not in _TEXT_MODES or cost_in is None or cost_out is None:
        return None
    # Nothing for everything is what the table says also of models whose price it does not know; and a price
    # has no place for thinking that costs other than the answer.
    if cost_in == cost_out == 0 or thinking not in {None, cost_out}:
        return None
    page = row.get("source")
    context = row.get("max_input_tokens")
    step = _step_tokens(row)
    return ModelInfo(
        name=name,
        provider=str(row.get("litellm_provider", "")),
        price=Price(
            input_usd_per_mtok=cost_in,
            output_usd_per_mtok=cost_out,
            cached_input_usd_per_mtok=_per_mtok(row, "cache_read_input_token_cost"),
            source=f"litellm {version}, for {page}" if page else f"litellm {version}",
        ),
        context_tokens=context if isinstance(context, int) else None,
        note="" if step is None else f"Prompts over {step:,} tokens cost more.",
        price_up_to_tokens=step,
    )


def _per_mtok(row: Mapping[str, object], key: str) -> Decimal | None:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or value < 0:
        return None
    return EXACT.scaleb(Decimal(value), 6)


def _step_tokens(row: Mapping[str, object]) -> int | None:
    """Return the length of prompts, in tokens, beyond which another price holds."""
    steps = {
        key.removeprefix("input_cost_per_token_above_").removesuffix("k_tokens")
        for key in row
        if key.startswith("input_cost_per_token_above_") and key.endswith("k_tokens")
    }
    least = min((int(each) for each in steps if each.isdecimal()), default=None)
    return None if least is None else least * 1000


def catalogue_of(
    prices: Mapping[str, PriceConfig], models: Iterable[str] = (), *, catalogue: Catalogue | None = None
) -> Catalogue:
    """Return a catalogue with litellm's prices for what it lacks, and the user's over both.

    Args:
        prices: The user's prices.
        models: Models whose price will be asked for; litellm's table is read only if
            one of them has none.
        catalogue: What to begin with; None for the bundled one.
    """
    priced = with_prices(Catalogue.default() if catalogue is None else catalogue, prices)
    return with_litellm(priced, tuple(models))
