"""From an oracle to a checkpoint by the trainer `linear`: what is written, done once, and refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest

from routesdk import Component, PluginHost, Router, hookimpl
from routesdk.config import TrainConfig
from routesdk.dataset import write_examples
from routesdk.errors import CheckpointError, ConfigError, LeakError, TrainingError, UnknownComponentError
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.training import compare_bases, divide_data, links, policy_gains, train_router
from routesdk.pipeline.training.train import matrix_of
from routesdk.protocols import Trainer
from routesdk.testing import MODELS, make_examples, make_host
from routesdk.types import Grade, Outcome, PartConfig, TrainJob

HOST = PluginHost(entry_points=False)
ROWS = make_examples(120)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """A training on 120 rows that takes a fraction of a second."""
    write_examples(tmp_path / "oracle.jsonl", ROWS)
    return TrainConfig(
        data=(tmp_path / "oracle.jsonl",),
        tiers=MODELS,
        output=tmp_path / "router",
        work=tmp_path / "work",
        trainer=PartConfig("linear", {"bits": 10}),
        compare=(),
    )


def texts(file: Path) -> set[str]:
    return {json.loads(line)["query"] for line in file.read_text().splitlines()}


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_training_leaves_a_checkpoint_that_loads_knows_its_rows_and_says_what_it_is_worth(
    config: TrainConfig,
) -> None:
    trained = train_router(config, host=HOST)

    router = Router.from_pretrained(config.output, host=HOST)
    assert [tier.model for tier in router.tiers] == list(MODELS)
    assert router.route(ROWS[0].query).checkpoint_id == router.checkpoint_id
    assert router.training_hashes().tolist() == sorted({query_hash(row.query.text) for row in ROWS})
    assert router.shift is not None
    assert [source.rows for source in router.shift.sources] == [len(ROWS)]
    assert router.shift.notice in router.route("SELECT a.id FROM orders a WHERE a.n > 3;").notices
    card = (config.output / "README.md").read_text()
    assert "at most 5%" in card
    assert "oracle.jsonl" in card
    assert "`linear`" in card
    (figures,) = trained.payoff.candidates
    (line,) = [line for line in card.splitlines() if "linear" in line and "accuracy" in line]
    assert f"{figures.accuracy.value:.3f}" in line
    assert json.loads((config.work / "payoff.json").read_text())["verdict"]["advice"]


def test_rows_held_out_are_other_ones_than_those_learned_from_and_all_are_there(config: TrainConfig) -> None:
    trained = train_router(config, host=HOST)

    learned, held = (texts(config.work / "data" / f"{part}.jsonl") for part in ("train", "validation"))
    assert not learned & held
    assert learned | held == {row.query.text for row in ROWS}
    assert trained.payoff.rows == len(held)
    assert {each.name for each in trained.payoff.baselines} == {
        "always medium",
        "always large",
        "random",
        "prompt length",
        "oracle",
    }


def test_a_training_that_is_done_is_not_done_again(config: TrainConfig) -> None:
    train_router(config, host=HOST)
    before = files(config.work / "models")

    again = train_router(config, host=HOST)

    assert files(config.work / "models") == before
    assert again.folder == config.output


@pytest.mark.parametrize("change", ["rows", "seed", "options"])
def test_other_rows_another_seed_or_other_options_are_trained_anew(config: TrainConfig, change: str) -> None:
    train_router(config, host=HOST)
    before = files(config.work / "models")
    if change == "rows":
        write_examples(config.data[0], ROWS[:-10])
    elif change == "seed":
        config = attrs.evolve(config, seed=1)
    else:
        config = attrs.evolve(config, trainer=PartConfig("linear", {"bits": 11}))

    train_router(config, host=HOST)

    after = files(config.work / "models")
    assert after["linear.json"] != before["linear.json"]
    assert {mtime for _, mtime in after.values()}.isdisjoint(mtime for _, mtime in before.values())


def test_tiers_are_those_of_the_manifest_beside_the_file(config: TrainConfig) -> None:
    tiers = [{"name": "medium", "model": MODELS[0]}, {"name": "large", "model": MODELS[1]}]
    config.data[0].with_suffix(".manifest.json").write_text(json.dumps({"config": {"tiers": tiers}}))

    trained = train_router(attrs.evolve(config, tiers=()), host=HOST)

    assert [tier.model for tier in trained.router.tiers] == list(MODELS)


@pytest.mark.parametrize("manifest", [None, '{"config": {}}', "no JSON"])
def test_tiers_that_nobody_names_are_asked_for(config: TrainConfig, manifest: str | None) -> None:
    if manifest is not None:
        config.data[0].with_suffix(".manifest.json").write_text(manifest)

    with pytest.raises(ConfigError, match=r"train\.tiers") as caught:
        train_router(attrs.evolve(config, tiers=()), host=HOST)

    assert "cheapest first" in caught.value.fix
    assert manifest is not None or all(model in caught.value.problem for model in MODELS)


def test_validation_files_of_their_own_are_held_out_and_nothing_else(config: TrainConfig) -> None:
    held = config.data[0].with_name("held.jsonl")
    write_examples(config.data[0], ROWS[:90])
    write_examples(held, ROWS[90:])

    trained = train_router(attrs.evolve(config, validation=(held,)), host=HOST)

    assert texts(config.work / "data" / "train.jsonl") == {row.query.text for row in ROWS[:90]}
    assert trained.payoff.rows == 30
    assert len(trained.router.training_hashes()) == 120


def test_validation_rows_that_are_learned_from_are_refused_before_training(config: TrainConfig) -> None:
    held = config.data[0].with_name("held.jsonl")
    write_examples(held, ROWS[7:9])

    with pytest.raises(LeakError) as caught:
        train_router(attrs.evolve(config, validation=(held,)), host=HOST)

    assert caught.value.ids == ("row-7", "row-8")
    assert not (config.work / "models").exists()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"data": ()}, ConfigError, "names no file"),
        ({"data": (Path("missing.jsonl"),)}, ConfigError, r"missing\.jsonl"),
        ({"tiers": ("medium-model",)}, ConfigError, "not two names of tiers"),
        ({"trainer": PartConfig("linaer")}, UnknownComponentError, "Did you mean 'linear'"),
        ({"matrix": "nine-cel"}, UnknownComponentError, "Did you mean 'nine-cell'"),
        ({"tiers": ("nobody", "large-model")}, TrainingError, "nobody"),
    ],
)
def test_what_cannot_be_trained_with_is_named(
    config: TrainConfig, change: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        train_router(attrs.evolve(config, **change), host=HOST)

    assert not config.output.exists()


def test_two_rows_are_too_few_to_hold_a_part_out(config: TrainConfig) -> None:
    write_examples(config.data[0], ROWS[:1])

    with pytest.raises(TrainingError, match="too few to hold 15% out"):
        train_router(config, host=HOST)


def test_a_folder_that_holds_something_else_is_left_alone(config: TrainConfig) -> None:
    config.output.mkdir()
    (config.output / "thesis.txt").write_text("years of work")

    with pytest.raises(CheckpointError, match="router"):
        train_router(config, host=HOST)

    assert [path.name for path in config.output.iterdir()] == ["thesis.txt"]


def test_a_training_that_fails_leaves_no_model_and_is_tried_again(config: TrainConfig) -> None:
    broken = BrokenOnce()
    with pytest.raises(TrainingError, match="no such luck"):
        train_router(attrs.evolve(config, trainer=PartConfig("second")), host=make_host(Chain(broken)))
    assert not (config.work / "models" / "second").exists()
    first = files(config.work / "models" / "first")

    trained = train_router(attrs.evolve(config, trainer=PartConfig("second")), host=make_host(Chain(broken)))

    assert trained.folder == config.output
    # The first of the chain was done, and is not done again.
    assert files(config.work / "models" / "first") == first


@attrs.define
class Copied:
    """Trains `linear`; the second of a chain starts from the first."""

    trainer: Trainer
    after: str = ""
    broken: BrokenOnce | None = None
    policy_model: str = "linear"
    started: list[Path | None] = attrs.field(factory=list, repr=False, eq=False)

    def train(self, job: TrainJob) -> Path:
        self.started.append(job.start)
        if self.broken is not None and self.broken.tries == 0:
            self.broken.tries += 1
            (job.output / "half.txt").write_text("half")
            raise TrainingError("second", "no such luck", "Try again.")
        return self.trainer.train(job)


@attrs.define
class BrokenOnce:
    tries: int = attrs.field(default=0, repr=False)


@attrs.define
class Chain:
    """Offers two trainers, of which the second goes on from the first; or both from each other."""

    broken: BrokenOnce | None = None
    circle: bool = False
    built: list[Copied] = attrs.field(factory=list)

    @hookimpl
    def routesdk_trainers(self) -> Iterable[Component[Trainer]]:
        yield Component(name="first", factory=self._first, summary="For tests.")
        yield Component(name="second", factory=self._second, summary="For tests.")

    def _first(self) -> Trainer:
        return self._built(Copied(HOST.trainer("linear", bits=10), after="second" if self.circle else ""))

    def _second(self) -> Trainer:
        return self._built(Copied(HOST.trainer("linear", bits=10), after="first", broken=self.broken))

    def _built(self, trainer: Copied) -> Trainer:
        self.built.append(trainer)
        return trainer


def test_a_trainer_of_a_plugin_gets_the_output_of_the_one_it_goes_on_from(config: TrainConfig) -> None:
    chain = Chain()

    trained = train_router(attrs.evolve(config, trainer=PartConfig("second")), host=make_host(chain))

    (second,) = [each for each in chain.built if each.after]
    assert second.started == [config.work / "models" / "first"]
    assert [each.name for each in trained.candidates] == ["first", "second"]
    assert Router.from_pretrained(config.output, host=HOST).route("Why?").model in MODELS


def test_trainers_that_go_on_from_each_other_are_refused(config: TrainConfig) -> None:
    with pytest.raises(ConfigError, match="starts from itself"):
        links(attrs.evolve(config, trainer=PartConfig("second")), make_host(Chain(circle=True)))


def test_policies_gain_what_escalation_bought_on_the_rows(config: TrainConfig) -> None:
    matrix = matrix_of(config, HOST)
    gains = policy_gains(divide_data(config, matrix, config.work / "data"), matrix)

    wanted: dict[str, list[float]] = {}
    for row in ROWS:
        grades = tuple(grade for model in MODELS if (grade := row.outcomes[model].grade) is not None)
        won = float(grades[1] is Grade.CORRECT) - float(grades[0] is Grade.CORRECT)
        wanted.setdefault(matrix.policy(grades).name, []).append(won)
    assert set(gains) == set(wanted)
    for name, won in wanted.items():
        assert gains[name] == (pytest.approx(sum(won) / len(won)),)


def test_rows_with_scores_teach_as_chances_of_being_correct(config: TrainConfig) -> None:
    scored = [
        attrs.evolve(
            row,
            outcomes={
                name: Outcome(model=name, score=0.75 if outcome.grade is Grade.CORRECT else 0.25)
                for name, outcome in row.outcomes.items()
            },
        )
        for row in ROWS
    ]
    write_examples(config.data[0], scored)
    matrix = matrix_of(config, HOST)

    trained = train_router(config, host=HOST)

    gains = policy_gains(divide_data(config, matrix, config.work / "data"), matrix)
    # Of its cells, each policy's gain is what its grades say, whatever their chances.
    assert gains["Complex_Query"] == (pytest.approx(1.0),)
    assert gains["Ambiguous_Query"] == (pytest.approx(0.0),)
    assert -1.0 < gains["Standard_Query"][0] < 0.0
    assert Router.from_pretrained(trained.folder, host=HOST).tiers == trained.router.tiers


@pytest.mark.parametrize("bases", [(), ("a/model", "b/model"), ("x", "x/")])
def test_base_models_of_one_name_are_refused(config: TrainConfig, bases: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="no base model, or two of one name"):
        compare_bases(config, bases, host=HOST)
