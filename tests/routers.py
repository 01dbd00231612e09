"""Routers for tests: a fake policy model that checkpoints can name, in this process or in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from routesdk import Component, PluginHost, Query, Router, hookimpl
from routesdk.catalogue import Catalogue
from routesdk.config import MappingConfig
from routesdk.manifest import Calibration, Evidence, PartRecord
from routesdk.pretrained import assemble_router
from routesdk.protocols import Observer, PolicyModel, SpendSource
from routesdk.testing import MODELS, FakePolicyModel, make_catalogue, make_host
from routesdk.types import OperatingPoint, Tier

FAKE = PartRecord(kind="policy model", name="fake")
TIERS = (Tier("medium", MODELS[0]), Tier("large", MODELS[1]))

POINT = OperatingPoint((0.3,))

PLUGIN = """
from routesdk import Component, hookimpl
from routesdk.testing import FakePolicyModel

@hookimpl
def routesdk_policy_models():
    yield Component(name="fake", factory=lambda: FakePolicyModel(cells={"CC": 1.0}), summary="For tests.")
"""
"""A module that offers the fake policy model to a process of its own."""


class FakePlugin:
    """Offers the policy model `fake`."""

    @hookimpl
    def routesdk_policy_models(self) -> Iterable[Component[PolicyModel]]:
        """Offer it."""
        yield Component(name="fake", factory=untrained)


def untrained() -> FakePolicyModel:
    return FakePolicyModel(cells={"CC": 1.0})


def host_with_fake(*plugins: object) -> PluginHost:
    return make_host(FakePlugin(), *plugins)


def by_length(query: Query) -> Mapping[str, float]:
    """Predict a gain of 0.01 a character, up to 0.9; references of many lengths spread it."""
    gain = min(len(query.text), 90) / 100
    return {"IC": gain, "CC": (1 - gain) / 2, "II": (1 - gain) / 2}


def make_router(
    cells: Mapping[str, float] | Callable[[Query], Mapping[str, float]] | None = None,
    *,
    policies: Mapping[str, float] | None = None,
    tiers: Sequence[Tier] = TIERS,
    point: OperatingPoint | float = POINT,
    references: Sequence[str] = (),
    mapping: MappingConfig | None = None,
    calibration: Calibration | None = None,
    evidence: Evidence | None = None,
    host: PluginHost | None = None,
    catalogue: Catalogue | None = None,
    spend: SpendSource | None = None,
    observers: Sequence[Observer] = (),
    known_models: tuple[str, ...] | None = None,
    model: PolicyModel | None = None,
) -> Router:
    """Build a router over fixed probabilities, or over a function of the query."""
    if cells is None and policies is None:
        cells = {"CC": 0.5, "IC": 0.2, "II": 0.3}
    names = tuple(tier.model for tier in tiers)
    fake = model or FakePolicyModel(
        cells=cells,
        policies=policies,
        known_models=names if known_models is None else known_models,
        reference_texts=tuple(references),
    )
    return assemble_router(
        policy_model=fake,
        policy_model_record=FAKE,
        tiers=tiers,
        point=point,
        mapping=mapping,
        calibration=calibration,
        evidence=evidence,
        host=host or host_with_fake(),
        catalogue=make_catalogue(names) if catalogue is None else catalogue,
        spend=spend,
        observers=observers,
    )


def write_distribution(folder: Path, name: str, module: str, source: str, *, version: str = "1.0") -> Path:
    """Write a module and the metadata by which it counts as installed, wherever `folder` is on the path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[routesdk]\n{name} = {module}\n")
    return folder
