"""Fits maps that only climb: Platt's two numbers, or isotonic steps joined by lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from routesdk.errors import ConfigError
from routesdk.monotone import ISOTONIC, METHODS, PLATT, MonotoneMap

Floats = npt.NDArray[np.float64]

LEAST_SLOPE = 0.02
"""Below this slope a map is all but level: what was predicted said nothing about what happened."""

_EDGE = 1e-6
_ROUNDS, _ENOUGH = 100, 1e-9


def check_method(method: str) -> None:
    """Refuse a method that is none.

    Raises:
        ConfigError: It is neither `platt` nor `isotonic`.
    """
    if method not in METHODS:
        raise ConfigError("method", repr(method), "is no way to calibrate", f"Give {' or '.join(METHODS)}.")


def fit_map(predicted: Floats, happened: Floats, method: str, *, least: float) -> MonotoneMap:
    """Fit a map from what was predicted to what happened on average.

    Args:
        predicted: Gains or probabilities, (rows,).
        happened: Differences of quality, or qualities, (rows,).
        method: `platt` or `isotonic`.
        least: -1 for gains, 0 for probabilities.
    """
    if method == ISOTONIC:
        return _isotonic(predicted, happened, least)
    shares, outcomes = ((each - least) / (1.0 - least) for each in (predicted, happened))
    # As Platt has it: what never happened on so many rows is rare, and not impossible.
    rare = 1.0 / (len(outcomes) + 2.0)
    slope, offset = _platt(np.clip(shares, _EDGE, 1.0 - _EDGE), np.clip(outcomes, rare, 1.0 - rare))
    return MonotoneMap(method=PLATT, least=least, slope=slope, offset=offset)


def mapped(map_: MonotoneMap, numbers: Floats) -> Floats:
    """Map many numbers."""
    return np.array([map_(number) for number in numbers.tolist()], dtype=np.float64)


def _platt(shares: Floats, outcomes: Floats) -> tuple[float, float]:
    """Return slope and offset of the likeliest logistic curve; outcomes between 0 and 1 count in part.

    One row's worth of belief that what was predicted is right keeps the slope finite
    where outcomes are parted without an error.
    """
    logits = np.log(shares / (1.0 - shares))
    found = np.array([1.0, 0.0])
    belief = max(0.25 * float(logits.var()), 1e-9)
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ found, -500.0, 500.0)))
        slope = design.T @ (outcomes - chance) - np.array([belief * (found[0] - 1.0), 0.0])
        weight = np.maximum(chance * (1.0 - chance), 1e-9)
        curvature = (design * weight[:, None]).T @ design + np.diag([belief, 1e-9])
        step = np.linalg.solve(curvature, slope)
        # A full step may overshoot where the curve is steep: none moves a logit by more than two.
        step *= min(1.0, 2.0 / max(float(np.abs(design @ step).max()), 1e-12))
        found = found + step
        if float(np.abs(step).max()) < _ENOUGH:
            break
    if found[0] >= LEAST_SLOPE:
        return float(found[0]), float(found[1])
    # A falling curve would turn the ranking round: the levellest that climbs takes its place.
    level = float(np.clip(outcomes.mean(), _EDGE, 1.0 - _EDGE))
    return LEAST_SLOPE, float(np.log(level / (1.0 - level)) - LEAST_SLOPE * logits.mean())


def _isotonic(predicted: Floats, happened: Floats, least: float) -> MonotoneMap:
    """Pool neighbours that fall until none does; their middles are the knots.

    Source: Ayer et al., An Empirical Distribution Function for Sampling with Incomplete
        Information (1955), for pooling.
    """
    knots, codes, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    sums = np.bincount(codes, weights=happened)
    pooled: list[tuple[float, float, float]] = []
    for knot, total, count in zip(knots.tolist(), sums.tolist(), counts.tolist(), strict=True):
        block = (knot * count, total, float(count))
        while pooled and pooled[-1][1] * block[2] >= block[1] * pooled[-1][2]:
            last = pooled.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        pooled.append(block)
    return MonotoneMap(
        method=ISOTONIC,
        least=least,
        knots=tuple(place / count for place, _, count in pooled),
        values=tuple(min(max(total / count, least), 1.0) for _, total, count in pooled),
    )
