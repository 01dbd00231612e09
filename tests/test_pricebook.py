"""Prices beyond the catalogue's own, and which of them wins."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from routesdk import pricebook
from routesdk.catalogue import Catalogue
from routesdk.config import PriceConfig, load_config
from routesdk.errors import UnknownPriceError
from routesdk.pricebook import catalogue_of, with_litellm, with_prices

ROWS: Mapping[str, object] = {
    "sample_spec": {"mode": "one of: chat", "input_cost_per_token": 0.0},
    "mistral/small": {
        "mode": "chat",
        "litellm_provider": "mistral",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 1.5e-08,
        "input_cost_per_token_above_200k_tokens": 3e-07,
        "input_cost_per_token_above_128k_tokens": 2e-07,
        "max_input_tokens": 131072,
        "source": "https://mistral.ai/pricing",
    },
    "gpt-x": {
        "mode": "chat",
        "litellm_provider": "openai",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 2e-6,
    },
    "gemini-2.5-flash": {"mode": "chat", "input_cost_per_token": 9e-6, "output_cost_per_token": 9e-6},
    "free": {"mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "half": {"mode": "chat", "input_cost_per_token": 1e-6},
    "thinker": {
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 2e-6,
        "output_cost_per_reasoning_token": 8e-6,
    },
    "painter": {"mode": "image_generation", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A distribution that is named litellm, and that cannot be imported."""
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('litellm was imported')")
    (package / "model_prices_and_context_window_backup.json").write_text(json.dumps(ROWS))
    folder = tmp_path / "litellm-9.8.7.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 9.8.7\n")
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    pricebook._table.cache_clear()
    yield package
    pricebook._table.cache_clear()


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No litellm is installed."""

    def missing(name: str) -> str:
        raise pricebook.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(pricebook.importlib.metadata, "version", missing)
    pricebook._table.cache_clear()
    yield
    pricebook._table.cache_clear()


def test_litellm_prices_what_the_catalogue_lacks_and_is_named_as_the_source(installed: Path) -> None:
    catalogue = with_litellm(Catalogue.default(), ["mistral/small"])

    info = catalogue.info("mistral/small")
    assert info.price is not None
    assert info.price.input_usd_per_mtok == Decimal("0.15")
    assert info.price.output_usd_per_mtok == Decimal("0.6")
    assert info.price.cached_input_usd_per_mtok == Decimal("0.015")
    assert info.price.source == "litellm 9.8.7, for https://mistral.ai/pricing"
    assert info.price.date == ""
    assert (info.provider, info.context_tokens) == ("mistral", 131072)
    assert info.note == "Prompts over 128,000 tokens cost more."
    assert len(catalogue) == len(Catalogue.default()) + 1


def test_the_catalogue_s_own_price_wins_over_litellm_s_and_the_user_s_over_both(installed: Path) -> None:
    own = Catalogue.default().price("gemini-2.5-flash")
    mine = PriceConfig(input_usd_per_mtok="1", output_usd_per_mtok="2")

    assert with_litellm(Catalogue.default()).price("gemini-2.5-flash") == own
    catalogue = catalogue_of(
        {"gemini-2.5-flash": mine, "gpt-x": mine}, ["gemini-2.5-flash", "gpt-x", "mistral/small"]
    )

    for model in ("gemini-2.5-flash", "gpt-x"):
        assert catalogue.price(model).output_usd_per_mtok == 2
        assert catalogue.price(model).source == "user"
    assert catalogue.price("mistral/small").source.startswith("litellm 9.8.7")
    assert with_litellm(catalogue).price("gpt-x").source == "user"


def test_a_provider_before_the_name_is_looked_through_only_where_it_is_the_row_s(installed: Path) -> None:
    catalogue = with_litellm(Catalogue.default(), ["openai/gpt-x", "azure/gpt-x"])

    assert catalogue.price("openai/gpt-x").input_usd_per_mtok == 1
    with pytest.raises(UnknownPriceError):
        catalogue.price("azure/gpt-x")


@pytest.mark.parametrize("model", ["free", "half", "thinker", "painter", "sample_spec", "nobody"])
def test_a_price_that_is_not_sure_stays_unknown(installed: Path, model: str) -> None:
    for catalogue in (with_litellm(Catalogue.default(), [model]), with_litellm(Catalogue.default())):
        with pytest.raises(UnknownPriceError):
            catalogue.price(model)


def test_the_table_is_not_read_where_every_price_is_known(installed: Path) -> None:
    (installed / "model_prices_and_context_window_backup.json").write_text("{")

    assert with_litellm(Catalogue.default(), ["gemini-2.5-flash"]) is Catalogue.default()


def test_without_litellm_the_catalogue_stays_as_it_is(absent: None) -> None:
    assert with_litellm(Catalogue.default(), ["mistral/small"]) is Catalogue.default()
    assert with_litellm(Catalogue.default()) is Catalogue.default()


def test_prices_of_a_config_file_stand_in_place_of_the_catalogue_s(tmp_path: Path) -> None:
    file = tmp_path / "routesdk.toml"
    file.write_text(
        '[prices."gemini-2.5-flash"]\ninput_usd_per_mtok = 0.1\noutput_usd_per_mtok = 0.7\n'
        '[prices."local/llama"]\ninput_usd_per_mtok = 0\noutput_usd_per_mtok = 0\n'
        'source = "our own machine"\n'
    )

    catalogue = with_prices(Catalogue.default(), load_config(file).prices)

    assert catalogue.price("gemini-2.5-flash").output_usd_per_mtok == Decimal("0.7")
    assert catalogue.price("gemini-2.5-flash").cached_input_usd_per_mtok is None
    assert catalogue.price("local/llama").source == "our own machine"
    assert catalogue.price("local/llama").cost_usd(10**6, 10**6) == 0


def test_the_installed_litellm_is_read_and_not_imported() -> None:
    code = (
        "import sys\n"
        "from routesdk.catalogue import Catalogue\n"
        "from routesdk.pricebook import with_litellm\n"
        "catalogue = with_litellm(Catalogue.default())\n"
        "print(len(catalogue) - len(Catalogue.default()), 'litellm' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    added, imported = done.stdout.split()

    assert imported == "False"
    if pricebook.importlib.util.find_spec("litellm") is not None:
        assert int(added) > 1000
