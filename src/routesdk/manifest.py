"""What `router.json` says: the records of a checkpoint's manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from routesdk.config import MappingConfig
from routesdk.monotone import MonotoneMap
from routesdk.structure import structure, unstructure
from routesdk.types import FrozenMapping, OperatingPoint, Policy, Tier, frozen

SCHEMA_VERSION = 1
"""Version of the form of `router.json` that this routesdk writes, and the newest that it reads."""

# JSON has no word for these; a threshold of infinity means "never escalate".
_INFINITIES = ("inf", "-inf")


@attrs.frozen(kw_only=True)
class PartRecord:
    """A part of a router by name, with the distribution that offers it.

    Attributes:
        kind: Kind of part, such as `policy model`.
        name: Its name.
        options: What its config takes.
        distribution: The distribution that its plugin came with.
        version: That distribution's version.
    """

    kind: str
    name: str
    options: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=frozen)
    distribution: str = "routesdk"
    version: str = ""


@attrs.frozen(kw_only=True)
class FileRecord:
    """Size in bytes and SHA-256 of one file of a checkpoint."""

    bytes: int
    sha256: str


@attrs.frozen(kw_only=True)
class SourceRecord:
    """A set of rows that a router learned from.

    Attributes:
        name: The set's name.
        rows: How many of its rows were learned from.
        tiers: Models that stood for the tiers, cheapest first.
        source: Where the set is published.
        licence: Its licence.
    """

    name: str
    rows: int
    tiers: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""


@attrs.frozen(kw_only=True)
class MetricRecord:
    """One measured figure of a router.

    Attributes:
        dataset: The test rows it was measured on.
        method: What was measured, such as `bound`, `generic` or `prompt length`.
        metric: The metric, such as `APGR`.
        value: The figure.
        low: Lower end of its 95 % interval, if it has one.
        high: Upper end of its 95 % interval, if it has one.
        rows: How many test rows.
    """

    dataset: str
    method: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    rows: int = 0


@attrs.frozen
class Detail:
    """One thing that a card says about how a router was trained.

    Attributes:
        name: What it is about, such as `base model`.
        text: What it says.
    """

    name: str
    text: str


@attrs.frozen(kw_only=True)
class Evidence:
    """What a model card says of a router.

    Attributes:
        summary: One paragraph.
        command: The command that makes checkpoint and figures again.
        sources: What it learned from.
        metrics: How well it does.
        limits: Where it does badly, one sentence each.
        licence: The licence of the router itself, as the Hub spells it, such as
            `apache-2.0`; empty where its maker has not said.
        training: How it was trained: base model, prompt, settings, hashes of the data.
    """

    summary: str = ""
    command: str = ""
    sources: tuple[SourceRecord, ...] = ()
    metrics: tuple[MetricRecord, ...] = ()
    limits: tuple[str, ...] = ()
    licence: str = ""
    training: tuple[Detail, ...] = ()


@attrs.frozen(kw_only=True)
class Recalibration:
    """What `Router.calibrate` found on rows with outcomes: maps that only climb, and what they are from.

    They hold for the models that the tiers were bound to, and for the matrix that was in force.

    Attributes:
        rows: How many rows.
        target: What was asked for, such as `large share 0.3`.
        base: Maps P(correct) of the cheapest tier; None where the policy model knows policies alone.
        gains: Map the expected gain of each step.
        confidence: Maps the confidence of decisions.
        gain_quantiles: For each step, recalibrated gains of the rows at 101 evenly spaced
            quantiles; of several steps, those of the same rows, 500 at most, since a share
            is one of those who reach a step. What `large_share` refers to from then on.
        notes: What was warned of.
    """

    rows: int
    target: str
    base: MonotoneMap | None = None
    gains: tuple[MonotoneMap, ...]
    confidence: MonotoneMap
    gain_quantiles: tuple[tuple[float, ...], ...]
    notes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Calibration:
    """What operating points need beside the policy model.

    Attributes:
        policy_gains: Policy → mean gain of each step on calibration rows, for a policy
            model that knows policies alone.
        gain_quantiles: For each step, gains at 101 evenly spaced quantiles, for a policy
            model that keeps no reference rows.
        recalibration: What `Router.calibrate` found; None where nobody did.
    """

    policy_gains: Mapping[str, tuple[float, ...]] = attrs.field(factory=FrozenMapping, converter=frozen)
    gain_quantiles: tuple[tuple[float, ...], ...] = ()
    recalibration: Recalibration | None = None


@attrs.frozen(kw_only=True)
class ShiftRecord:
    """What a card says of how unlike queries are told; see `routesdk.shift`.

    Attributes:
        false_alarm: The share of queries like those learned from that are called unlike, at most.
        sets: How many sets of rows a query may be like.
        rows: How many rows these have.
    """

    false_alarm: float
    sets: int
    rows: int


@attrs.frozen(kw_only=True)
class Manifest:
    """Everything that `router.json` says.

    Attributes:
        policy_model: The policy model by name.
        matrix: The matrix by name.
        policies: What the matrix defined when the router was saved.
        tiers: Tiers with the models that serve them, cheapest first.
        mapping: Policy map and rules.
        operating_point: Thresholds in force by default.
        calibration: See `Calibration`.
        requires: Every part that a plugin of another distribution brings.
        evidence: What the card says.
        bound: Tiers with the models that the policy model predicts for, where
            these are others than those that serve; else empty.
        shift: How queries unlike those learned from are told; None where they are not.
        model_folder: Folder that the policy model wrote.
        files: Every file but the manifest and the card, by relative path.
        schema_version: Version of this form.
        routesdk_version: The routesdk that wrote it.
        checksum: SHA-256 of all of the above; its start is the checkpoint's id.
    """

    policy_model: PartRecord
    matrix: PartRecord
    policies: tuple[Policy, ...]
    tiers: tuple[Tier, ...]
    mapping: MappingConfig
    operating_point: OperatingPoint
    calibration: Calibration = attrs.field(factory=Calibration)
    requires: tuple[PartRecord, ...] = ()
    evidence: Evidence = attrs.field(factory=Evidence)
    bound: tuple[Tier, ...] = ()
    shift: ShiftRecord | None = None
    model_folder: str = ""
    files: Mapping[str, FileRecord] = attrs.field(factory=FrozenMapping, converter=frozen)
    schema_version: int = SCHEMA_VERSION
    routesdk_version: str = ""
    checksum: str = ""

    @property
    def id(self) -> str:
        """The checkpoint's id: the first 12 hex digits of its checksum."""
        return self.checksum[:12]


def manifest_to_dict(manifest: Manifest) -> dict[str, object]:
    """Turn a manifest into plain data; infinite thresholds are the strings `inf` and `-inf`, as in a record.

    Other numbers that JSON has no word for are left for its writer to refuse.
    """
    data = unstructure(manifest)
    point = manifest.operating_point
    thresholds = [each if math.isfinite(each) else str(each) for each in point.thresholds]
    return data | {"operating_point": {**unstructure(point), "thresholds": thresholds}}


def manifest_from_dict(data: Mapping[str, object]) -> Manifest:
    """Read a manifest from what `manifest_to_dict` returned.

    Raises:
        ConfigError: A key is unknown or missing, or a value is of the wrong type.
    """
    point = data.get("operating_point")
    thresholds = point.get("thresholds") if isinstance(point, Mapping) else None
    if isinstance(point, Mapping) and isinstance(thresholds, (list, tuple)):
        numbers = [float(each) if each in _INFINITIES else each for each in thresholds]
        data = {**data, "operating_point": {**point, "thresholds": numbers}}
    return structure(data, Manifest)
