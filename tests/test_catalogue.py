from __future__ import annotations

import datetime
import os
import pickle
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.catalogue import Catalogue, ModelInfo
from routesdk.errors import ConfigError, UnknownModelError, UnknownPriceError
from routesdk.types import Price, Usage

RECORDED = [
    "gpt-4o-mini-2024-07-18",
    "gpt-4o-2024-11-20",
    "claude-3-5-haiku-20241022",
    "claude-3-5-sonnet-20240620",
    "claude-3-5-sonnet-20241022",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "gpt-4-1106-preview",
    "gemini-1.5-flash-002",
    "gemini-1.5-pro-002",
    "Meta-Llama-3_1-8B-Instruct",
    "Meta-Llama-3_1-70B-Instruct",
    "gemma-2-9b-it",
    "llama-3.1-nemotron-51b-instruct",
]
# Where the figures were read, not where they may stand as well.
SOURCE = re.compile(r"litellm \d+\.\d+\.\d+, for https://\S+|https://github\.com/\S+ \(commit \w+\)")


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.default()


def test_every_price_has_a_source_and_a_date(catalogue: Catalogue) -> None:
    for info in catalogue.values():
        if info.price is not None:
            assert SOURCE.fullmatch(info.price.source), info.name
            assert datetime.date.fromisoformat(info.price.date) <= datetime.date.fromisoformat(
                catalogue.version
            )
            assert info.price.input_usd_per_mtok <= info.price.output_usd_per_mtok, info.name
            cached = info.price.cached_input_usd_per_mtok
            assert cached is None or cached < info.price.input_usd_per_mtok, info.name


def test_a_price_names_the_collection_that_it_was_read_in_and_keeps_its_note(catalogue: Catalogue) -> None:
    assert catalogue.price("gemini-2.5-flash").source == (
        "litellm 1.109.1, for https://ai.google.dev/gemini-api/docs/pricing"
    )
    assert catalogue.price("claude-3-5-haiku-20241022").source.startswith("litellm 1.70.0, for https://")
    assert "Introductory price until 2026-12-31" in catalogue["gemini-3.6-flash"].note


def test_names_and_aliases_are_unique_and_aliases_find_their_model(catalogue: Catalogue) -> None:
    aliases = [(alias, info) for info in catalogue.values() for alias in info.aliases]

    assert len({alias for alias, _ in aliases} | set(catalogue)) == len(aliases) + len(catalogue)
    for alias, info in aliases:
        assert catalogue[alias] is info


@pytest.mark.parametrize("model", RECORDED)
def test_the_recorded_models_have_a_price(catalogue: Catalogue, model: str) -> None:
    assert catalogue.price(model).output_usd_per_mtok > 0


def test_a_known_price_is_exact(catalogue: Catalogue) -> None:
    price = catalogue.price("gemini-2.5-flash")

    assert (price.input_usd_per_mtok, price.output_usd_per_mtok) == (Decimal("0.3"), Decimal("2.5"))
    assert catalogue["gemini-2.5-flash"].context_tokens == 1_048_576
    usage = Usage(input_tokens=1_000, output_tokens=10, cached_input_tokens=400)
    assert catalogue.cost_usd("gemini-2.5-flash", usage) == Decimal("0.000217")


def test_a_model_that_is_not_listed_is_an_error_with_a_near_name(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownPriceError, match=r"gemini-2\.5-flash") as caught:
        catalogue.price("gemini-2.5-flsh")
    assert caught.value.model == "gemini-2.5-flsh"
    with pytest.raises(UnknownModelError, match=r"gemini-2\.5-flash"):
        catalogue.info("gemini-2.5-flsh")
    assert catalogue.get("gemini-2.5-flsh") is None


def test_a_model_without_a_price_is_known_but_costs_nothing_that_could_be_summed(
    catalogue: Catalogue,
) -> None:
    model = "Qwen1.5-72B-Chat"

    assert catalogue.info(model).price is None
    with pytest.raises(UnknownPriceError) as caught:
        catalogue.cost_usd(model, Usage(input_tokens=1))
    assert model not in caught.value.known


def test_a_users_price_is_a_copy_and_takes_floats_by_their_text(catalogue: Catalogue) -> None:
    mine = catalogue.with_price(
        "my-model", input_usd_per_mtok=0.1, output_usd_per_mtok="0.2", context_tokens=8_192
    )

    assert "my-model" not in catalogue
    assert mine["my-model"] == ModelInfo(
        name="my-model",
        price=Price(input_usd_per_mtok=Decimal("0.1"), output_usd_per_mtok=Decimal("0.2"), source="user"),
        context_tokens=8_192,
    )
    assert len(mine) == len(catalogue) + 1


def test_a_users_price_for_one_name_leaves_the_models_other_names_alone(catalogue: Catalogue) -> None:
    before = catalogue.price("gpt-4o")

    mine = catalogue.with_price("gpt-4o-2024-11-20", input_usd_per_mtok=1, output_usd_per_mtok=2)

    assert mine.price("gpt-4o-2024-11-20").input_usd_per_mtok == 1
    assert mine.price("gpt-4o") == mine.price("gpt-4o-2024-08-06") == before
    assert mine["gpt-4o-2024-11-20"].provider == "openai"
    renewed = catalogue.with_price("gpt-4o", input_usd_per_mtok=1, output_usd_per_mtok=2)
    assert renewed.price("gpt-4o-2024-11-20").input_usd_per_mtok == 1


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "cheap", True])
def test_a_price_that_is_no_amount_is_refused(catalogue: Catalogue, amount: object) -> None:
    with pytest.raises(ConfigError):
        catalogue.with_price("my-model", input_usd_per_mtok=amount, output_usd_per_mtok=1)  # type: ignore[arg-type]


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.decimals(0, 1000, places=4),
    st.decimals(0, 1000, places=4),
)
def test_costs_add_up_exactly(tokens: int, more: int, price_in: Decimal, price_out: Decimal) -> None:
    priced = Catalogue.default().with_price("m", input_usd_per_mtok=price_in, output_usd_per_mtok=price_out)

    parts = [priced.cost_usd("m", Usage(input_tokens=used, output_tokens=used)) for used in (tokens, more)]

    assert sum(parts) == priced.cost_usd("m", Usage(input_tokens=tokens + more, output_tokens=tokens + more))


def test_the_catalogue_cannot_be_changed_and_survives_pickling(catalogue: Catalogue) -> None:
    with pytest.raises(TypeError):
        catalogue.models["gpt-4o"] = ModelInfo(name="gpt-4o")  # type: ignore[index]
    assert pickle.loads(pickle.dumps(catalogue)) == catalogue
    assert hash(catalogue) == hash(pickle.loads(pickle.dumps(catalogue)))


def test_importing_the_catalogue_loads_no_numpy_and_reads_no_file() -> None:
    code = (
        "import builtins, io, pathlib, sys\n"
        "read = pathlib.Path.read_text\n"
        "def watched(path, *a, **k):\n"
        "    assert 'catalogue' not in path.name, path\n"
        "    return read(path, *a, **k)\n"
        "pathlib.Path.read_text = watched\n"
        "import routesdk.catalogue\n"
        "assert 'numpy' not in sys.modules\n"
        "try:\n"
        "    routesdk.catalogue.Catalogue.default()\n"
        "except AssertionError:\n"
        "    print('read on demand')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.stdout, run.returncode) == ("read on demand\n", 0), run.stderr
