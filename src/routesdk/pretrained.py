"""Loads, assembles and saves routers: from names and folders to parts, and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

import routesdk
from routesdk.binding import bind_tiers, choose_matrix, default_matrix, merge_mapping
from routesdk.card import render_card
from routesdk.catalogue import Catalogue
from routesdk.checkpoint import MANIFEST, Checkpoint, read_checkpoint, write_checkpoint
from routesdk.config import MappingConfig
from routesdk.errors import CheckpointError, RouteSDKError
from routesdk.host import PluginHost, attempt
from routesdk.hub import download_checkpoint
from routesdk.manifest import Calibration, Evidence, Manifest, PartRecord, ShiftRecord
from routesdk.mapping import ModelMapping
from routesdk.requirement import check_plugins, owned
from routesdk.router import PartNames, Router
from routesdk.types import OperatingPoint, Policy, Tier, distinct_tiers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from routesdk.protocols import Matrix, Observer, PolicyModel, SpendSource
    from routesdk.shift import ShiftScore

DEFAULT_LARGE_SHARE = 1 / 3
"""The share of calls that a router sends up where nobody says otherwise."""

_SHOWN = 200
"""Characters of a name that an error repeats."""

_LOADS = 3
"""Times that a policy model is loaded, where writers replace its files meanwhile."""


def bundled_names() -> tuple[str, ...]:
    """Return the names of the routers that come with the package."""
    shelf = resources.files("routesdk") / "checkpoints"
    if not shelf.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in shelf.iterdir() if (entry / MANIFEST).is_file()))


def find_checkpoint(name: str | os.PathLike[str], revision: str | None = None) -> Path:
    """Resolve a name: a bundled router, then a folder that exists, then a Hub id.

    Raises:
        CheckpointError: It is none of these, has a revision though it is not
            on the Hub, or the Hub cannot deliver it.
    """
    bundled = bundled_names()
    here = None
    if isinstance(name, str) and name in bundled:
        here = Path(str(resources.files("routesdk") / "checkpoints" / name))
    elif isinstance(name, (str, os.PathLike)) and str(name) and _is_folder(Path(name)):
        here = Path(name)
    if here is not None:
        if revision is not None:
            raise CheckpointError(
                str(name), f"is on this machine, and has no revision {revision!r}", "Leave `revision` out."
            )
        return here
    owner, slash, repository = str(name).partition("/")
    if isinstance(name, str) and slash and owner not in ("", ".", "..", "~") and repository.count("/") == 0:
        return download_checkpoint(name, revision=revision)
    raise CheckpointError(
        str(name)[:_SHOWN],
        "is neither a bundled router, nor a folder that exists, nor a Hub id",
        f"Bundled: {', '.join(bundled) or 'none'}. A Hub id reads 'owner/name'.",
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        # A name longer than any path may be, or one with a null character, may still be told what is wrong.
        return False


def load_router(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    medium: str | None = None,
    large: str | None = None,
    tiers: Mapping[str, str] | None = None,
    matrix: str | None = None,
    large_share: float | None = None,
    mapping: MappingConfig | None = None,
    host: PluginHost | None = None,
    catalogue: Catalogue | None = None,
    spend: SpendSource | None = None,
    observers: Sequence[Observer] = (),
    model_options: Mapping[str, object] | None = None,
) -> Router:
    """Load a checkpoint and bind its tiers; see `Router.from_pretrained`."""
    host = PluginHost() if host is None else host
    checkpoint, policy_model, hashes, shift = _load_parts(
        find_checkpoint(name, revision), host, model_options or {}
    )
    manifest = checkpoint.manifest
    serving = bind_tiers(manifest.tiers, medium, large, tiers)
    was_bound = manifest.bound or manifest.tiers
    bound = bind_tiers(was_bound, medium, large, tiers)
    matrix_record = choose_matrix(manifest, matrix, serving, host)
    policies = _policies(checkpoint, matrix_record, host)
    # What was fitted to outcomes holds for their models and policies alone.
    same = bound == was_bound and serving == manifest.tiers and matrix_record == manifest.matrix
    calibration = manifest.calibration if same else attrs.evolve(manifest.calibration, recalibration=None)
    changed = bound != was_bound or calibration != manifest.calibration
    return assemble_router(
        policy_model=policy_model,
        policy_model_record=manifest.policy_model,
        matrix_record=matrix_record,
        tiers=serving,
        bound=bound,
        mapping=merge_mapping(manifest.mapping, mapping, matrix_record.name, policies),
        point=_loaded_point(manifest.operating_point, large_share, changed),
        calibration=calibration,
        evidence=manifest.evidence,
        training_hashes=lambda: hashes,
        shift=shift,
        checkpoint_id=manifest.id,
        host=host,
        catalogue=catalogue,
        spend=spend,
        observers=observers,
    )


def _load_parts(
    folder: Path, host: PluginHost, model_options: Mapping[str, object]
) -> tuple[Checkpoint, PolicyModel, NDArray[np.uint64], ShiftScore | None]:
    """Read all that a checkpoint's files hold: once it is loaded, the folder may go.

    Raises:
        CheckpointError: The checkpoint cannot be trusted, or its policy model not loaded.
        MissingPluginError: It needs a plugin that is not installed.
    """
    checkpoint = read_checkpoint(folder)
    for _ in range(_LOADS):
        check_plugins(checkpoint, host)
        part = checkpoint.manifest.policy_model
        empty = cast("PolicyModel", host.build("policy model", part.name, {**part.options, **model_options}))
        loaded, error = attempt(_read_model, checkpoint, empty)
        if loaded is not None:
            return checkpoint, *loaded
        # A writer may have replaced the files since they were checked: then the new ones are what is wanted.
        newer = read_checkpoint(folder)
        if newer.manifest.checksum == checkpoint.manifest.checksum:
            break
        checkpoint = newer
    if isinstance(error, RouteSDKError):
        raise error
    problem = f"the policy model {part.name!r} cannot load it ({type(error).__name__}: {error})"
    raise CheckpointError(str(checkpoint.model_folder), problem) from error


def _read_model(
    checkpoint: Checkpoint, empty: PolicyModel
) -> tuple[PolicyModel, NDArray[np.uint64], ShiftScore | None]:
    return empty.load(checkpoint.model_folder), checkpoint.training_hashes(), checkpoint.shift()


def _policies(checkpoint: Checkpoint, record: PartRecord, host: PluginHost) -> tuple[Policy, ...]:
    """Return what a matrix defines; the checkpoint's own must define what it did when that was saved."""
    manifest = checkpoint.manifest
    found = cast("Matrix", host.build("matrix", record.name, record.options)).policies
    if record is manifest.matrix:
        # A description may be put better in a later version; another name or tier is another decision.
        now, then = ({(policy.name, policy.tier) for policy in side} for side in (found, manifest.policies))
        if now != then:
            differing = ", ".join(sorted({name for name, _ in now ^ then}))
            raise CheckpointError(
                str(checkpoint.folder),
                f"was saved with other policies than the matrix {record.name!r} defines: {differing} differ",
                f"Install {record.distribution} {record.version} again, or give a matrix by name.",
            )
    return found


