from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import attrs
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from routesdk import PluginHost, Query
from routesdk.dataset import read_examples
from routesdk.errors import CheckpointError, ConfigError, PredictionError, TrainingError
from routesdk.metrics import apgr
from routesdk.plugins.linear.model import LinearModel
from routesdk.testing import MODELS, check_trainer, make_examples, make_host, write_dataset
from routesdk.types import Dataset, Example, Grade, Outcome, Policy, Tier, TrainJob

SMALL: dict[str, object] = {"bits": 10, "reference_rows": 100}
BOUND = (Tier("medium", MODELS[0]), Tier("large", MODELS[1]))
UNSEEN = (Tier("medium", "new-small"), Tier("large", "new-large"))
POLICY = Policy("Complex_Query", "Only the large model answers it correctly.", "large")


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return make_host()


def train(host: PluginHost, folder: Path, *datasets: Dataset, **options: object) -> LinearModel:
    output = folder / "model"
    output.mkdir()
    validation = options.pop("validation", ())
    job = TrainJob(train=datasets, output=output, validation=validation)  # type: ignore[arg-type]
    host.trainer("linear", **{**SMALL, **options}).train(job)
    model = host.policy_model("linear").load(output)
    assert isinstance(model, LinearModel)
    return model


def rows(folder: Path, examples: Iterable[Example], tiers: tuple[str, ...] = MODELS) -> Dataset:
    return write_dataset(folder / "rows.jsonl", examples, tiers=tiers)


@pytest.fixture(scope="module")
def trained(host: PluginHost, tmp_path_factory: pytest.TempPathFactory) -> LinearModel:
    folder = tmp_path_factory.mktemp("linear")
    return train(host, folder, rows(folder, make_examples(400)))


def scored(count: int = 200) -> list[Example]:
    found = []
    for index, example in enumerate(make_examples(count)):
        hard = index % 3
        outcomes = {
            model: Outcome(model=model, score=max(0.0, (0.9, 0.7)[rank] - 0.3 * (hard - rank)) / 1.3)
            for rank, model in enumerate(MODELS)
        }
        found.append(attrs.evolve(example, outcomes=outcomes))
    return found


def test_the_trainer_and_what_it_trains_keep_their_contracts(host: PluginHost) -> None:
    check_trainer(host.trainer("linear", **SMALL), host.policy_model("linear"))


# Prediction.


def test_it_learns_which_questions_need_the_large_model(trained: LinearModel) -> None:
    easy = [row.query for row in make_examples(400)[0::3]]
    hard = [row.query for row in make_examples(400)[1::3]]

    gains = [trained.bind(BOUND).predict(queries).joint().reshape(-1, 3, 3) for queries in (easy, hard)]

    easy_gain, hard_gain = [(each[:, :, 0].sum(axis=1) - each[:, 0].sum(axis=1)).mean() for each in gains]
    assert hard_gain > easy_gain + 0.3


def test_probabilities_agree_on_average_with_what_was_recorded(trained: LinearModel) -> None:
    examples = make_examples(400)
    cells = trained.bind(BOUND).predict([row.query for row in examples]).joint().mean(axis=0)

    recorded = np.zeros((3, 3))
    for row in examples:
        places = [list(Grade).index(row.outcomes[model].grade or Grade.CORRECT) for model in MODELS]
        recorded[places[0], places[1]] += 1 / len(examples)
    np.testing.assert_allclose(cells.reshape(3, 3), recorded, atol=0.06)


def test_an_untrained_one_says_what_to_do(host: PluginHost) -> None:
    with pytest.raises(PredictionError, match="load"):
        host.policy_model("linear").predict([Query("Why?")])


def test_a_fresh_one_predicts_for_the_tiers_in_general_without_a_notice(trained: LinearModel) -> None:
    batch = trained.predict([Query("Why?")])

    assert batch.notices == ()
    np.testing.assert_array_equal(batch.joint(), trained.bind(UNSEEN).predict([Query("Why?")]).joint())


def test_a_learned_model_beside_one_that_never_was_gets_a_generic_head_too(trained: LinearModel) -> None:
    batch = trained.bind((BOUND[0], UNSEEN[1])).predict([Query("Why?")])

    alone, unseen = batch.notices
    assert alone.startswith(f"{BOUND[0].model} was never graded on the same rows")
    assert unseen.startswith(f"{UNSEEN[1].model} was never learned")
    generic = trained.bind(UNSEEN).predict([Query("Why?")])
    assert batch.cells is not None
    assert generic.cells is not None
    assert batch.cells.tolist() == generic.cells.tolist()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_any_number_of_tiers_has_a_joint(trained: LinearModel, count: int) -> None:
    tiers = tuple(Tier(f"tier-{rank}", f"model-{rank}") for rank in range(count))

    joint = trained.bind(tiers).predict([Query("Why?"), Query("Name fact 3")]).joint()

    assert joint.shape == (2, 3**count)
    np.testing.assert_allclose(joint.sum(axis=1), 1.0, atol=1e-6)


