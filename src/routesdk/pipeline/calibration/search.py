"""Which operating points there are, what each comes to, and which one a target asks for."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.monotone import MonotoneMap
from routesdk.pipeline.calibration.fitting import LEAST_SLOPE, fit_map, mapped
from routesdk.pipeline.calibration.material import Floats, Integers, Material
from routesdk.pipeline.calibration.result import COST, QUALITY, Target
from routesdk.scoring import thresholds_for_share

_POINTS, _FEW_POINTS = 200, 50
"""Points that are looked at, evenly spread over the shares of calls that go up; few where a share is
asked for, which is one of them."""

SHARE_TOLERANCE = 0.02
"""How far the share of a point may lie from the one asked for; further off, it is out of reach.

Shares near none or all may be off by half of what they are apart from that, or by half a row.
"""


@attrs.frozen(kw_only=True)
class Maps:
    """Maps of gains, and of P(correct) of the cheapest tier where it is known."""

    gains: tuple[MonotoneMap, ...]
    base: MonotoneMap | None

    @classmethod
    def fit(cls, rows: Material, at: Integers, method: str) -> Maps:
        """Fit them to some of the rows."""
        steps = np.diff(rows.quality[at], axis=1)
        base = None
        if rows.correct.shape[1]:
            base = fit_map(rows.correct[at, 0], rows.quality[at, 0], method, least=0.0)
        gains = [
            fit_map(rows.gains[at, step], steps[:, step], method, least=-1.0)
            for step in range(steps.shape[1])
        ]
        return cls(gains=tuple(gains), base=base)

    def apply(self, gains: Floats) -> Floats:
        """Map gains, (rows, steps)."""
        return np.stack([mapped(each, gains[:, step]) for step, each in enumerate(self.gains)], axis=1)

    @property
    def level(self) -> bool:
        """Whether predicted gains said nothing about those that were found."""
        return any(not each.knots and each.slope <= LEAST_SLOPE for each in self.gains) or any(
            len(each.knots) == 1 for each in self.gains
        )


@attrs.frozen(kw_only=True, eq=False)
class Choice:
    """An operating point, and whether it meets the target on the rows that it was chosen on.

    Attributes:
        thresholds: On recalibrated gains.
        met: Whether it meets the target; else it comes nearest.
        nearest: The figure that it comes to there: cost, quality or share.
    """

    thresholds: tuple[float, ...]
    met: bool
    nearest: float


def climb(gains: Floats, thresholds: tuple[float, ...]) -> Integers:
    """Return the tier that each row comes to, (rows,)."""
    up = np.logical_and.accumulate(gains >= np.array(thresholds), axis=1)
    return np.asarray(up.sum(axis=1), dtype=np.int64)


def choose(target: Target, gains: Floats, quality: Floats, cost: Floats | None) -> Choice:
    """Choose the point that a target asks for.

    A cost buys as much expected quality as it can: that of the cheapest tier plus the
    recalibrated gains of what goes up, so that nothing goes up to lose. A quality is had
    with the smallest share at which the rows themselves came to it: gains that a map has
    smoothed are off by some tenths of a point where its shape does not fit.

    Args:
        target: What is asked for.
        gains: Recalibrated gains, (rows, steps).
        quality: What was obtained, (rows, tiers).
        cost: US dollars of each tier's call, (rows, tiers); needed for a cost.
    """
    count, wanted = (_POINTS, []) if target.kind in (COST, QUALITY) else (_FEW_POINTS, [target.value])
    shares = np.unique(np.concatenate([np.linspace(0.0, 1.0, min(len(gains), count) + 1), wanted]))
    steps = gains.shape[1]
    points = [thresholds_for_share(gains, (float(share),) * steps) for share in shares]
    tiers = np.stack([climb(gains, point) for point in points])
    at_each = np.arange(len(gains))
    if target.kind == COST and cost is not None:
        expected = _gained(gains)[at_each, tiers].mean(axis=1)
        spent = cost[at_each, tiers].mean(axis=1)
        within = spent <= target.value * (1.0 + 1e-9)
        if not within.any():
            return _choice(points, spent, int(spent.argmin()), met=False)
        return _choice(points, spent, int(np.where(within, expected, -np.inf).argmax()), met=True)
    if target.kind == QUALITY:
        obtained = quality[at_each, tiers].mean(axis=1)
        enough = obtained >= target.value - 1e-9
        at = int(enough.argmax()) if enough.any() else int(obtained.argmax())
        return _choice(points, obtained, at, met=bool(enough.any()))
    # With more than two tiers, the share holds of those who reach a tier, as in `large_share`.
    reached = (tiers > 0).mean(axis=1)
    at = int(np.abs(reached - target.value).argmin())
    # None at all is not nearly one in a hundred.
    near = min(SHARE_TOLERANCE, target.value / 2.0, (1.0 - target.value) / 2.0)
    allowed = max(near, 0.5 / len(gains) + 1e-9)
    return _choice(points, reached, at, met=bool(abs(reached[at] - target.value) <= allowed))


def _choice(points: list[tuple[float, ...]], figures: Floats, at: int, *, met: bool) -> Choice:
    return Choice(thresholds=points[at], met=met, nearest=float(figures[at]))


def _gained(gains: Floats) -> Floats:
    """Return what each row is expected to gain at each tier over the cheapest, (rows, tiers)."""
    return np.concatenate([np.zeros((len(gains), 1)), gains.cumsum(axis=1)], axis=1)


def parts(rows: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal rows into folds of equal size, by chance."""
    count = 10 if rows >= 200 else 5
    return np.random.default_rng(seed).permutation(rows) % count
