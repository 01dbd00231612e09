"""A policy model that looks at the query's length alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import numpy as np

from routesdk import Component, PluginHost, Query, hookimpl
from routesdk.errors import CheckpointError
from routesdk.protocols import PolicyModel
from routesdk.testing import check_policy_model
from routesdk.types import Policy, PredictionBatch, Tier


@attrs.frozen(kw_only=True)
class ByLength:
    """The longer a query, the likelier it is that the dearest tier alone is correct.

    Attributes:
        scale: Characters at which half of that likelihood is reached.
        tiers: The tiers that are bound.
    """

    scale: float = 200.0
    tiers: tuple[Tier, ...] = ()

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Predict policies of the nine cells."""
        length = np.array([len(query.text) for query in queries], dtype=float)
        complex_ = 0.5 * length / (length + self.scale)
        policies = np.stack([0.8 - complex_, complex_, np.full(len(queries), 0.2)], axis=1)
        return PredictionBatch(
            policies=policies.reshape(-1, 3),
            policy_names=("Standard_Query", "Complex_Query", "Ambiguous_Query"),
        )

    def explain(self, query: Query, policy: Policy) -> str:
        """Say why."""
        return f"{len(query.text)} characters: {policy.description}"

    def bind(self, tiers: tuple[Tier, ...]) -> PolicyModel:
        """It knows policies alone, so that nothing depends on the models."""
        return self

    def reference(self) -> PredictionBatch | None:
        """It kept no calibration rows."""
        return None

    def save(self, folder: Path) -> None:
        """Write one number."""
        (folder / "by_length.json").write_text(json.dumps({"scale": self.scale}), encoding="utf-8")

    def load(self, folder: Path) -> PolicyModel:
        """Read it back."""
        file = folder / "by_length.json"
        try:
            return ByLength(scale=float(json.loads(file.read_text(encoding="utf-8"))["scale"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(str(file), f"cannot be read ({error})") from error


class ByLengthPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_policy_models(self) -> Iterable[Component[PolicyModel]]:
        """Offer `by-length`."""
        yield Component(name="by-length", factory=ByLength, summary="Looks at the length alone.")


model = PluginHost([ByLengthPlugin()]).policy_model("by-length", scale=100)
check_policy_model(model)
print(model.predict([Query("How far is the Moon?")]).policies)
