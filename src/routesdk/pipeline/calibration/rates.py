"""Whether the rows of a calibration are what the router expects: base rates, mix, looks."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from routesdk.metrics import mean_interval
from routesdk.metrics.intervals import wilson
from routesdk.monotone import ISOTONIC
from routesdk.pipeline.calibration.material import Floats, Material
from routesdk.pipeline.calibration.result import BaseRate
from routesdk.pipeline.calibration.search import Maps, climb
from routesdk.router import Router
from routesdk.shift import ShiftTest

_LEVEL = 0.99
"""Several rates are looked at: each is called another one more carefully than at 95 %."""

_ONE_IN_TWENTY = 1.645
"""Standard deviations that chance goes beyond, to one side, once in twenty."""

_ISOTONIC_ROWS = 1000
"""With fewer, isotonic maps follow chance.

Source: Niculescu-Mizil and Caruana, Predicting Good Probabilities with Supervised Learning (2005).
"""


def base_rates(router: Router, rows: Material, *, resamples: int, seed: int) -> tuple[BaseRate, ...]:
    """Set beside each other what the router expects of the rows on average, and what is recorded."""
    found = []

    def add(name: str, expected: Floats, observed: Floats) -> None:
        apart = mean_interval(observed - expected, resamples=resamples, seed=seed, level=_LEVEL)
        found.append(
            BaseRate(
                name=name,
                expected=float(expected.mean()),
                observed=float(observed.mean()),
                difference=attrs.evolve(apart, metric=f"{name}, observed less expected"),
            )
        )

    for place, tier in enumerate(router.tiers if rows.correct.shape[1] else ()):
        add(f"{tier.name} correct", rows.correct[:, place], rows.quality[:, place])
    for place, policy in enumerate(router.matrix.policies):
        add(policy.name, rows.probabilities[:, place], rows.recorded[:, place])
    return tuple(found)


def warnings_of(
    router: Router,
    rows: Material,
    *,
    maps: Maps,
    rates: Sequence[BaseRate],
    shift: ShiftTest | None,
    method: str,
) -> tuple[str, ...]:
    """Say what to know before trusting a calibration."""
    said = []
    apart = [each for each in rates if each.shifted]
    if apart:
        listed = "; ".join(
            f"{each.name} {each.observed:.0%} where {each.expected:.0%} was expected" for each in apart
        )
        said.append(
            f"Base rates differ from what the router expects: {listed}. The calibration takes them over; "
            "it holds for traffic with these rates, and not where they differ again."
        )
    said += _mix(router, rows)
    if router.mapping.policy_map or router.mapping.rules:
        said.append(
            "The router's policy map and rules stay, and are left out of these figures: they are of each "
            "tier's own model, wherever a query would go otherwise."
        )
    if maps.level:
        said.append(
            "What the router expects to gain says nothing about what was gained on these rows: it sends up "
            "the wrong calls as readily as the right ones. Train it on rows of this domain."
        )
    elif _by_chance(rows):
        said.append(
            "These rows do not show that what the router expects to gain says anything about what was "
            "gained: an order by chance does as well more than once in twenty. Give more rows, or train it "
            "on rows of this domain."
        )
    if shift is not None and shift.shifted:
        said.append(shift.sentence)
    if method == ISOTONIC and len(rows) < _ISOTONIC_ROWS:
        said.append(
            f"Isotonic maps follow chance on fewer than {_ISOTONIC_ROWS:,} rows, and here are {len(rows):,}: "
            "`platt` needs fewer."
        )
    return tuple(said)


def _by_chance(rows: Material) -> bool:
    """Tell whether, at some step, an order by chance would often go with what was gained as well as this one.

    Source: Pitman, Significance Tests Which May be Applied to Samples from any Populations II (1937).
    """
    gained = np.diff(rows.quality, axis=1)
    for step in range(gained.shape[1]):
        places = np.unique(rows.gains[:, step], return_inverse=True)[1].astype(np.float64)
        apart = gained[:, step] - gained[:, step].mean()
        ranked = places - places.mean()
        spread = float(np.sqrt((ranked @ ranked) * (apart @ apart) / (len(rows) - 1)))
        if float(ranked @ apart) <= _ONE_IN_TWENTY * spread:
            return True
    return False


def _mix(router: Router, rows: Material) -> list[str]:
    """Warn where the router's present point sends another share of these rows up than it means to."""
    meant = router.operating_point.large_share
    if meant is None or router.calibration.recalibration is not None:
        return []
    share = float((climb(rows.gains, router.operating_point.thresholds) > 0).mean())
    low, high = wilson(share, len(rows), _LEVEL)
    if low <= meant <= high:
        return []
    return [
        f"The mix differs: the operating point until now was meant to send {meant:.0%} up, and sends "
        f"{share:.0%} of these rows."
    ]
