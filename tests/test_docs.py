"""The documentation is true: every snippet runs, and the reference names what there is."""

from __future__ import annotations
import __future__

import json
import os
import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest
import typer
from typer.main import get_command

from routesdk.cli.app import app
from routesdk.config import Config, OracleConfig, PriceConfig, TierConfig, TrainConfig, load_config
from routesdk.dataset import write_examples
from routesdk.host import PluginHost
from routesdk.manifest import Manifest
from routesdk.testing import make_examples
from routesdk.tuning import DPOConfig, QLoRAConfig, SFTConfig

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SNIPPETS = DOCS / "snippets"
README = ROOT / "README.md"
PAGES = [README, *(path for path in sorted(DOCS.rglob("*.md")))]

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_INCLUDE = re.compile(r'^--8<-- "(?P<file>[^":]+)(?::(?P<section>[\w-]+))?"$', re.MULTILINE)


def _blocks(page: Path, language: str) -> Iterator[str]:
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if found["language"] == language:
            yield found["code"]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run a snippet in, with the config files that snippets read."""
    for file in SNIPPETS.glob("*.toml"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _bash(script: Path, folder: Path, **environment: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", str(script)],
        cwd=folder,
        env={**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "PYTHONUTF8": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("snippet", sorted(SNIPPETS.glob("*.py")), ids=_name)
def test_a_python_snippet_runs(snippet: Path, workplace: Path) -> None:
    runpy.run_path(str(snippet), run_name="__main__")


@pytest.mark.parametrize("snippet", sorted(SNIPPETS.glob("*.sh")), ids=_name)
def test_a_shell_snippet_runs(snippet: Path, workplace: Path) -> None:
    assert _bash(snippet, workplace)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_python_blocks_of_a_page_run(page: Path, workplace: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for code in _blocks(page, "python"):
        if _INCLUDE.search(code):
            continue
        # As with `from __future__ import annotations`: signatures stand without their imports.
        flags = __future__.annotations.compiler_flag
        exec(compile(code, _name(page), "exec", flags=flags, dont_inherit=True), names)


def test_the_readme_routes_the_question_of_its_example() -> None:
    assert any('router.route("Who was awarded' in code for code in _blocks(README, "python"))


def test_the_other_commands_of_the_readme_run(workplace: Path) -> None:
    (workplace / "questions.txt").write_text("How far is the Moon?\nWho wrote Faust?\n", encoding="utf-8")
    rows = make_examples(360)
    parts = {"answers": rows[:60], "test_outcomes": rows[60:160], "other_outcomes": rows[160:]}
    for name, some in parts.items():
        write_examples(workplace / f"{name}.jsonl", some)
    script = workplace / "commands.sh"
    # The first two install and test; they are run elsewhere. A project begins in a folder of its own.
    commands = "".join(list(_blocks(README, "console"))[2:])
    commands = commands.replace("routesdk init", "mkdir new && cd new\nroutesdk init")
    script.write_text(commands, encoding="utf-8")

    assert _bash(script, workplace)
    assert len((workplace / "decisions.jsonl").read_text("utf-8").splitlines()) == 2
    assert (workplace / "evaluation" / "results" / "report.html").is_file()
    assert len((workplace / "oracle_dataset.jsonl").read_text("utf-8").splitlines()) > 40


def test_console_blocks_of_the_documentation_install_and_do_nothing_else() -> None:
    blocks = {code for page in PAGES if page != README for code in _blocks(page, "console")}

    assert blocks == {"pip install routesdk\n"}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_shell_and_toml_blocks_come_from_tested_files(page: Path) -> None:
    # Commands that need a network or an installation stand in `console` blocks.
    for language in ("bash", "toml"):
        for code in _blocks(page, language):
            assert _INCLUDE.search(code), f"{_name(page)} has a {language} block of its own:\n{code}"


def test_every_snippet_is_used_and_every_include_exists() -> None:
    used = set()
    for page in PAGES:
        for found in _INCLUDE.finditer(page.read_text(encoding="utf-8")):
            file = ROOT / found["file"]
            text = file.read_text(encoding="utf-8")
            if found["section"]:
                assert f"--8<-- [start:{found['section']}]" in text, found[0]
                assert f"--8<-- [end:{found['section']}]" in text, found[0]
            used.add(file)
    there = {path for path in SNIPPETS.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert not sorted(map(str, there - used))


def test_links_of_the_readme_lead_to_files() -> None:
    for file in (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{file.name} links to {target}"


def test_ci_ends_with_the_test_command_of_the_readme() -> None:
    commands = [code.strip() for code in _blocks(README, "console")]
    last = (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().splitlines()[-1]

    assert commands[1] == "make test"
    assert last.split(" </dev/null")[0].replace(" --no-print-directory", "") == commands[1]


def test_the_tutorial_plugin_passes_its_own_tests() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(SNIPPETS), "."],
        cwd=SNIPPETS / "many_questions",
        env={**os.environ, "PYTHONPATH": str(SNIPPETS / "many_questions"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_tutorial_plugin_is_found_by_its_entry_point(tmp_path: Path) -> None:
    plugin = SNIPPETS / "many_questions"
    site = tmp_path / "site"
    metadata = site / "routesdk_rule_many_questions-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(plugin / "routesdk_rule_many_questions.py", site)
    # What pip would write of this pyproject.toml.
    entry = 'many-questions = "routesdk_rule_many_questions"'
    assert f"[project.entry-points.routesdk]\n{entry}" in (plugin / "pyproject.toml").read_text("utf-8")
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: routesdk-rule-many-questions\nVersion: 0.1.0\n"
    )
    (metadata / "entry_points.txt").write_text(f"[routesdk]\n{entry.replace(chr(34), '')}\n")

    output = _bash(plugin / "use.sh", tmp_path, PYTHONPATH=str(site), COLUMNS="200")

    assert "rule many-questions" in output
    assert "override, many-questions: gpt-4.1, since the query asks 3 questions" in output


def test_the_config_page_names_every_key() -> None:
    page = (DOCS / "reference" / "config.md").read_text(encoding="utf-8")
    for section in attrs.fields(Config):
        assert f"## `[{section.name}]`" in page
        heading = page.index(f"## `[{section.name}]`")
        following = page.find("\n## ", heading + 1)
        text = page[heading : following if following > 0 else len(page)]
        # Prices are a table a model; the tiers of an oracle are tables within its own.
        tables = [TrainConfig, SFTConfig, DPOConfig, QLoRAConfig]
        taken = {"prices": [PriceConfig], "oracle": [OracleConfig, TierConfig], "train": tables}
        for config in taken.get(section.name, [type(getattr(Config(), section.name))]):
            for field in attrs.fields(config):
                assert f"`{field.name}`" in text, f"[{section.name}] {field.name} is not documented"


def test_the_config_of_the_documentation_is_valid() -> None:
    config = load_config(SNIPPETS / "routesdk.toml")

    assert [rule.name for rule in config.mapping.rules] == ["tag", "math", "cost-budget"]


def test_the_config_page_names_the_options_of_every_built_in_rule() -> None:
    page = (DOCS / "reference" / "config.md").read_text(encoding="utf-8")
    host = PluginHost(entry_points=False)
    for name in host.names("rule"):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        component = host.find("rule", name).component
        takes = component.config or component.factory
        assert isinstance(takes, type)
        for field in attrs.fields(takes):
            assert not field.init or f"`{field.name}`" in row, f"option {field.name} of {name}"


def test_the_command_line_page_names_every_option() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    command = get_command(app)
    context = typer.Context(command)
    for name in command.list_commands(context):  # type: ignore[attr-defined]
        below = command.get_command(context, name)  # type: ignore[attr-defined]
        for each in [below, *getattr(below, "commands", {}).values()]:
            for option in each.params:
                for flag in option.opts if option.param_type_name == "option" else ():
                    assert f"`{flag}" in page, f"{flag} of {name} is not documented"


def test_the_checkpoint_page_names_every_key_of_the_manifest() -> None:
    page = (DOCS / "reference" / "checkpoint.md").read_text(encoding="utf-8")
    for field in attrs.fields(Manifest):
        assert f"| `{field.name}` |" in page


def test_the_journal_page_names_what_journals_and_exports_hold(workplace: Path) -> None:
    page = (DOCS / "reference" / "journal.md").read_text(encoding="utf-8")
    runpy.run_path(str(SNIPPETS / "oracle.py"), run_name="__main__")

    with closing(sqlite3.connect("oracle.sqlite")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {"row", "outcome", "call", "attempt"} <= set(tables)
        for table in tables:
            assert f"`{table}`" in page, f"table {table} is not documented"
            heading = page.find(f"### `{table}`")
            text = page[heading : page.index("\n#", heading + 1)] if heading >= 0 else page
            for column in database.execute(f"PRAGMA table_info({table})"):
                assert f"`{column[1]}`" in text, f"column {column[1]} of {table} is not documented"
    row = json.loads(Path("oracle_dataset.jsonl").read_text("utf-8").splitlines()[0])
    for key in (*row, *row["label"], *json.loads(Path("oracle_dataset.manifest.json").read_text("utf-8"))):
        assert f"`{key}`" in page, f"{key} of an export is not documented"


@pytest.mark.slow
def test_the_first_command_of_the_readme_routes_a_question_from_a_fresh_clone(tmp_path: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    clone = tmp_path / "clone"
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    script = tmp_path / "start.sh"
    script.write_text(next(_blocks(README, "console")), encoding="utf-8")

    output = _bash(script, clone, PYTHONPATH="", COLUMNS="120")

    assert "policy" in output
    assert "expected gain" in output
