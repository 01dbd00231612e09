"""Trainers that a training is compared with: their options, and what becomes of one that fails."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from routesdk import Component, PluginHost, Router, hookimpl
from routesdk.cli.payoff_table import print_payoff
from routesdk.config import TrainConfig, load_config
from routesdk.errors import ConfigError, TrainingError
from routesdk.pipeline.training import links, train_router
from routesdk.protocols import Trainer
from routesdk.testing import MODELS, make_examples, make_host, write_dataset
from routesdk.types import PartConfig, TrainJob


@attrs.frozen(kw_only=True)
class Failing:
    """A trainer that fails, or whose fault is a bug."""

    problem: str = "out of memory"
    bug: bool = False
    after: str = ""

    def train(self, job: TrainJob) -> Path:
        if self.bug:
            raise ZeroDivisionError
        raise TrainingError("failing", self.problem, "Buy some.")


class Plugin:
    """Offers trainers that fail: one by itself, one that starts from it."""

    @hookimpl
    def routesdk_trainers(self) -> Iterable[Component[Trainer]]:
        def failing(config: Failing) -> Trainer:
            return config

        def upon(config: Failing) -> Trainer:
            return attrs.evolve(config, after="failing")

        yield Component(name="failing", factory=failing, config=Failing, summary="Fails.")
        yield Component(name="upon", factory=upon, config=Failing, summary="Starts from it.")


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return make_host(Plugin())


def settings(folder: Path, **others: object) -> TrainConfig:
    rows = write_dataset(folder / "rows.jsonl", make_examples(60))
    given: dict[str, object] = {"output": folder / "router", "work": folder / "work", "data": rows.path}
    return TrainConfig(tiers=MODELS, **{**given, **others})  # type: ignore[arg-type]


def test_a_compared_trainer_that_fails_is_named_and_the_router_is_saved(
    host: PluginHost, tmp_path: Path
) -> None:
    options = {"failing": {"problem": "no room"}}
    trained = train_router(settings(tmp_path, compare=("upon",), options=options), host=host)

    assert [each.name for each in trained.candidates] == ["linear"]
    assert Router.from_pretrained(str(trained.folder), host=host).route("Why?").policy
    out = io.StringIO()
    print_payoff(trained.payoff, trained.verdict, out=Console(file=out, width=400))
    assert "failing could not be measured: its training failed: TrainingError: " in out.getvalue()
    assert "no room" in out.getvalue()
    assert "upon could not be measured: failing, which it starts from, failed" in out.getvalue()
    record = json.loads((tmp_path / "work" / "payoff.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in record["failures"]] == ["failing", "upon"]


@pytest.mark.parametrize("name", ["failing", "upon"])
def test_the_trainer_that_is_asked_for_may_not_fail(host: PluginHost, tmp_path: Path, name: str) -> None:
    with pytest.raises(TrainingError, match="out of memory"):
        train_router(settings(tmp_path, trainer=PartConfig(name), compare=("linear",)), host=host)

    assert not (tmp_path / "router").exists()


def test_a_bug_of_a_compared_trainer_is_not_hidden(host: PluginHost, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        train_router(settings(tmp_path, compare=("failing",), options={"failing": {"bug": True}}), host=host)


def test_options_of_a_compared_trainer_are_checked_as_its_own(host: PluginHost, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="probem"):
        links(settings(tmp_path, compare=("failing",), options={"failing": {"probem": "x"}}), host)


def test_own_options_win_over_those_of_the_table(host: PluginHost, tmp_path: Path) -> None:
    table = {"linear": {"bits": 9, "reference_rows": 5}}
    found = links(
        settings(tmp_path, trainer=PartConfig("linear", {"bits": 10}), compare=(), options=table), host
    )

    (linear,) = found
    assert (linear.trainer.config.bits, linear.trainer.config.reference_rows) == (10, 5)  # type: ignore[attr-defined]


def test_the_config_of_the_guide_names_the_encoder(repository: Path) -> None:
    found = load_config(repository / "docs" / "snippets" / "train_compare.toml").train

    assert found.compare == ("encoder",)
    assert found.options == {"encoder": {"encoder": "models/all-MiniLM-L6-v2"}}
    with pytest.raises(ConfigError, match="options"):
        TrainConfig(options={"encoder": 3})  # type: ignore[dict-item]


def test_options_of_a_trainer_that_is_not_trained_are_refused(host: PluginHost, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.options\.failling") as caught:
        links(settings(tmp_path, compare=("failing",), options={"failling": {"problem": "x"}}), host)

    assert "linear, failing" in str(caught.value)
