"""Fits the shift score: how often runs of bytes are, and which texts a set consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import ConfigError
from routesdk.shift.reading import plain, runs, shapes, surprise
from routesdk.shift.score import (
    DECIMALS,
    DEFAULT_FALSE_ALARM,
    DIMENSIONS,
    ShiftScore,
    ShiftSource,
    least_rows,
    squared,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_BITS = 16
_SMOOTHING = 0.5
_UNITS = 255
_REFERENCE = 1000
"""Distances that are kept of a set, evenly spread over its ranks."""

_GROUPS, _GROUP_ROWS, _ROUNDS = 8, 50, 30
# A spread narrower than this is one of few rows, or of a template.
_LEAST_SPREAD = 0.02


@attrs.frozen(kw_only=True, eq=False)
class _Fitted:
    table: NDArray[np.uint8]
    step: float
    centre: Floats
    factor: Floats
    offset: Floats
    reference: Floats


def fit_shift(
    sources: Mapping[str, Sequence[str]],
    folds: Mapping[str, Integers],
    *,
    false_alarm: float = DEFAULT_FALSE_ALARM,
    seed: int = 0,
) -> ShiftScore:
    """Fit the shift score to the texts of each set that a router learned from.

    A set's distances, which thresholds come from, are of rows that their fold's tables
    never saw. Near duplicates must be in one fold, or such rows look more familiar than
    new ones do; `routesdk.pipeline.shift.learn_shift` sees to that.

    Args:
        sources: Set → its texts.
        folds: Set → the fold of each of its texts; two folds at least.
        false_alarm: The share of new rows of any of the sets that may be called unlike.
        seed: Seed of the groups.

    Raises:
        ConfigError: There is no set, or one has too few rows for its rate of false alarms.
    """
    if not sources:
        raise ConfigError("shift.sources", "none", "there is nothing to be like", "Give the training texts.")
    fitted = [_fit(name, list(texts), folds[name], false_alarm, seed) for name, texts in sources.items()]
    sizes = [len(each.centre) for each in fitted]
    return ShiftScore(
        sources=tuple(ShiftSource(name=name, rows=len(texts)) for name, texts in sources.items()),
        table=np.ascontiguousarray(np.stack([each.table for each in fitted], axis=1)),
        step=np.array([each.step for each in fitted]),
        centre=np.concatenate([each.centre for each in fitted]),
        factor=np.concatenate([each.factor for each in fitted]),
        offset=np.concatenate([each.offset for each in fitted]),
        group_source=np.repeat(np.arange(len(fitted)), sizes),
        reference=tuple(each.reference for each in fitted),
        false_alarm=false_alarm,
    )


def _fit(name: str, texts: list[str], folds: Integers, false_alarm: float, seed: int) -> _Fitted:
    # With fewer rows than twice what a threshold needs, it would rest on one or two of them.
    least = 2 * least_rows(false_alarm)
    if len(texts) < least:
        problem = f"has {len(texts)} rows, and {false_alarm:g} false alarms need {least} at least"
        raise ConfigError("shift.sources", name, problem, "Give more rows, or allow more false alarms.")
    data = [plain(text) for text in texts]
    hashed = [runs(each, _BITS) for each in data]
    seen = np.zeros((len(texts), 1))
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        others = np.flatnonzero(folds != fold)
        table, step = _table([hashed[at] for at in others])
        seen[inside] = surprise([data[at] for at in inside], table[:, None], _BITS) * step
    rows = np.hstack([shapes(texts, data), seen])
    labels = _cluster(rows, min(_GROUPS, len(rows) // _GROUP_ROWS), seed)
    distances = np.zeros(len(rows))
    # Gaussians, too, lie nearer to rows that they were fitted to than to new ones.
    for fold in np.unique(folds):
        inside = folds == fold
        distances[inside] = _distances(rows[inside], *_groups(rows[~inside], labels[~inside]))
    centre, factor, offset = _groups(rows, labels)
    distances = np.sort(distances.round(DECIMALS))
    kept = np.linspace(0, len(distances) - 1, min(_REFERENCE, len(distances))).round().astype(np.int64)
    table, step = _table(hashed)
    return _Fitted(
        table=table, step=step, centre=centre, factor=factor, offset=offset, reference=distances[kept]
    )


def _table(hashed: Sequence[NDArray[np.uint32]]) -> tuple[NDArray[np.uint8], float]:
    """Return how surprising each bucket is, and what one unit of that is worth in nats."""
    size = 1 << _BITS
    counts = np.bincount(np.concatenate(hashed).astype(np.int64), minlength=size)
    nats = -np.log((counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * size))
    step = float(nats.max()) / _UNITS
    return np.rint(nats / step).astype(np.uint8), step


def _groups(rows: Floats, labels: Integers) -> tuple[Floats, Floats, Floats]:
    """Describe groups of rows by a Gaussian each: middles, factors that undo their spread, and offsets."""
    spread = _spread(rows)
    least = np.diag((0.1 * spread) ** 2)
    whole = np.diag((0.25 * spread) ** 2)
    centres, factors, offsets = [], [], []
    for label in np.unique(labels):
        own = rows[labels == label]
        # A group of few rows shows little of its spread in seven directions.
        weight = len(own) / (len(own) + 30.0)
        found = np.cov(own.T) if len(own) > 1 else np.zeros((DIMENSIONS, DIMENSIONS))
        covariance = weight * found + (1.0 - weight) * whole + least
        factors.append(np.linalg.inv(np.linalg.cholesky(covariance)))
        offsets.append(np.linalg.slogdet(covariance)[1] - 2.0 * np.log(len(own) / len(rows)))
        centres.append(own.mean(axis=0))
    return np.array(centres), np.array(factors), np.array(offsets)


def _spread(rows: Floats) -> Floats:
    return np.asarray(np.maximum(rows.std(axis=0), _LEAST_SPREAD))


def _cluster(rows: Floats, count: int, seed: int) -> Integers:
    """Group rows that lie near each other: k-means, its first middles far apart."""
    rows = (rows - rows.mean(axis=0)) / _spread(rows)
    generator = np.random.default_rng(seed)
    middles = rows[generator.integers(len(rows))][None]
    while len(middles) < count:
        far = _squares(rows, middles).min(axis=1)
        if not far.any():
            break
        middles = np.vstack([middles, rows[generator.choice(len(rows), p=far / far.sum())]])
    labels = np.zeros(len(rows), dtype=np.int64)
    for _ in range(_ROUNDS):
        labels = _squares(rows, middles).argmin(axis=1)
        moved = [
            rows[labels == at].mean(axis=0) if (labels == at).any() else middle
            for at, middle in enumerate(middles)
        ]
        middles = np.array(moved)
    return labels


def _squares(rows: Floats, middles: Floats) -> Floats:
    return np.asarray(((rows[:, None, :] - middles) ** 2).sum(axis=2))


def _distances(rows: Floats, centre: Floats, factor: Floats, offset: Floats) -> Floats:
    moved = np.einsum("gij,rgj->rig", factor, rows[:, None, :] - centre)
    return np.asarray((squared(moved) + offset).min(axis=1))
