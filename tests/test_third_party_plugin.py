"""A plugin from outside, as a stranger gets it: in a fresh environment, found by its entry point."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import attrs
import pytest

from routesdk.host import PluginHost
from routesdk.protocols import Rule
from routesdk.testing import check_rule, make_context

PLUGIN = "plugins/routesdk-rule-language"
GERMAN = "Wie weit ist der Mond von der Erde entfernt?"
ENGLISH = "What is the capital of France?"
CONFIG = """
[router]
medium = "gemini-2.5-flash"
large = "gemini-2.5-pro"
# Nothing climbs by itself, so that only the rule can choose the large model.
large_share = 0.0

[[mapping.rules]]
name = "language"
options = { languages = ["de"], model = "gemini-2.5-pro" }
"""


@attrs.frozen
class Environment:
    """A virtual environment with routesdk and the plugin in it."""

    binaries: Path

    def run(self, program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the checkout and what the tests have set."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ROUTESDK_"))
        }
        return subprocess.run(
            [str(self.binaries / program), *arguments],
            cwd=folder,
            env=kept | {"COLUMNS": "200", "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Environment:
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    made = Environment(folder / ("Scripts" if sys.platform == "win32" else "bin"))
    wanted = (str(repository), str(repository / PLUGIN), "pytest", "hypothesis")
    install = made.run("python", "-m", "pip", "install", "--quiet", *wanted, folder=folder)
    if install.returncode:
        unreachable = "Retrying (Retry(" in install.stderr
        if unreachable and "No matching distribution found" in install.stderr:
            pytest.skip(f"pip reaches no index and finds no wheel: {install.stderr[-500:]}")
        pytest.fail(f"pip cannot install {wanted}: {install.stderr[-4000:]}")
    return made


def write_config(folder: Path) -> Path:
    path = folder / "routesdk.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.mark.slow
def test_an_installed_plugin_is_listed_with_its_distribution(
    environment: Environment, tmp_path: Path
) -> None:
    listed = environment.run("routesdk", "plugins", "list", "--json", folder=tmp_path)

    assert listed.returncode == 0, listed.stderr
    (report,) = (
        report for report in map(json.loads, listed.stdout.splitlines()) if report["name"] == "language"
    )
    assert (report["distribution"], report["version"]) == ("routesdk-rule-language", "0.1.0")
    assert [(offer["kind"], offer["name"]) for offer in report["components"]] == [("rule", "language")]
    assert report["errors"] == report["conflicts"] == []


@pytest.mark.slow
def test_the_table_of_plugins_shows_it(environment: Environment, tmp_path: Path) -> None:
    listed = environment.run("routesdk", "plugins", "list", folder=tmp_path)

    assert listed.returncode == 0, listed.stderr
    (line,) = (line for line in listed.stdout.splitlines() if "rule language" in line)
    assert "routesdk-rule-language 0.1.0" in line
    assert line.split()[-1] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(("query", "model"), [(GERMAN, "gemini-2.5-pro"), (ENGLISH, "gemini-2.5-flash")])
def test_its_rule_decides_in_routesdk_route(
    environment: Environment, tmp_path: Path, query: str, model: str
) -> None:
    config = write_config(tmp_path)

    routed = environment.run("routesdk", "route", "--config", str(config), "--json", query, folder=tmp_path)

    assert routed.returncode == 0, routed.stderr
    decision = json.loads(routed.stdout)
    assert decision["model"] == model
    spoke = [step["source"] for step in decision["trace"]]
    assert ("language" in spoke) is (query == GERMAN)


@pytest.mark.slow
def test_a_wrong_option_of_its_rule_is_explained_and_not_a_traceback(
    environment: Environment, tmp_path: Path
) -> None:
    config = write_config(tmp_path)
    config.write_text(CONFIG.replace('languages = ["de"]', 'languages = ["german"]'), encoding="utf-8")

    routed = environment.run("routesdk", "route", "--config", str(config), "--json", GERMAN, folder=tmp_path)

    assert routed.returncode != 0
    assert "german" in routed.stderr
    assert "languages[0]" in routed.stderr
    assert "Traceback" not in routed.stderr


@pytest.mark.slow
def test_its_own_tests_pass_where_it_is_installed(
    environment: Environment, repository: Path, tmp_path: Path
) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-o", "pythonpath=", "--basetemp", str(tmp_path / "base"))

    tests = environment.run("python", "-m", "pytest", *options, folder=repository / PLUGIN)

    assert tests.returncode == 0, tests.stdout[-4000:] + tests.stderr


def test_the_plugin_works_without_being_installed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("py3langid", reason="the plugin's detector is not installed")
    monkeypatch.syspath_prepend(repository / PLUGIN / "src")
    module = importlib.import_module("routesdk_rule_language")

    rule = PluginHost([module], entry_points=False).rule("language", languages=["de"], model="large-model")

    assert isinstance(rule, Rule)
    check_rule(rule, contexts=[make_context(GERMAN)])
    proposal = rule.propose(make_context(GERMAN))
    assert proposal is not None
    assert proposal.model == "large-model"
    assert rule.propose(make_context(ENGLISH)) is None
