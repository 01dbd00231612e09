"""The files that one training reads: which models stand for the tiers, and what is held out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.config import TrainConfig
from routesdk.dataset import example_from_row, read_examples, read_jsonl, replacing
from routesdk.errors import ConfigError, TrainingError
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.oracle.label import cell_name
from routesdk.pipeline.prepare import refuse_shared
from routesdk.pipeline.split import split
from routesdk.protocols import Matrix
from routesdk.types import Dataset, Example, Grade, Tier

_STAGE = "train"


@attrs.frozen(kw_only=True)
class TrainingData:
    """The rows of one training, divided.

    Attributes:
        train: Rows to learn from.
        validation: Rows for early stopping, calibration and the table at the end.
        tiers: The tiers with the models that stood for them.
        rows: How many rows to learn from.
        held_out: How many are held out.
    """

    train: Dataset
    validation: Dataset
    tiers: tuple[Tier, ...]
    rows: int
    held_out: int

    def hashes(self) -> npt.NDArray[np.uint64]:
        """Return the sorted hashes of all queries: validation rows calibrate, so they count as learned."""
        return _hashes(self.train, self.validation)

    def learned(self) -> npt.NDArray[np.uint64]:
        """Return the sorted hashes of the queries that weights were fitted to."""
        return _hashes(self.train)


def _hashes(*datasets: Dataset) -> npt.NDArray[np.uint64]:
    found = {query_hash(each.query.text) for part in datasets for each in read_examples(part.path)}
    return np.array(sorted(found), dtype=np.uint64)


def divide_data(config: TrainConfig, matrix: Matrix, folder: Path) -> TrainingData:
    """Write the rows of a training into a folder, those to learn from and those held out.

    Whole lines are copied, with whatever they hold beside outcomes. Without
    validation files, a part is held out by the one split function, stratified by
    joint cell, near duplicates together. The same rows give the same files.

    Args:
        config: `[train]`.
        matrix: Names the tiers.
        folder: Where the files go; made if it is missing.

    Raises:
        ConfigError: No file is named, or it is not clear which models stand for the tiers.
        DatasetError: A row cannot be used.
        LeakError: A question of the validation files is learned from.
        TrainingError: There are too few rows to hold a part out.
    """
    if not config.data:
        raise ConfigError("train.data", "()", "names no file", "Name what `routesdk oracle export` wrote.")
    models = config.tiers or tuple(tier.model for tier in manifest_tiers(config.data)) or _ask(config.data)
    if len(models) != len(matrix.tiers):
        problem = f"names {len(models)} models for {len(matrix.tiers)} tiers"
        raise ConfigError("train.tiers", ", ".join(models), problem, "Name one model a tier, cheapest first.")
    folder.mkdir(parents=True, exist_ok=True)
    train, validation = folder / "train.jsonl", folder / "validation.jsonl"
    _keep_inputs((*config.data, *config.validation), (train, validation))
    rows = list(_rows(config.data))
    if config.validation:
        held = list(_rows(config.validation))
        # Said before hours of training, not by the table at their end.
        refuse_shared((example for example, _ in rows), (example for example, _ in held))
    else:
        rows, held = _held_out(rows, models, config)
    for file, part in ((train, rows), (validation, held)):
        with replacing(file) as lines:
            for _, line in part:
                lines.write(line)
    return TrainingData(
        train=Dataset(name="train", path=train, tiers=models),
        validation=Dataset(name="validation", path=validation, tiers=models),
        tiers=tuple(Tier(name, model) for name, model in zip(matrix.tiers, models, strict=True)),
        rows=len(rows),
        held_out=len(held),
    )


def _rows(files: Sequence[Path]) -> Iterator[tuple[Example, bytes]]:
    for file in files:
        for line, row in read_jsonl(file):
            example = example_from_row(row, source=str(file), line=line)
            yield example, json.dumps(row, allow_nan=False).encode("ascii") + b"\n"


def _held_out(
    rows: list[tuple[Example, bytes]], models: Sequence[str], config: TrainConfig
) -> tuple[list[tuple[Example, bytes]], list[tuple[Example, bytes]]]:
    parts = split(
        [example.query.text for example, _ in rows],
        [_cell(example, models) for example, _ in rows],
        shares={"train": 1.0 - config.validation_share, "validation": config.validation_share},
        seed=config.seed,
    )
    train, held = ([rows[at] for at in parts.rows(name).tolist()] for name in ("train", "validation"))
    if not train or not held:
        problem = f"{len(rows)} rows are too few to hold {config.validation_share:.0%} out"
        raise TrainingError(_STAGE, problem, "Give more rows, or validation files.")
    return train, held


def _cell(example: Example, models: Sequence[str]) -> str:
    grades: list[Grade] = []
    for model in models:
        outcome = example.outcomes.get(model)
        if outcome is None or outcome.grade is None:
            return "ungraded"
        grades.append(outcome.grade)
    return cell_name(grades)


def manifest_tiers(files: Sequence[Path]) -> tuple[Tier, ...]:
    """Return the tiers that the manifest beside the first file names; none where there is no manifest.

    Raises:
        ConfigError: There is one, and it does not say so.
    """
    manifest = files[0].with_suffix(".manifest.json") if files else None
    if manifest is None or not manifest.is_file():
        return ()
    try:
        described = json.loads(manifest.read_text(encoding="utf-8"))["config"]["tiers"]
        return tuple(Tier(str(tier["name"]), str(tier["model"])) for tier in described)
    except (ValueError, KeyError, TypeError) as error:
        fix = "Name the models in `train.tiers`, cheapest first."
        raise ConfigError("train.data", str(manifest), f"names no tiers ({error!r})", fix) from error


def _ask(files: Sequence[Path]) -> NoReturn:
    """Ask which models stand for the tiers: which of a file's models is the cheaper one is not guessed."""
    found = {model for example, _ in _rows(files) for model in example.outcomes}
    shown = ", ".join(sorted(found)[:12]) or "none"
    problem = f"does not say which models stand for the tiers; its rows have {shown}"
    fix = "Name them in `train.tiers` or by --tier, cheapest first."
    raise ConfigError("train.data", os.fspath(files[0]), problem, fix)


def _keep_inputs(inputs: Sequence[Path], targets: Sequence[Path]) -> None:
    """Refuse to write over what is read."""
    for source in inputs:
        if any(target.exists() and source.exists() and target.samefile(source) for target in targets):
            problem = "would be written over: it lies where training keeps its own rows"
            raise ConfigError("train.work", str(source), problem, "Name another work folder.")
