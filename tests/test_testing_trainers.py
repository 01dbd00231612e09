"""The contract check of trainers: good ones pass, broken ones do not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import attrs
import numpy as np
import pytest

from routesdk.errors import TrainingError
from routesdk.protocols import PolicyModel
from routesdk.testing import FakePolicyModel, check_trainer, make_examples, write_dataset
from routesdk.types import Dataset, Grade, PredictionBatch, Query, TrainJob

CELLS = {"CC": 0.4, "IC": 0.35, "II": 0.25}


def broken(fault: str) -> pytest.RaisesExc[AssertionError]:
    return pytest.raises(AssertionError, match=f"(?s){fault}.*The contract: ")


class Counts:
    """A trainer that saves how often each cell occurred; a method is a step that can be broken."""

    def train(self, job: TrainJob) -> Path:
        rows = self.rows(job.train[0])
        found = {cell: rows.count(cell) / len(rows) for cell in sorted(set(rows))} if rows else {}
        if self.hopeless(found):
            raise TrainingError("counts", f"{len(rows)} rows of {len(found)} kinds", "Give more rows.")
        FakePolicyModel(cells=found or CELLS).save(job.output)
        return self.finish(job)

    def rows(self, dataset: Dataset) -> list[str]:
        lines = [json.loads(line) for line in dataset.path.read_text(encoding="utf-8").split("\n") if line]
        graded = [line["outcomes"] for line in lines if "outcomes" in line]
        return ["".join(Grade[each[model]["grade"]].value[0] for model in dataset.tiers) for each in graded]

    def hopeless(self, found: dict[str, float]) -> bool:
        return len(found) < 2

    def finish(self, job: TrainJob) -> Path:
        return job.output


class TrainsOnNothing(Counts):
    def hopeless(self, found: dict[str, float]) -> bool:
        return False


class TrainsOnOneClass(Counts):
    def hopeless(self, found: dict[str, float]) -> bool:
        return not found


class StumblesOverNothing(Counts):
    def hopeless(self, found: dict[str, float]) -> bool:
        return max(found.values()) == 1.0


class Signs(Counts):
    numbers = itertools.count()

    def finish(self, job: TrainJob) -> Path:
        (job.output / "run.json").write_text(str(next(self.numbers)))
        return job.output


class SavesElsewhere(Counts):
    def finish(self, job: TrainJob) -> Path:
        return job.output.parent


class SavesNoModel(Counts):
    def finish(self, job: TrainJob) -> Path:
        (job.output / "fake.json").write_text("{}")
        return job.output


class LeavesNothing(Counts):
    def finish(self, job: TrainJob) -> Path:
        (job.output / "fake.json").unlink()
        return job.output


class EatsItsRows(Counts):
    def finish(self, job: TrainJob) -> Path:
        with job.train[0].path.open("a") as file:
            file.write("\n")
        return job.output


class ReturnsText(Counts):
    def finish(self, job: TrainJob) -> Path:
        return cast("Path", str(job.output))


class LeavesARuin(Counts):
    def train(self, job: TrainJob) -> Path:
        (job.output / "config.json").write_text("{}")
        return super().train(job)


UNTRAINED = cast("PolicyModel", FakePolicyModel(cells=CELLS))


def test_a_trainer_that_keeps_its_contract_passes_on_made_up_rows_and_on_given_ones(tmp_path: Path) -> None:
    check_trainer(Counts(), UNTRAINED)
    rows = write_dataset(tmp_path / "rows.jsonl", make_examples(30))
    check_trainer(Counts(), UNTRAINED, job=TrainJob(train=(rows,), output=tmp_path / "unused"))

    assert not (tmp_path / "unused").exists()


class Wavers(FakePolicyModel):
    """Predicts otherwise in a batch than alone, by what a GPU may differ."""

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        batch = super().predict(queries)
        assert batch.cells is not None
        table = np.array(batch.cells)
        table[:, [0, 3]] += np.array([1e-3, -1e-3]) * (len(queries) > 1)
        return attrs.evolve(batch, cells=table)

    def load(self, folder: Path) -> FakePolicyModel:
        return Wavers(cells=super().load(folder).cells)


def test_a_trainer_whose_bytes_differ_passes_where_that_is_stated() -> None:
    check_trainer(Signs(), UNTRAINED, deterministic=False)


def test_what_a_trainer_made_is_checked_with_the_tolerance_that_is_stated() -> None:
    wavers = cast("PolicyModel", Wavers(cells=CELLS))

    with broken("alone than in a batch"):
        check_trainer(Counts(), wavers)
    check_trainer(Counts(), wavers, tolerance=2e-3)


@pytest.mark.parametrize(
    ("trainer", "fault"),
    [
        (TrainsOnNothing(), "raises nothing on no rows"),
        (TrainsOnOneClass(), "raises nothing on rows of one class"),
        (StumblesOverNothing(), "raises ValueError .* on no rows"),
        (Signs(), "writes other bytes in a second run: run.json"),
        (SavesElsewhere(), "returns .*, not .*first from train|returns .*, not "),
        (SavesNoModel(), "raises CheckpointError .* from load, on what it trained"),
        (LeavesNothing(), "leaves its output folder empty"),
        (EatsItsRows(), "changes rows.jsonl"),
        (ReturnsText(), "returns str from train"),
        (LeavesARuin(), "leaves files behind on no rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_trainer_that_breaks_a_promise_is_caught(trainer: Counts, fault: str) -> None:
    with broken(fault):
        check_trainer(trainer, UNTRAINED)


def test_made_up_examples_hold_all_nine_cells_and_are_the_same_each_time() -> None:
    grades = {tuple(outcome.grade for outcome in example.outcomes.values()) for example in make_examples()}

    assert len(grades) == 9
    assert make_examples() == make_examples()
    assert len({example.id for example in make_examples()}) == 240
