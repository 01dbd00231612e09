"""Calibrates heads on rows that they did not learn from, those of one data set together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.heads.head import LINK, Head, Output
from routesdk.heads.link import Link, fit_link
from routesdk.heads.rows import Rows

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


# Models that answered fewer rows together are calibrated with their whole group alone.
_FEWEST_SHARED = 50


def model_heads(rows: Rows, judged: Judged, columns: Mapping[int, int]) -> tuple[Head, ...]:
    """Calibrate the models' heads, those that answered the same rows together.

    Args:
        rows: What was learned from.
        judged: What calibrates.
        columns: Task → column of the weights.
    """
    heads: dict[int, Head] = {}
    for together in companions(rows.labels):
        link = fit_link(*_model_rows(rows, judged, together))
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
    link = fit_link(*_tier_rows(judged, range(first, first + len(names))))
    return tuple(
        _head(name, first + place, judged, columns, _Place(link, place)) for place, name in enumerate(names)
    )


def pair_links(rows: Rows, judged: Judged, tiers: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Calibrate each two models that answered the same rows with each other, and two generic heads.

    Args:
        rows: What was learned from.
        judged: What calibrates.
        tiers: How many generic heads there are.

    Returns:
        Numbers of the heads, (pairs, 2), and how they are calibrated, (pairs, `LINK`).
    """
    pairs: list[tuple[int, int]] = []
    links: list[Floats] = []
    for together in companions(rows.labels):
        for pair in itertools.combinations(together, 2):
            logits, labels = _model_rows(rows, judged, pair)
            shared = ~np.isnan(labels[..., 0]).any(axis=1)
            if shared.sum() >= _FEWEST_SHARED:
                pairs.append(pair)
                links.append(_flat(fit_link(logits[shared], labels[shared], crossed=True)))
    if tiers == 2 and len(judged.rows.tiers.rows) >= _FEWEST_SHARED:
        first = len(rows.models)
        pairs.append((first, first + 1))
        links.append(_flat(fit_link(*_tier_rows(judged, pairs[-1]), crossed=True)))
    return np.array(pairs, dtype=np.int16).reshape(-1, 2), np.array(links, dtype=np.float32).reshape(-1, LINK)


def _flat(link: Link) -> Floats:
    parts = (link.correct, link.abstained, link.offset, link.loading)
    return np.concatenate([part.ravel() for part in parts])


def _model_rows(rows: Rows, judged: Judged, models: Sequence[int]) -> tuple[Floats, Floats]:
    """Return logits and labels of the rows that one of the models was graded on."""
    labels = labels_for(rows.models, judged.rows)[:, list(models)]
    return _graded(judged.logits, labels, models)


def _tier_rows(judged: Judged, heads: Sequence[int]) -> tuple[Floats, Floats]:
    tiers = judged.rows.tiers
    return _graded(judged.logits[tiers.rows], tiers.labels, heads)


def _graded(logits: Floats, labels: Floats, heads: Sequence[int]) -> tuple[Floats, Floats]:
    known = ~np.isnan(labels[..., 0]).all(axis=1)
    places = np.array(heads)
    return logits[known][:, np.stack([2 * places, 2 * places + 1])], labels[known]


def labels_for(models: tuple[str, ...], judged: Rows) -> Floats:
    """Return the labels of judged rows, (rows, models, 3), in the order of the models that were learned."""
    labels = np.full((len(judged.texts), len(models), 3), np.nan)
    for column, model in enumerate(models):
        if model in judged.models:
            labels[:, column] = judged.labels[:, judged.models.index(model)]
    return labels


def companions(labels: Floats) -> list[list[int]]:
    """Group the models that share rows, given their labels, (rows, models, 3)."""
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
        scale = self.link.abstained[self.at] if kind else self.link.correct[self.at, self.at]
        offset, loading = self.link.offset[kind, self.at], self.link.loading[kind, self.at]
        return float(scale), float(offset), float(loading)


def _head(name: str, head: int, judged: Judged, columns: Mapping[int, int], place: _Place) -> Head:
    outputs = []
    for kind in range(2):
        task = 2 * head + kind
        scale, offset, loading = place.of(kind)
        column = columns.get(task)
        # A task without weights has one logit, the same on all rows.
        constant = 0.0 if column is not None else float(judged.logits[0, task])
        outputs.append(Output(column=column, constant=constant, scale=scale, offset=offset, loading=loading))
    return Head(name=name, correct=outputs[0], abstained=outputs[1])
