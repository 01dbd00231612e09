"""All statistics of an evaluation on the same resamples of the rows, so that every difference is paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from routesdk.metrics import (
    Interval,
    Statistic,
    aiq_statistic,
    apgr_statistic,
    arena_statistic,
    aurc_statistic,
    auroc_statistic,
    brier_statistic,
    calibration_statistic,
    correct_given_attempted_statistic,
    cpt_statistic,
    deferral_area_statistic,
    f1_statistic,
    group_statistics,
    mean_statistic,
    oracle_gap_statistic,
    pgr_statistic,
    saved_share_statistic,
)
from routesdk.metrics.intervals import wilson
from routesdk.pipeline.evaluation.figures import ROUTER
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.payoff.figures import ACCURACY, APGR, CALIBRATION
from routesdk.pipeline.payoff.sampling import Floats, Key, Samples, recall_statistic, top_share
from routesdk.types import Grade

COST, SAVED, SAVED_USD, SHARE = "cost", "saved", "saved in US dollars", "share of large calls"
GRID = tuple(at / 20 for at in range(21))
"""Shares of calls of the dearest tier at which curves are drawn."""

_LEVEL = 0.95

GROUP_COLUMNS = (ACCURACY, "medium", "large", "gained")


def line_statistics(material: Material) -> Mapping[Key, Statistic]:
    """Prepare what the headline table shows: accuracy, costs, and the rankings' APGR."""
    scored, usd = material.scored, material.cost_table
    found: dict[Key, Statistic] = {}
    for name, share in material.shares.items():
        found[name, ACCURACY] = mean_statistic((share * scored.quality).sum(axis=1))
        if usd is not None:
            paid = (share * usd).sum(axis=1)
            found[name, COST] = mean_statistic(paid)
            found[name, SAVED_USD] = mean_statistic(usd[:, -1] - paid)
            found[name, SAVED] = saved_share_statistic(paid, usd[:, -1])
    for name, ranking in material.rankings.items():
        found[name, APGR] = apgr_statistic(ranking, scored.medium, scored.large)
    found[ROUTER, SHARE] = mean_statistic(scored.large_called)
    return found


def router_statistics(material: Material) -> Mapping[Key, Statistic]:
    """Prepare the router's own further figures, by the keys of their metrics."""
    scored = material.scored
    ends = (scored.medium, scored.large)
    tiers = range(scored.quality.shape[1])
    gain = scored.gain
    found: dict[str, Statistic] = {
        "oracle_gap_closed": oracle_gap_statistic(scored.obtained, [scored.quality[:, at] for at in tiers]),
        "pgr": pgr_statistic(scored.large_called, *ends),
        "cpt_50": cpt_statistic(gain, *ends, 0.5),
        "cpt_80": cpt_statistic(gain, *ends, 0.8),
        "deferral_area": deferral_area_statistic(gain, *ends),
        "decided_policy": mean_statistic(scored.hit),
        "likeliest_policy": mean_statistic(scored.recorded[np.arange(len(scored)), scored.likeliest]),
        "balanced_policy": recall_statistic(scored.likeliest, scored.recorded),
        "brier": brier_statistic(scored.confidence, scored.hit),
        "aurc": aurc_statistic(scored.confidence, scored.hit),
        CALIBRATION: calibration_statistic(scored.confidence, scored.hit),
    }
    better = material.actual_gain > 0
    if better.any() and not better.all():
        found["auroc"] = auroc_statistic(gain, better)
    found |= _factual_statistics(material) | _cost_statistics(material)
    return {(ROUTER, key): statistic for key, statistic in found.items()}


def _factual_statistics(material: Material) -> dict[str, Statistic]:
    """Prepare SimpleQA's figures; nothing where grades are missing, or nobody abstained."""
    grades = material.grades()
    graded = [each for each in grades if each is not None]
    if len(graded) < len(grades) or not any(Grade.ABSTAINED in each for each in graded):
        return {}
    called = [each[tier] for each, tier in zip(graded, material.scored.tier.tolist(), strict=True)]
    correct = np.array([grade is Grade.CORRECT for grade in called])
    attempted = np.array([grade is not Grade.ABSTAINED for grade in called])
    return {
        "correct_given_attempted": correct_given_attempted_statistic(correct, attempted),
        "f1": f1_statistic(correct, attempted),
        "not_attempted": mean_statistic(~attempted),
    }


