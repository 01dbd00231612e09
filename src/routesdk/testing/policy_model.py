"""A policy model that predicts what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import CheckpointError, ConfigError
from routesdk.types import GRADES, FrozenMapping, Policy, PredictionBatch, Query, Tier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Weights = Mapping[str, float]
"""Name → probability."""

_FILE = "fake.json"


def _fixed(value: Weights | Callable[[Query], Weights] | None) -> object:
    return FrozenMapping(value) if isinstance(value, Mapping) else value


@attrs.frozen(kw_only=True)
class FakePolicyModel:
    """A policy model with fixed probabilities, or a function of the query; over cells, or over policies.

    Attributes:
        cells: Cell → probability, a letter of C, I, A for each tier, cheapest
            first: `{"CC": 0.4, "IC": 0.6}`. What is not named has 0. A
            function returns such a mapping.
        policies: Policy → probability, or a function that returns one, for a
            model that knows policies alone; give one of the two.
        known_models: Models that it learned from; binding to any other is noticed.
        reference_texts: Queries of its calibration rows; empty for none.
        tiers: The tiers that are bound.
        seen: Texts of the queries that were predicted so far.
    """

    cells: Weights | Callable[[Query], Weights] | None = attrs.field(default=None, converter=_fixed)
    policies: Weights | Callable[[Query], Weights] | None = attrs.field(default=None, converter=_fixed)
    known_models: tuple[str, ...] = ("medium-model", "large-model")
    reference_texts: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = (Tier("medium", "medium-model"), Tier("large", "large-model"))
    seen: list[str] = attrs.field(factory=list, init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if (self.cells is None) == (self.policies is None):
            raise ConfigError("fake", "cells, policies", "neither or both are given", "Give one of the two.")

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Predict what was told."""
        import numpy as np

        self.seen.extend(query.text for query in queries)
        given = self.cells if self.cells is not None else self.policies
        rows = [dict(given(query) if callable(given) else given or {}) for query in queries]
        if self.cells is None:
            # The first row names the columns; without rows, there is nothing to name.
            fixed = self.policies if isinstance(self.policies, Mapping) else {}
            names = tuple(rows[0] if rows else fixed)
            return PredictionBatch(policies=_table(rows, names), policy_names=names)
        letters = [grade.value[0] for grade in GRADES]
        names = tuple("".join(cell) for cell in product(letters, repeat=len(self.tiers)))
        new = [tier.model for tier in self.tiers if tier.model not in self.known_models]
        notices = tuple(f"{model} was never learned: its tier's generic head predicts" for model in new)
        return PredictionBatch(
            cells=_table(rows, names), notices=notices, cut=np.zeros(len(rows), dtype=np.bool_)
        )

    def explain(self, query: Query, policy: Policy) -> str:
        """Write the policy's own description."""
        return f"{policy.name}: {policy.description}"

    def bind(self, tiers: tuple[Tier, ...]) -> FakePolicyModel:
        """Return a copy for these tiers; one that knows policies alone returns itself."""
        return self if self.cells is None else attrs.evolve(self, tiers=tiers)

    def reference(self) -> PredictionBatch | None:
        """Predict the calibration rows, if there are any."""
        if not self.reference_texts:
            return None
        return attrs.evolve(self).predict([Query(text) for text in self.reference_texts])

    def save(self, folder: Path) -> None:
        """Write the fixed probabilities.

        Raises:
            CheckpointError: They are a function, which is code and cannot be saved.
        """
        for given in (self.cells, self.policies):
            if callable(given):
                raise CheckpointError(str(folder), "a function cannot be saved", "Give fixed probabilities.")
        state = {
            "cells": None if self.cells is None else dict(_mapping(self.cells)),
            "policies": None if self.policies is None else dict(_mapping(self.policies)),
            "known_models": self.known_models,
            "reference_texts": self.reference_texts,
            "tiers": [[tier.name, tier.model] for tier in self.tiers],
        }
        (folder / _FILE).write_text(json.dumps(state), encoding="utf-8")

    def load(self, folder: Path) -> FakePolicyModel:
        """Return the policy model that `save` wrote.

        Raises:
            CheckpointError: The file is missing or damaged.
        """
        try:
            state = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            return FakePolicyModel(
                cells=state["cells"],
                policies=state["policies"],
                known_models=tuple(state["known_models"]),
                reference_texts=tuple(state["reference_texts"]),
                tiers=tuple(Tier(name, model) for name, model in state["tiers"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(str(folder / _FILE), f"cannot be read ({error})") from error


def _mapping(given: Weights | Callable[[Query], Weights]) -> Weights:
    assert isinstance(given, Mapping)
    return given


def _table(rows: Sequence[Weights], names: Sequence[str]) -> NDArray[np.floating]:
    import numpy as np

    for row in rows:
        unknown = sorted(set(row) - set(names))
        if unknown:
            raise ConfigError("fake", repr(unknown[0]), "not among the names", f"Use {', '.join(names)}.")
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64)
    return table.reshape(len(rows), len(names))
