"""What an import pulls in: start-up is part of the interface."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "torch",
    "transformers",
    "sentence_transformers",
    "safetensors",
    "huggingface_hub",
    "httpx",
    "requests",
    "typer",
    "rich",
    "sklearn",
    "google.genai",
    "litellm",
    "modal",
    "openai",
)


def loaded_by(code: str) -> set[str]:
    """Run code in a new process, and return the modules that it loaded."""
    report = "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + report], check=True, capture_output=True, text=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import routesdk",
        "import routesdk.errors, routesdk.config, routesdk.protocols, routesdk.catalogue",
        "from routesdk import Router",
        "from routesdk import PluginHost; PluginHost(entry_points=False)",
        "import routesdk.testing.pytest_plugin",
        "from routesdk.testing import make_context, check_rule; make_context('Hi?')",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    assert not loaded_by(code) & set(HEAVY)


def test_the_package_does_not_import_its_plugins_or_its_testing_kit() -> None:
    loaded = loaded_by("import routesdk, routesdk.router, routesdk.host")

    assert "routesdk.testing" not in loaded
    assert not [name for name in loaded if name.startswith("routesdk.plugins.")]


def test_the_kit_works_without_pytest() -> None:
    loaded = loaded_by("import routesdk.testing as kit\nfor name in kit.__all__: getattr(kit, name)")

    assert "routesdk.testing.training" in loaded
    assert "pytest" not in loaded


def test_importing_starts_no_thread_and_adds_no_log_handler() -> None:
    code = (
        "import logging, threading, routesdk, routesdk.host, routesdk.testing\n"
        "assert threading.active_count() == 1\n"
        "assert not logging.getLogger().handlers and not logging.getLogger('routesdk').handlers\n"
    )
    assert "routesdk.host" in loaded_by(code)


def test_whoever_only_routes_loads_no_event_loop() -> None:
    assert "asyncio" not in loaded_by("from routesdk import Router; Router.from_pretrained().route('Who?')")