def test_a_tier_in_the_middle_lies_between_its_neighbours(trained: LinearModel) -> None:
    tiers = tuple(Tier(f"tier-{rank}", f"model-{rank}") for rank in range(3))
    query = Query("Explain step by step and in detail fact 1 about opera with every exception there is?")

    joint = trained.bind(tiers).predict([query]).joint().reshape(3, 3, 3)

    low, middle, high = joint[0].sum(), joint[:, 0].sum(), joint[:, :, 0].sum()
    assert low < middle < high


def test_a_long_query_is_cut_and_says_so(trained: LinearModel) -> None:
    batch = trained.predict([Query("short"), Query("long " * 2000)])

    assert batch.cut is not None
    assert batch.cut.tolist() == [False, True]


def test_no_query_gives_an_empty_batch(trained: LinearModel) -> None:
    assert len(trained.bind(BOUND).predict([])) == 0


def test_a_reason_names_the_policy_the_expectation_and_words(trained: LinearModel) -> None:
    reason = trained.bind(BOUND).explain(Query("Prove the fact about opera"), POLICY)

    assert reason.startswith(POLICY.description)
    assert "%" in reason
    assert "opera" in reason or "fact" in reason or "Prove" in reason


def test_reference_rows_are_predicted_for_the_bound_tiers(trained: LinearModel) -> None:
    swapped = (Tier("medium", MODELS[1]), Tier("large", MODELS[0]))
    bound, other = (trained.bind(tiers).reference() for tiers in (BOUND, swapped))

    assert bound is not None
    assert other is not None
    assert len(bound) == len(other) == SMALL["reference_rows"]
    table = bound.joint().reshape(-1, 3, 3)
    np.testing.assert_allclose(table, other.joint().reshape(-1, 3, 3).transpose(0, 2, 1), atol=1e-6)
    assert table[:, 0].sum() < table[:, :, 0].sum()


# Training.


def test_scores_are_learned_as_expected_quality(host: PluginHost, tmp_path: Path) -> None:
    examples = scored()
    model = train(host, tmp_path, rows(tmp_path, examples)).bind(BOUND)

    joint = model.predict([row.query for row in examples]).joint().reshape(-1, 3, 3)

    wanted = np.mean([row.outcomes[MODELS[1]].quality for row in examples])
    assert joint[:, :, 0].sum(axis=1).mean() == pytest.approx(wanted, abs=0.05)
    # Nobody abstained here.
    assert joint[:, 2].sum() + joint[:, :, 2].sum() < 0.02 * len(examples)


def test_abstaining_is_learned_where_it_occurs_often_enough(host: PluginHost, tmp_path: Path) -> None:
    examples = []
    for index, row in enumerate(make_examples(400)):
        shy = index % 3 == 2
        grade = Grade.ABSTAINED if shy else tuple(Grade)[index % 2]
        outcomes = {MODELS[0]: Outcome(model=MODELS[0], grade=grade), MODELS[1]: row.outcomes[MODELS[1]]}
        examples.append(attrs.evolve(row, outcomes=outcomes))
    model = train(host, tmp_path, rows(tmp_path, examples)).bind(BOUND)

    joint = model.predict([row.query for row in examples]).joint().reshape(-1, 3, 3)

    abstained = joint[:, 2].sum(axis=1)
    assert abstained[2::3].mean() > 0.7
    assert abstained[0::3].mean() < 0.3


def test_validation_rows_calibrate_in_place_of_cross_validation(host: PluginHost, tmp_path: Path) -> None:
    examples = make_examples(400)
    folder = tmp_path / "held"
    folder.mkdir()
    lost = [
        attrs.evolve(
            row,
            outcomes={model: Outcome(model=model, grade=Grade.INCORRECT) for model in MODELS}
            if index % 2
            else row.outcomes,
        )
        for index, row in enumerate(examples[300:])
    ]
    taught = rows(tmp_path, examples[:300])
    held = rows(folder, lost)

    plain = train(host, folder, taught).bind(BOUND)
    judged = train(host, tmp_path, taught, validation=(held,)).bind(BOUND)

    queries = [row.query for row in examples[:60]]
    chances = [each.predict(queries).joint().reshape(-1, 3, 3)[:, 0].sum() for each in (plain, judged)]
    assert chances[1] < chances[0] - 3
    reference = judged.reference()
    assert reference is not None
    assert len(reference) == len(lost)


