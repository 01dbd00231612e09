"""What the documentation says of training is true: commands, configs, formats, options and errors."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
import typer
from typer.main import get_command

from routesdk.cli.app import app
from routesdk.config import load_config
from routesdk.host import PluginHost
from routesdk.testing import make_examples, write_dataset
from routesdk.types import TrainJob
from small_model import save_random_model

SNIPPETS = Path(__file__).resolve().parents[1] / "docs" / "snippets"


def page(repository: Path, name: str) -> str:
    return (repository / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["train_gpu", "train_modal", "train_push"])
def test_a_command_that_no_test_can_run_has_options_that_exist(name: str) -> None:
    program, command, *arguments = shlex.split((SNIPPETS / f"{name}.txt").read_text(encoding="utf-8"))
    group = get_command(app)
    found = group.get_command(typer.Context(group), command)  # type: ignore[attr-defined]

    assert program == "routesdk"
    # Reads them, and runs nothing; what is wrong raises.
    assert found.make_context(command, arguments).params


def test_the_configs_of_the_guide_are_valid() -> None:
    guide, memory = load_config(SNIPPETS / "train.toml"), load_config(SNIPPETS / "train_low_memory.toml")

    assert guide.train.trainer.name == "qlora-sft"
    assert guide.router.model_options["base_model"] == guide.train.base_model
    assert (memory.train.sft.micro_batch, memory.train.sft.qlora.bits) == (1, 4)


def test_the_prompt_and_the_replies_of_the_documentation_are_those_of_training() -> None:
    rendered = runpy.run_path(str(SNIPPETS / "training_rows.py"))["rendered"]

    for name, text in rendered.items():
        assert (SNIPPETS / "training" / f"{name}.txt").read_text(encoding="utf-8") == text, name


def test_every_error_of_the_guide_says_what_the_guide_says(repository: Path) -> None:
    table = page(repository, "how-to/train-a-router.md").partition("## When it fails")[2]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    sources = (repository / "src" / "routesdk").rglob("*.py")
    # Strings that stand in several parts are one sentence.
    code = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in sources))

    assert len(rows) > 25
    for row in rows:
        (said, *_) = re.findall(r"`(.+?)`", row[1])
        assert said in code, said


def test_the_reference_names_every_option_of_a_generative_router(repository: Path) -> None:
    section = page(repository, "reference/policy-models.md").partition("## `generative`")[2]
    config = PluginHost(entry_points=False).find("policy model", "generative").component.config
    assert config is not None

    for field in attrs.fields(config):
        assert f"| `{field.name}` |" in section, field.name


def test_the_hooks_page_names_what_a_trainer_may_read_and_have(repository: Path) -> None:
    section = (
        page(repository, "reference/hooks.md").partition("## `routesdk_trainers`")[2].partition("\n## ")[0]
    )
    fields = {field.name for field in attrs.fields(TrainJob)}

    assert {"start", "work", "listen"} <= fields
    for name in ("start", "work", "listen", "policy_model", "after", "serving_options"):
        assert f"| `{name}` |" in section


@pytest.fixture
def stack() -> None:
    for name in ("torch", "transformers", "peft", "trl", "datasets"):
        if os.environ.get("ROUTESDK_REQUIRE_MODELS") == "1":
            importlib.import_module(name)
        elif importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: run `make models`")


@pytest.mark.slow
@pytest.mark.usefixtures("stack")
def test_the_commands_of_the_guide_train_compare_merge_and_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    # Random weights stand in for the models of the guide.
    save_random_model(tmp_path / "models" / "SmolLM2-135M-Instruct", spread=0.2)
    save_random_model(tmp_path / "models" / "gemma-3-270m-it", spread=0.2, family="Gemma3Text")
    write_dataset(tmp_path / "oracle_dataset.jsonl", make_examples(40))
    tiers = [{"name": "medium", "model": "medium-model"}, {"name": "large", "model": "large-model"}]
    manifest = json.dumps({"config": {"tiers": tiers}})
    (tmp_path / "oracle_dataset.manifest.json").write_text(manifest)
    shutil.copy(SNIPPETS / "train.toml", tmp_path)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", str(SNIPPETS / "training" / "generative.sh")],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    work = tmp_path / "router_checkpoints" / "work"
    assert "SFT + DPO" in done.stdout
    assert (work / "compare.json").is_file() and (work / "SmolLM2-135M-Instruct" / "router").is_dir()
    _names_what_is_written(page(repository, "reference/checkpoint.md"), tmp_path / "router_checkpoints")
    _names_what_is_measured(page(repository, "how-to/train-a-router.md"), work)
    # What it trains by itself would replace the checkpoint.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    guide = runpy.run_path(str(SNIPPETS / "train_router.py"))
    monkeypatch.chdir(tmp_path)
    guide["merge"](guide["use"]())


def _names_what_is_written(text: str, folder: Path) -> None:
    for checkpoint in ("router_final", "merged"):
        (written,) = (folder / checkpoint).glob("model-*")
        for path in written.iterdir():
            name = f"`{path.name}/`" if path.is_dir() else f"`{path.name}`"
            assert name in text or path.name == "training_hashes.safetensors", name
    (state,) = (folder / "merged").glob("model-*/generative.json")
    for key in re.findall(r'^ "(\w+)":', state.read_text(encoding="utf-8"), re.MULTILINE):
        assert f"`{key}`" in text.partition("## Generative routers")[2], key


def _names_what_is_measured(text: str, work: Path) -> None:
    lines = "".join(file.read_text(encoding="utf-8") for file in work.glob("runs/*/metrics.jsonl"))
    keys = set(re.findall(r'"([\w/]+)":', lines))

    assert "rewards/margins" in keys
    assert not [key for key in keys if f"`{key}`" not in text]
