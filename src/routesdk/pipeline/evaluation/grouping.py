"""The rows of an evaluation parted by policy, by topic, and by what was recorded of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from routesdk.metrics import Statistic
from routesdk.pipeline.evaluation.detail import (
    Breakdown,
    Cell,
    CellExample,
    ConfusionTable,
    Group,
    Share,
)
from routesdk.pipeline.evaluation.drawing import (
    difference_interval,
    group_keys,
    share_interval,
    share_keys,
)
from routesdk.pipeline.evaluation.headline import DECIDED
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.evaluation.wording import shortened
from routesdk.pipeline.fingerprint import stable_hash
from routesdk.pipeline.payoff.figures import ACCURACY
from routesdk.pipeline.payoff.sampling import Key, Samples
from routesdk.types import GRADES, Grade

FEWEST_TOPIC_ROWS = 10
"""Topics of fewer rows are put together: their intervals would cover almost everything."""

MOST_TOPICS = 30
"""More are put together as well, the smallest ones first."""

OTHER_TOPICS = "(other topics)"
NO_TOPIC = "(no topic)"

_MODELS = "model share"


@attrs.frozen(kw_only=True, eq=False)
class Parting:
    """One way to part the rows.

    Attributes:
        by: What parts them.
        groups: Each row's group.
        note: What a reader should know of it.
    """

    by: str
    groups: tuple[str, ...]
    note: str = ""


def partings(material: Material, *, topics: bool) -> tuple[Parting, ...]:
    """Part the rows by decided policy, by recorded policy, and by topic where there are topics."""
    names = _policies(material)
    recorded = [names[at] for at in material.scored.recorded.argmax(axis=1).tolist()]
    fractions = material.scored.recorded.max(axis=1).min() < 1.0
    found = [
        Parting(by="decided policy", groups=tuple(each.policy for each in material.decisions)),
        Parting(
            by="recorded policy",
            groups=tuple(recorded),
            note="the likeliest policy, as scores were recorded and no grades" if fractions else "",
        ),
    ]
    if topics and any(row.topic for row in material.rows):
        found.append(_by_topic([row.topic or NO_TOPIC for row in material.rows]))
    return tuple(found)


def _by_topic(topics: Sequence[str]) -> Parting:
    sizes = Counter(topics)
    kept = {topic for topic, rows in sizes.most_common(MOST_TOPICS) if rows >= FEWEST_TOPIC_ROWS}
    merged = len(sizes) - len(kept)
    note = f"{merged:,} topics of few rows are put together as {OTHER_TOPICS}" if merged > 1 else ""
    if merged <= 1:
        kept = set(sizes)
    return Parting(
        by="topic", groups=tuple(each if each in kept else OTHER_TOPICS for each in topics), note=note
    )


def group_statistics(material: Material, parted: Sequence[Parting]) -> Mapping[Key, Statistic]:
    """Prepare what breakdowns and shares show."""
    found: dict[Key, Statistic] = {}
    for each in parted:
        found |= group_keys(material, each.by, each.groups)
    policies, models = _policies(material), [tier.model for tier in material.router.tiers]
    found |= share_keys(DECIDED, [each.policy for each in material.decisions], policies)
    found |= share_keys(_MODELS, [models[at] for at in material.scored.tier.tolist()], models)
    return found


def breakdowns(material: Material, samples: Samples, parted: Sequence[Parting]) -> tuple[Breakdown, ...]:
    """Measure every group of every parting, the largest first."""
    found = []
    for each in parted:
        groups = np.asarray(each.groups, dtype=np.str_)
        sizes = Counter(each.groups)
        ordered = sorted(sizes, key=lambda name: (name == OTHER_TOPICS, -sizes[name], name))
        found.append(
            Breakdown(
                by=each.by,
                groups=tuple(_group(material, samples, each.by, name, groups == name) for name in ordered),
                note=each.note,
            )
        )
    return tuple(found)


def _group(
    material: Material,
    samples: Samples,
    by: str,
    name: str,
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> Group:
    rows = int(inside.sum())
    whose = f"{by}: {name}"
    accuracy, medium, large = (
        share_interval(samples, whose, column, rows) for column in (ACCURACY, "medium", "large")
    )
    return Group(
        name=name,
        rows=rows,
        accuracy=accuracy,
        medium=medium,
        large=large,
        gained=difference_interval(samples, whose, "gained", rows),
        large_share=float(material.scored.large_called[inside].mean()),
        policy_accuracy=float(material.scored.hit[inside].mean()),
    )


def confusion_table(material: Material) -> ConfusionTable:
    """Count the recorded policies against the decided ones; scores count in part."""
    names = _policies(material)
    decided = np.array([names.index(each.policy) for each in material.decisions])
    table = material.scored.recorded.T @ np.eye(len(names))[decided]
    return ConfusionTable(policies=names, table=tuple(tuple(row) for row in table.tolist()))


def policy_shares(material: Material, samples: Samples) -> tuple[Share, ...]:
    """Say how often each policy was decided, beside how often it was recorded."""
    recorded = material.scored.recorded.mean(axis=0).tolist()
    return tuple(
        Share(name=name, decided=share_interval(samples, DECIDED, name), recorded=share)
        for name, share in zip(_policies(material), recorded, strict=True)
    )


def model_shares(samples: Samples, material: Material) -> tuple[Share, ...]:
    """Say how often each tier's model was decided for."""
    return tuple(
        Share(name=tier.model, decided=share_interval(samples, _MODELS, tier.model))
        for tier in material.router.tiers
    )


def cells(material: Material, *, examples: int) -> tuple[Cell, ...]:
    """List the cells of grades in the matrix's order, with some of their questions.

    Two tiers have all nine cells; more have those that occur. Rows that have scores
    between 0 and 1 are in none.
    """
    places: dict[tuple[Grade, ...], list[int]] = {}
    for at, grades in enumerate(material.grades()):
        if grades is not None:
            places.setdefault(grades, []).append(at)
    if not places:
        return ()
    tiers = len(material.router.tiers)
    every = list(itertools.product(GRADES, repeat=tiers))
    wanted = every if tiers == 2 else [grades for grades in every if grades in places]
    return tuple(_cell(material, grades, places.get(grades, []), examples) for grades in wanted)


def _cell(material: Material, grades: tuple[Grade, ...], places: Sequence[int], examples: int) -> Cell:
    policy = material.router.matrix.policy(grades)
    chosen = sorted(places, key=lambda at: stable_hash(material.rows[at].id))[:examples]
    called = material.scored.large_called[list(places)]
    hits = [material.decisions[at].policy == policy.name for at in places]
    return Cell(
        grades=tuple(grade.value for grade in grades),
        policy=policy.name,
        reason=material.router.matrix.reason(grades),
        rows=len(places),
        large_share=float(called.mean()) if len(places) else 0.0,
        policy_accuracy=float(np.mean(hits)) if hits else 0.0,
        examples=tuple(_example(material, at) for at in chosen),
    )


def _example(material: Material, at: int) -> CellExample:
    row, decision = material.rows[at], material.decisions[at]
    return CellExample(
        id=row.id,
        query=shortened(row.query.text),
        policy=decision.policy,
        tier=decision.tier,
        expected_gain=decision.expected_gain,
    )


def _policies(material: Material) -> tuple[str, ...]:
    return tuple(policy.name for policy in material.router.matrix.policies)
