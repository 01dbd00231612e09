"""The rows of a training run as arrays: texts, and how each model and each tier fared on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.dataset import read_examples
from routesdk.errors import TrainingError
from routesdk.types import GRADES, Dataset, Outcome, Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BY_GRADE = {grade: tuple(float(grade is other) for other in GRADES) for grade in GRADES}


@attrs.frozen(eq=False)
class TierRows:
    """Rows whose data set names the models that stand for the tiers.

    Attributes:
        rows: Row numbers, (graded,).
        labels: Probabilities of the grades, (graded, tiers, 3); NaN where a tier was not graded.
    """

    rows: NDArray[np.int64]
    labels: Floats


@attrs.frozen(eq=False)
class Rows:
    """Everything that is learned from.

    Attributes:
        queries: The queries.
        texts: What is read of each.
        models: The models that were graded, by name.
        labels: Probabilities of the grades, (rows, models, 3); NaN where a model was not graded.
        tiers: What the data sets teach about the tiers.
    """

    queries: list[Query]
    texts: list[str]
    models: tuple[str, ...]
    labels: Floats
    tiers: TierRows

    def take(self, chosen: NDArray[np.int64]) -> Rows:
        """Return some of the rows, each at most once, with what they teach about the tiers."""
        places = np.full(len(self.texts), -1)
        places[chosen] = np.arange(len(chosen))
        kept = places[self.tiers.rows] >= 0
        return Rows(
            queries=[self.queries[at] for at in chosen.tolist()],
            texts=[self.texts[at] for at in chosen.tolist()],
            models=self.models,
            labels=self.labels[chosen],
            tiers=TierRows(places[self.tiers.rows[kept]], self.tiers.labels[kept]),
        )


def read_rows(
    datasets: Sequence[Dataset], tiers: tuple[str, ...], *, trainer: str, read: Callable[[Query], str]
) -> Rows:
    """Read data sets; a file that is named twice is read once, and teaches the tiers twice.

    Args:
        datasets: Files, with the models that stand for the tiers.
        tiers: Names of the tiers.
        trainer: Name of the trainer, for errors.
        read: Returns what is read of a query.

    Raises:
        TrainingError: There is no graded row, or a data set names another number of tiers.
        DatasetError: A row cannot be used; file and line are named.
    """
    queries: list[Query] = []
    graded: list[dict[str, Outcome]] = []
    spans: dict[Path, range] = {}
    for dataset in datasets:
        if len(dataset.tiers) not in (0, len(tiers)):
            raise TrainingError(
                trainer,
                f"data set {dataset.name!r} names {len(dataset.tiers)} models for {len(tiers)} tiers",
                "Name one model a tier, cheapest first, or none.",
            )
        if dataset.path in spans:
            continue
        start = len(queries)
        for example in read_examples(dataset.path):
            queries.append(example.query)
            graded.append(dict(example.outcomes))
        spans[dataset.path] = range(start, len(queries))
    models = tuple(sorted({model for outcomes in graded for model in outcomes}))
    if not models:
        raise TrainingError(trainer, "no row has an outcome", "Give rows with graded outcomes.")
    labels = _labels(graded, models)
    tier_rows = _tier_rows(datasets, spans, models, labels, tiers=len(tiers), trainer=trainer)
    return Rows(queries, [read(query) for query in queries], models, labels, tier_rows)


def _labels(graded: Sequence[dict[str, Outcome]], models: tuple[str, ...]) -> Floats:
    columns = {model: column for column, model in enumerate(models)}
    labels = np.full((len(graded), len(models), len(GRADES)), np.nan)
    for row, outcomes in enumerate(graded):
        for model, outcome in outcomes.items():
            quality = outcome.quality
            # A score is an expected quality: what is missing from 1 is taken for incorrect.
            labels[row, columns[model]] = (
                (quality, 1.0 - quality, 0.0) if outcome.grade is None else _BY_GRADE[outcome.grade]
            )
    return labels


def _tier_rows(
    datasets: Sequence[Dataset],
    spans: dict[Path, range],
    models: tuple[str, ...],
    labels: Floats,
    *,
    tiers: int,
    trainer: str,
) -> TierRows:
    rows, found = [np.zeros(0, dtype=np.int64)], [np.zeros((0, tiers, len(GRADES)))]
    for dataset in datasets:
        if not dataset.tiers:
            continue
        missing = [model for model in dataset.tiers if model not in models]
        if missing:
            raise TrainingError(
                trainer,
                f"data set {dataset.name!r} has no outcome of {missing[0]!r}, which stands for a tier",
                f"Name models that it has: {', '.join(models)}.",
            )
        span = np.arange(spans[dataset.path].start, spans[dataset.path].stop)
        here = labels[span][:, [models.index(model) for model in dataset.tiers]]
        known = ~np.isnan(here[..., 0]).all(axis=1)
        rows.append(span[known])
        found.append(here[known])
    return TierRows(np.concatenate(rows), np.concatenate(found))
