"""`routesdk plugins list` tells of plugins, and changes nothing for who runs it in their own process."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from routesdk.cli.plugins import app

INSTALLED = Path(__file__).parent / "data" / "installed"


def test_listing_plugins_leaves_the_logger_as_it_was() -> None:
    before = logging.getLogger("routesdk").level

    result = CliRunner().invoke(app, ["list"])

    assert result.exit_code == 0
    assert logging.getLogger("routesdk").level == before


def test_plugins_that_exit_or_have_no_name_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("leaving-plugin", "nameless-plugin"):
        monkeypatch.syspath_prepend(str(INSTALLED / name))

    result = CliRunner().invoke(app, ["list", "--json"])

    assert result.exit_code == 0
    assert "it raised SystemExit(3)" in result.stdout
    assert '"distribution": "nameless_plugin"' in result.stdout
