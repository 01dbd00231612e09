"""The contract check of trainers, and data to train on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import attrs

from routesdk.dataset import write_examples
from routesdk.errors import TrainingError
from routesdk.protocols import PolicyModel, Trainer
from routesdk.testing.batches import SAME_WITHIN
from routesdk.testing.fakes import MODELS
from routesdk.testing.models import check_policy_model
from routesdk.testing.verdict import broken, call, must_raise, require
from routesdk.types import GRADES, Dataset, Example, Grade, Outcome, Query, Tier, TrainJob

_TRAINS = "train saves a policy model in job.output, and returns that folder"

_TOPICS = ("rivers of Peru", "prime numbers", "knots at sea", "opera", "beetles", "medieval law")


def make_examples(count: int = 240, *, models: tuple[str, ...] = MODELS) -> tuple[Example, ...]:
    """Return graded questions in which all nine cells occur and short questions are the easy ones.

    Made by a rule, not by chance: the same ones each time.

    Args:
        count: How many.
        models: The models that were graded, cheapest first.
    """
    return tuple(_example(index, models) for index in range(count))


def _example(index: int, models: tuple[str, ...]) -> Example:
    topic = _TOPICS[index % len(_TOPICS)]
    hard = index % 3
    asked = (
        "Name",
        "Explain step by step and in detail",
        "Prove, or guess, which unrecorded source settles",
    )[hard]
    text = f"{asked} fact {index} about {topic}" + " with every exception there is" * hard + "?"
    outcomes = {}
    for rank, model in enumerate(models):
        # Harder questions need a dearer model; every fourth one goes through all cells in turn.
        grade = Grade.CORRECT if hard <= rank else Grade.INCORRECT
        if index % 4 == 3:
            grade = GRADES[index // 4 // len(GRADES) ** rank % len(GRADES)]
        answer = {Grade.CORRECT: str(index), Grade.INCORRECT: f"not {index}"}.get(grade, "I don't know.")
        outcomes[model] = Outcome(model=model, grade=grade, answer=answer)
    return Example(id=f"row-{index}", query=Query(text), reference=str(index), topic=topic, outcomes=outcomes)


def write_dataset(
    path: Path, examples: Iterable[Example], *, tiers: tuple[str, ...] = MODELS, name: str = "test"
) -> Dataset:
    """Write examples as JSONL, as the `recorded` benchmark reads it, and return the dataset.

    Args:
        path: The file to write.
        examples: The rows.
        tiers: Models of the tiers, cheapest first.
        name: What reports call the dataset.
    """
    write_examples(path, examples)
    return Dataset(name=name, path=path, tiers=tiers)


def check_trainer(
    trainer: Trainer,
    model: PolicyModel,
    *,
    job: TrainJob | None = None,
    deterministic: bool = True,
    tolerance: float = SAME_WITHIN,
) -> None:
    """Check that a trainer keeps its contract.

    What it trains must load, and keep the contract of a policy model; the same
    seed must give the same bytes; and rows from which nothing can be learned
    must raise `TrainingError`.

    Args:
        trainer: The trainer, with its smallest settings.
        model: An untrained policy model of the kind that it trains.
        job: What to train on; without it, 240 made-up rows. Its output is not written to.
        deterministic: Whether to ask for the same bytes each time; training on
            a GPU cannot always promise them.
        tolerance: As `check_policy_model` takes it, for what was trained.

    Raises:
        AssertionError: A promise is broken; the text says which.
    """
    with tempfile.TemporaryDirectory(prefix="routesdk-check-") as name:
        folder = Path(name)
        if job is None:
            rows = write_dataset(folder / "rows.jsonl", make_examples())
            job = TrainJob(train=(rows,), output=folder)
        before = {dataset.path: dataset.path.read_bytes() for dataset in (*job.train, *job.validation)}
        first = _train(trainer, attrs.evolve(job, output=_empty(folder / "first")))
        _check_trained(trainer, model, first, job, tolerance)
        if deterministic:
            second = _train(trainer, attrs.evolve(job, output=_empty(folder / "second")))
            _check_bytes(trainer, first, second)
        for path, content in before.items():
            kept = path.read_bytes() == content
            require(kept, trainer, f"changes {path.name}", "a trainer reads its rows and leaves them be")
        _check_hopeless(trainer, job, folder)


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _train(trainer: Trainer, job: TrainJob) -> Path:
    output = call(trainer, "from train", _TRAINS, trainer.train, job)
    if not isinstance(output, Path):
        raise broken(trainer, f"returns {type(output).__name__} from train", _TRAINS)
    require(output == job.output, trainer, f"returns {output}, not {job.output}", _TRAINS)
    require(any(output.iterdir()), trainer, "leaves its output folder empty", _TRAINS)
    return output


def _check_trained(
    trainer: Trainer, model: PolicyModel, output: Path, job: TrainJob, tolerance: float
) -> None:
    promise = "an untrained policy model of its kind loads what was trained"
    trained = call(trainer, "from load, on what it trained", promise, model.load, output)
    check_policy_model(trained, tolerance=tolerance)
    learned = job.train[0].tiers
    if learned:
        tiers = tuple(Tier(name, model) for name, model in zip(job.tiers, learned, strict=True))
        check_policy_model(trained, tiers=tiers, tolerance=tolerance)


def _check_bytes(trainer: Trainer, first: Path, second: Path) -> None:
    contents = [
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (first, second)
    ]
    differing = sorted(
        path.as_posix()
        for path in contents[0].keys() | contents[1].keys()
        if contents[0].get(path) != contents[1].get(path)
    )
    promise = "the same rows and seed give the same bytes"
    require(not differing, trainer, f"writes other bytes in a second run: {', '.join(differing)}", promise)


def _check_hopeless(trainer: Trainer, job: TrainJob, folder: Path) -> None:
    tiers = job.train[0].tiers or MODELS
    won = {model: Outcome(model=model, grade=Grade.CORRECT) for model in tiers}
    hopeless = {
        "no rows": (),
        "rows of one class": tuple(attrs.evolve(row, outcomes=won) for row in make_examples(60)),
        "rows without outcomes": tuple(attrs.evolve(row, outcomes={}) for row in make_examples(60)),
    }
    for index, (what, rows) in enumerate(hopeless.items()):
        dataset = write_dataset(folder / f"hopeless-{index}.jsonl", rows, tiers=tiers)
        output = _empty(folder / f"hopeless-{index}")
        bad = attrs.evolve(job, train=(dataset,), validation=(), output=output)
        must_raise(trainer, f"on {what}", TrainingError, trainer.train, bad)
        left = any(output.iterdir())
        require(
            not left, trainer, f"leaves files behind on {what}", "a failed training leaves nothing that loads"
        )
