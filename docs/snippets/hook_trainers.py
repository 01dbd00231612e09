"""A trainer that learns one table of cells, the same for every query."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import attrs
import numpy as np

from routesdk import Component, PluginHost, Query, hookimpl
from routesdk.dataset import read_examples
from routesdk.errors import CheckpointError, TrainingError
from routesdk.protocols import PolicyModel, Trainer
from routesdk.testing import check_trainer
from routesdk.types import GRADES, Policy, PredictionBatch, Tier, TrainJob


@attrs.frozen(kw_only=True)
class Prior:
    """Predict, for every query, how often each of the nine cells occurred."""

    cells: tuple[float, ...] = ()
    tiers: tuple[Tier, ...] = ()

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Repeat what was counted, and say of each model that it was not learned by itself."""
        notices = tuple(
            f"{tier.model} was never learned: the counts of all rows stand" for tier in self.tiers
        )
        return PredictionBatch(cells=np.tile(self.cells, (len(queries), 1)), notices=notices)

    def explain(self, query: Query, policy: Policy) -> str:
        """Say why."""
        return f"{policy.name} is as likely as it was among the rows that were learned from."

    def bind(self, tiers: tuple[Tier, ...]) -> PolicyModel:
        """The table holds for any two tiers."""
        return attrs.evolve(self, tiers=tiers)

    def reference(self) -> PredictionBatch | None:
        """One row stands for all."""
        return self.predict([Query("any")])

    def save(self, folder: Path) -> None:
        """Write nine numbers."""
        (folder / "prior.json").write_text(json.dumps(self.cells), encoding="utf-8")

    def load(self, folder: Path) -> PolicyModel:
        """Read them back."""
        file = folder / "prior.json"
        try:
            return Prior(cells=tuple(map(float, json.loads(file.read_text(encoding="utf-8")))))
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(str(file), f"cannot be read ({error})") from error


class PriorTrainer:
    """Count the cells of all rows."""

    def train(self, job: TrainJob) -> Path:
        """Train, save in `job.output`, and return it."""
        counts: Counter[str] = Counter()
        for dataset in job.train:
            for example in read_examples(dataset.path):
                found = [example.outcomes.get(model) for model in dataset.tiers]
                grades = [outcome.grade for outcome in found if outcome is not None and outcome.grade]
                if len(grades) == 2:
                    counts["".join(grade.value[0] for grade in grades)] += 1
        if len(counts) < 2:
            raise TrainingError("prior", f"{len(counts)} cells occur", "Give rows of at least two cells.")
        letters = [grade.value[0] for grade in GRADES]
        total = counts.total()
        Prior(cells=tuple(counts[a + b] / total for a, b in product(letters, letters))).save(job.output)
        return job.output


class PriorPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_trainers(self) -> Iterable[Component[Trainer]]:
        """Offer `prior`."""
        yield Component(name="prior", factory=PriorTrainer, summary="Count the cells.")

    @hookimpl
    def routesdk_policy_models(self) -> Iterable[Component[PolicyModel]]:
        """Offer what the trainer trains, under the same name."""
        yield Component(name="prior", factory=Prior, summary="The same for every query.")


host = PluginHost([PriorPlugin()])
check_trainer(host.trainer("prior"), host.policy_model("prior"))
print("the trainer keeps its contract")