def test_a_data_set_without_tiers_teaches_its_models_alone(host: PluginHost, tmp_path: Path) -> None:
    model = train(host, tmp_path, rows(tmp_path, make_examples(), tiers=()))

    assert len(model.bind(BOUND).predict([Query("Why?")])) == 1
    with pytest.raises(ConfigError, match="never learned"):
        model.bind(UNSEEN)
    with pytest.raises(PredictionError, match="bind"):
        model.predict([Query("Why?")])


def test_a_file_that_is_named_twice_is_learned_once(host: PluginHost, tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    folder.mkdir()
    dataset = rows(tmp_path, make_examples())

    once = train(host, tmp_path, dataset).bind(BOUND).predict([Query("Name opera")])
    twice = (
        train(host, folder, dataset, attrs.evolve(dataset, tiers=()))
        .bind(BOUND)
        .predict([Query("Name opera")])
    )

    np.testing.assert_array_equal(once.joint(), twice.joint())


@pytest.mark.parametrize(
    ("tiers", "said"),
    [((MODELS[0],), "1 models for 2 tiers"), ((MODELS[0], "nobody"), "'nobody'")],
)
def test_tiers_that_do_not_fit_are_refused(
    host: PluginHost, tmp_path: Path, tiers: tuple[str, ...], said: str
) -> None:
    with pytest.raises(TrainingError, match=said):
        train(host, tmp_path, rows(tmp_path, make_examples(60), tiers=tiers))


def test_a_handful_of_rows_is_refused(host: PluginHost, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there are 12 graded rows"):
        train(host, tmp_path, rows(tmp_path, make_examples(12)))


@pytest.mark.parametrize("options", [{"bits": 40}, {"penalty": 0.0}, {"folds": 1}, {"bitz": 12}])
def test_settings_out_of_range_are_refused(host: PluginHost, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        host.trainer("linear", **options)


# Files.


@pytest.fixture
def saved(trained: LinearModel, tmp_path: Path) -> Path:
    trained.save(tmp_path)
    return tmp_path


def test_another_seed_is_another_model_and_the_same_one_the_same_bytes(
    host: PluginHost, tmp_path: Path
) -> None:
    dataset = rows(tmp_path, make_examples())
    contents = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        folder = tmp_path / name
        folder.mkdir()
        host.trainer("linear", **SMALL).train(TrainJob(train=(dataset,), output=folder, seed=seed))
        contents.append({file.name: file.read_bytes() for file in folder.iterdir()})

    assert contents[0] == contents[1] != contents[2]


def test_a_newer_format_is_refused(saved: Path) -> None:
    file = saved / "linear.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))

    with pytest.raises(CheckpointError, match="format 99"):
        LinearModel().load(saved)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 1, "bits": "many"}'])
def test_a_foreign_table_is_refused(saved: Path, content: str) -> None:
    (saved / "linear.json").write_text(content)

    with pytest.raises(CheckpointError, match=r"linear\.json"):
        LinearModel().load(saved)


@pytest.mark.parametrize("name", ["buckets", "steps", "shapes", "bias", "rarity", "reference"])
@pytest.mark.parametrize("damage", ["gone", "misshapen", "not finite"])
def test_arrays_that_do_not_fit_are_refused(saved: Path, name: str, damage: str) -> None:
    file = saved / "linear.safetensors"
    arrays = load_file(file)
    if damage == "gone":
        del arrays[name]
    elif damage == "misshapen":
        arrays[name] = arrays[name][..., :-1].copy()
    elif name == "buckets":
        pytest.skip("whole numbers are always finite")
    else:
        arrays[name] = np.full_like(arrays[name], np.nan)
    save_file(arrays, file)

    with pytest.raises(CheckpointError, match=name):
        LinearModel().load(saved)


def test_loading_leaves_the_loader_as_it_is(saved: Path) -> None:
    empty = LinearModel()
    empty.load(saved)

    with pytest.raises(PredictionError):
        empty.predict([Query("Why?")])


# Real outcomes.


def test_on_real_questions_its_ranking_is_worth_more_than_chance(
    host: PluginHost, tmp_path: Path, data_folder: Path
) -> None:
    pair = ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022")
    examples = [
        attrs.evolve(row, outcomes={model: row.outcomes[model] for model in pair})
        for row in read_examples(data_folder / "simpleqa_cs.jsonl.gz")
    ]
    held = examples[1::3]
    taught = examples[0::3] + examples[2::3]

    model = train(host, tmp_path, rows(tmp_path, taught, tiers=pair), bits=15, folds=2)

    joint = model.bind((Tier("medium", pair[0]), Tier("large", pair[1]))).predict([row.query for row in held])
    cells = joint.joint().reshape(-1, 3, 3)
    gains = cells[:, :, 0].sum(axis=1) - cells[:, 0].sum(axis=1)
    qualities = [[row.outcomes[model].quality for row in held] for model in pair]
    assert apgr(gains, *qualities) > 0.55