def _loaded_point(saved: OperatingPoint, large_share: float | None, changed: bool) -> OperatingPoint | float:
    if large_share is not None:
        return large_share
    if changed and saved.large_share is not None:
        # Gains spread differently for other models, or unmapped: the share is what was meant.
        return attrs.evolve(saved, thresholds=())
    return saved


def assemble_router(
    *,
    policy_model: PolicyModel,
    policy_model_record: PartRecord,
    tiers: Sequence[Tier],
    bound: Sequence[Tier] = (),
    matrix_record: PartRecord | None = None,
    mapping: MappingConfig | None = None,
    point: OperatingPoint | float = DEFAULT_LARGE_SHARE,
    calibration: Calibration | None = None,
    evidence: Evidence | None = None,
    training_hashes: Callable[[], NDArray[np.uint64]] | None = None,
    shift: ShiftScore | None = None,
    checkpoint_id: str = "",
    host: PluginHost | None = None,
    catalogue: Catalogue | None = None,
    spend: SpendSource | None = None,
    observers: Sequence[Observer] = (),
) -> Router:
    """Put a router together from a trained policy model: what trainers and tests do.

    Args:
        policy_model: Trained; it is bound to its tiers here.
        policy_model_record: Its name and options, for checkpoints.
        tiers: Tiers with the models that serve them, cheapest first.
        bound: Tiers with the models that the policy model predicts for; empty for the same.
        matrix_record: The matrix; None takes `nine-cell` for two tiers and
            `cheapest-correct` for more.
        mapping: Policy map and rules; None for defaults alone.
        point: Thresholds, or the share of calls to send up. Thresholds that
            are empty are found from the point's own share.
        calibration: See `Calibration`.
        evidence: What the card says.
        training_hashes: Reads the hashes of the training queries.
        shift: Tells queries that look unlike those; None for nothing.
        checkpoint_id: The checkpoint that it came from.
        host: Where parts are found; None loads built-in and installed ones.
        catalogue: Models and prices; None takes the bundled one.
        spend: Where spent money is counted; None counts in memory.
        observers: Told of every decision.

    Raises:
        ConfigError: Tiers, matrix and thresholds do not fit each other.
    """
    host = PluginHost() if host is None else host
    # An empty catalogue is false, and still the caller's.
    catalogue = Catalogue.default() if catalogue is None else catalogue
    serving = distinct_tiers(tuple(tiers))
    predicted = distinct_tiers(tuple(bound)) if bound else serving
    named = matrix_record or default_matrix(serving, host)
    built = cast("Matrix", host.build("matrix", named.name, named.options))
    router = Router(
        policy_model=policy_model.bind(predicted),
        matrix=built,
        mapping=ModelMapping.build(mapping or MappingConfig(), host, serving, built.policies, catalogue),
        operating_point=OperatingPoint((0.0,) * (len(serving) - 1)),
        host=host,
        spend=host.spend_source("memory") if spend is None else spend,
        observers=tuple(observers),
        calibration=calibration or Calibration(),
        evidence=evidence or Evidence(),
        names=PartNames(policy_model=policy_model_record, matrix=named),
        training_hashes=training_hashes or _no_hashes,
        shift=shift,
        checkpoint_id=checkpoint_id,
        bound=predicted,
    )
    return _at_point(router, point)


