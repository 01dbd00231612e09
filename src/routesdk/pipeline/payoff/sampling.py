"""Statistics of several routers on the same resamples of the rows, so that differences are paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.errors import MetricError
from routesdk.metrics import Interval, bootstrap_many, summarise
from routesdk.metrics.intervals import Statistic, centre
from routesdk.pipeline.payoff.figures import CALIBRATION

Floats = npt.NDArray[np.float64]

Key: TypeAlias = tuple[str, str]
"""Who was measured, and the metric."""


@attrs.frozen(kw_only=True, eq=False)
class Samples:
    """What each statistic came to on the rows, and on each resample of them.

    Attributes:
        rows: How many rows there are.
        seed: Seed of the draws.
        points: The value on the rows as they are; NaN where it is not defined.
        values: The values on the resamples, (resamples,) each.
    """

    rows: int
    seed: int
    points: Mapping[Key, float]
    values: Mapping[Key, Floats]

    @classmethod
    def draw(cls, statistics: Mapping[Key, Statistic], rows: int, *, resamples: int, seed: int) -> Samples:
        """Evaluate every statistic on the rows and on the same resamples of them.

        Raises:
            MetricError: Rows or resamples are no whole number of 1 or more.
        """
        keys = list(statistics)
        values = bootstrap_many([statistics[key] for key in keys], rows, resamples=resamples, seed=seed)
        once = np.ones((1, rows))
        return cls(
            rows=rows,
            seed=seed,
            points={key: float(statistics[key](once)[0]) for key in keys},
            values=dict(zip(keys, values, strict=True)),
        )

    def interval(self, name: str, metric: str) -> Interval:
        """Bound a statistic; the interval of a calibration error is centred on the value.

        Raises:
            MetricError: It is not defined on the rows, or on half of the resamples.
        """
        key = (name, metric)
        found = summarise(metric, self.points[key], self.values[key], rows=self.rows, seed=self.seed)
        return centre(found, self.values[key], least=0.0, most=1.0) if metric == CALIBRATION else found

    def defined(self, name: str, metric: str) -> Interval | None:
        """Bound a statistic; None where it is not there, or not defined."""
        if (name, metric) not in self.points or self.problem(name, metric):
            return None
        return self.interval(name, metric)

    def problem(self, name: str, metric: str) -> str:
        """Say why a statistic has no interval; empty where it has one."""
        try:
            self.interval(name, metric)
        except MetricError as error:
            return error.problem
        return ""

    def difference(self, name: str, other: str, metric: str) -> Interval | None:
        """Bound one minus another on the same resamples; None where one of them is not defined.

        The interval of a difference in calibration error is centred on the value, as theirs are.
        """
        ours, theirs = (name, metric), (other, metric)
        if self.defined(*ours) is None or self.defined(*theirs) is None:
            return None
        point = self.points[ours] - self.points[theirs]
        values = self.values[ours] - self.values[theirs]
        found = summarise(f"difference in {metric}", point, values, rows=self.rows, seed=self.seed)
        return centre(found, values, least=-1.0, most=1.0) if metric == CALIBRATION else found


def recall_statistic(likeliest: Sequence[int] | npt.NDArray[np.int64], recorded: Floats) -> Statistic:
    """Prepare balanced accuracy for many resamples: recall of each recorded policy, averaged.

    Args:
        likeliest: Place of the policy that was said, (rows,).
        recorded: Probability that each policy is the recorded one, (rows, policies).

    Returns:
        A function from counts, (resamples, rows), to balanced accuracy, (resamples,).
        Policies that a resample lacks are left out of its average.
    """
    present = np.flatnonzero(recorded.sum(axis=0) > 0)
    weight = recorded[:, present]
    right = weight * (np.asarray(likeliest)[:, None] == present)

    def statistic(counts: Floats) -> Floats:
        mass, found = counts @ weight, counts @ right
        there = mass > 0
        recall = np.divide(found, mass, out=np.zeros_like(mass), where=there)
        return np.asarray(recall.sum(axis=1) / there.sum(axis=1), dtype=np.float64)

    return statistic


def top_share(score: npt.ArrayLike, share: float) -> Floats:
    """Return how surely each row is among the given share with the highest scores.

    Rows with one score are among it with one probability: the mean over all their orders.

    Args:
        score: What rows are ranked by, (rows,).
        share: From 0 to 1.
    """
    _, codes, sizes = np.unique(-np.asarray(score, dtype=np.float64), return_inverse=True, return_counts=True)
    before = np.cumsum(sizes) - sizes
    return np.asarray(np.clip((share * len(codes) - before) / sizes, 0.0, 1.0)[codes], dtype=np.float64)
