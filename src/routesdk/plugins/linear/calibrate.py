"""Calibrates heads on rows that they did not learn from, those of one data set together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.plugins.linear.heads import Head, Output
from routesdk.plugins.linear.mixture import Link, fit_link
from routesdk.plugins.linear.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@attrs.frozen(eq=False)
class Judged:
    """Rows with logits of heads that did not learn from them.

    Attributes:
        rows: The rows.
        logits: (rows, tasks).
    """

    rows: Rows
    logits: Floats


def model_heads(rows: Rows, judged: Judged, columns: Mapping[int, int]) -> tuple[Head, ...]:
    """Calibrate the models' heads, those that answered the same rows together.

    Args:
        rows: What was learned from.
        judged: What calibrates.
        columns: Task → column of the weights.
    """
    labels = _labels_for(rows.models, judged.rows)
    heads: dict[int, Head] = {}
    for together in _companions(rows.labels):
        link = _link(judged.logits, np.arange(len(labels)), labels[:, together], together)
        for place, model in enumerate(together):
            heads[model] = _head(rows.models[model], model, judged, columns, _Place(link, place))
    return tuple(heads[model] for model in range(len(rows.models)))


def tier_heads(
    rows: Rows, judged: Judged, columns: Mapping[int, int], names: tuple[str, ...]
) -> tuple[Head, ...]:
    """Calibrate the generic heads together; none where no data set names its tiers."""
    if not len(rows.tiers.rows):
        return ()
    first = len(rows.models)
    tiers = judged.rows.tiers
    together = list(range(first, first + len(names)))
    link = _link(judged.logits, tiers.rows, tiers.labels, together)
    return tuple(
        _head(name, first + place, judged, columns, _Place(link, place)) for place, name in enumerate(names)
    )


def _link(logits: Floats, rows: NDArray[np.int64], labels: Floats, heads: Sequence[int]) -> Link:
    known = ~np.isnan(labels[..., 0]).all(axis=1)
    places = np.array(heads)
    pairs = np.stack([2 * places, 2 * places + 1])
    return fit_link(logits[rows[known]][:, pairs], labels[known])


def _labels_for(models: tuple[str, ...], judged: Rows) -> Floats:
    """Return the labels of judged rows in the order of the models that were learned."""
    labels = np.full((len(judged.texts), len(models), 3), np.nan)
    for column, model in enumerate(models):
        if model in judged.models:
            labels[:, column] = judged.labels[:, judged.models.index(model)]
    return labels


def _companions(labels: Floats) -> list[list[int]]:
    """Group the models that share rows."""
    known = (~np.isnan(labels[..., 0])).astype(np.int64)
    shared = known.T @ known > 0
    groups: list[list[int]] = []
    left = list(range(len(shared)))
    while left:
        group = [left.pop(0)]
        for member in group:
            near = [other for other in left if shared[member, other]]
            group += near
            left = [other for other in left if other not in near]
        groups.append(sorted(group))
    return groups


@attrs.frozen
class _Place:
    """One model's entries in a link."""

    link: Link
    at: int

    def of(self, kind: int) -> tuple[float, float, float]:
        return (
            float(self.link.scale[kind, self.at]),
            float(self.link.offset[kind, self.at]),
            float(self.link.loading[kind, self.at]),
        )


def _head(name: str, head: int, judged: Judged, columns: Mapping[int, int], place: _Place) -> Head:
    outputs = []
    for kind in range(2):
        task = 2 * head + kind
        scale, offset, loading = place.of(kind)
        column = columns.get(task)
        if column is None:
            # The logit is the same for all rows, so that it goes into the offset.
            scale, offset = 1.0, offset + scale * float(judged.logits[0, task])
        outputs.append(Output(column=column, scale=scale, offset=offset, loading=loading))
    return Head(name=name, correct=outputs[0], abstained=outputs[1])
