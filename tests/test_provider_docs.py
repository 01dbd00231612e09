"""What the documentation says of backends is true: its configs build, and its tables name every option."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from routesdk.config import load_config
from routesdk.errors import MissingExtraError
from routesdk.host import PluginHost
from routesdk.pricebook import catalogue_of
from routesdk.protocols import Backend

PROVIDERS = ("gemini", "litellm", "openai-compatible")


@pytest.mark.parametrize("name", ["gemini", "ollama", "openrouter", "vllm"])
def test_a_config_of_the_documentation_builds_its_backends_and_prices_its_models(
    repository: Path, name: str
) -> None:
    config = load_config(repository / "docs" / "snippets" / f"{name}.toml")
    host = PluginHost(entry_points=False)

    for part in (config.oracle.backend, *(tier.backend for tier in config.oracle.tiers)):
        if part is None:
            continue
        try:
            backend = host.backend(part.name, **part.options)
        except MissingExtraError as error:
            pytest.skip(str(error))
        assert isinstance(backend, Backend)
    models = [tier.model for tier in config.oracle.tiers]
    catalogue = catalogue_of(config.prices, models)
    assert all(catalogue.price(model).input_usd_per_mtok >= 0 for model in models)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_reference_names_every_option_of_a_backend(repository: Path, name: str) -> None:
    page = (repository / "docs" / "reference" / "backends.md").read_text(encoding="utf-8")
    section = page.partition(f"## `{name}`")[2].partition("\n## ")[0]
    config = PluginHost(entry_points=False).find("backend", name).component.config
    assert config is not None

    for field in attrs.fields(config):
        assert f"| `{field.name}` |" in section, field.name