def _cost_statistics(material: Material) -> dict[str, Statistic]:
    usd, scored = material.cost_table, material.scored
    if usd is None:
        return {}
    called = np.stack([top_share(scored.gain, share) for share in GRID], axis=1)
    cost = called * usd[:, -1:] + (1.0 - called) * usd[:, :1]
    quality = called * scored.large[:, None] + (1.0 - called) * scored.medium[:, None]
    paid = usd[np.arange(len(scored)), scored.tier]
    return {"aiq": aiq_statistic(cost, quality), "arena": arena_statistic(scored.obtained, paid)}


def group_keys(material: Material, by: str, groups: Sequence[str]) -> Mapping[Key, Statistic]:
    """Prepare accuracies of every group of rows; keys are `by: group` and one of `GROUP_COLUMNS`."""
    scored = material.scored
    columns = (scored.obtained, scored.medium, scored.large, scored.obtained - scored.medium)
    return {
        (f"{by}: {name}", column): statistic
        for column, values in zip(GROUP_COLUMNS, columns, strict=True)
        for name, statistic in group_statistics(values, groups).items()
    }


def share_keys(by: str, choices: Sequence[str], names: Sequence[str]) -> Mapping[Key, Statistic]:
    """Prepare how often each of some names was chosen; keys are `by` and the name."""
    chosen = np.asarray(choices, dtype=np.str_)
    return {(by, name): mean_statistic(chosen == name) for name in names}


def share_interval(samples: Samples, name: str, metric: str, rows: int | None = None) -> Interval:
    """Bound a share; where all resamples are the same at 0 or 1, by Wilson's interval.

    A bootstrap that never saw a counterexample would claim to be certain.

    Args:
        samples: What was drawn.
        name: Who was measured.
        metric: The metric.
        rows: Of how many rows it is, where not of all.
    """
    found = samples.defined(name, metric)
    if found is None:
        # A group of one row is missing from about a third of the resamples, and by chance from more.
        value, drawn = samples.points[name, metric], samples.values[name, metric]
        low, high = wilson(value, rows or samples.rows)
        found = undrawn(metric, value, (low, high), drawn, samples)
    return settled(found if rows is None else attrs.evolve(found, rows=rows))


def difference_interval(samples: Samples, name: str, metric: str, rows: int) -> Interval:
    """Bound a difference of shares in a group; by -1 and 1 where too few resamples have any of its rows."""
    found = samples.defined(name, metric)
    if found is None:
        drawn = samples.values[name, metric]
        found = undrawn(metric, samples.points[name, metric], (-1.0, 1.0), drawn, samples)
    return attrs.evolve(found, rows=rows)


def undrawn(
    metric: str, value: float, ends: tuple[float, float], drawn: Floats, samples: Samples
) -> Interval:
    """Return an interval that resamples did not give."""
    return Interval(
        metric=metric,
        value=value,
        low=ends[0],
        high=ends[1],
        level=_LEVEL,
        resamples=len(drawn),
        undefined=int(np.isnan(drawn).sum()),
        seed=samples.seed,
        rows=samples.rows,
    )


def settled(found: Interval) -> Interval:
    """Give an interval of no width at 0 or 1 the width of Wilson's; others stay."""
    if found.low == found.high and found.value in (0.0, 1.0):
        low, high = wilson(found.value, found.rows, found.level)
        return attrs.evolve(found, low=low, high=high)
    return found


def band(values: Floats, level: float = _LEVEL) -> tuple[Floats, Floats]:
    """Bound every point of a curve, (resamples, points); NaN where half of the resamples have no value."""
    low = np.full(values.shape[1], np.nan)
    high = low.copy()
    known = np.isnan(values).sum(axis=0) * 2 < len(values)
    low[known], high[known] = np.nanquantile(values[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