def _at_point(router: Router, point: OperatingPoint | float) -> Router:
    """Give a router its operating point; only a whole router can find the thresholds of a share."""
    if not isinstance(point, OperatingPoint):
        return router.with_large_share(point)
    if point.thresholds or point.large_share is None:
        return router.with_operating_point(point)
    found = router.with_large_share(point.large_share).operating_point
    return router.with_operating_point(attrs.evolve(found, source=point.source))


def save_router(router: Router, folder: str | os.PathLike[str]) -> Path:
    """Write a router as a checkpoint; see `Router.save_pretrained`."""
    mapping = router.mapping.config()
    records = [router.names.policy_model, router.names.matrix]
    records += [PartRecord(kind="rule", name=rule.name) for rule in mapping.rules]
    parts = [owned(record, router.host) for record in records]
    manifest = Manifest(
        policy_model=parts[0],
        matrix=parts[1],
        policies=router.matrix.policies,
        tiers=router.tiers,
        bound=router.bound if router.bound != router.tiers else (),
        mapping=mapping,
        operating_point=attrs.evolve(router.operating_point, source="checkpoint"),
        calibration=router.calibration,
        requires=tuple(record for record in parts if record.distribution != "routesdk"),
        evidence=router.evidence,
        shift=_shift_record(router.shift),
        routesdk_version=routesdk.__version__,
    )
    written = write_checkpoint(
        folder, manifest, router.policy_model.save, render_card, router.training_hashes(), router.shift
    )
    return written.folder


def _shift_record(shift: ShiftScore | None) -> ShiftRecord | None:
    if shift is None:
        return None
    rows = sum(source.rows for source in shift.sources)
    return ShiftRecord(false_alarm=shift.false_alarm, sets=len(shift.sources), rows=rows)


def _no_hashes() -> NDArray[np.uint64]:
    import numpy as np

    return np.zeros(0, dtype=np.uint64)
