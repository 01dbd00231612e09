"""Sets a router to a target on rows with outcomes, and says what to expect of new ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.errors import ConfigError, UnknownPriceError
from routesdk.manifest import Recalibration
from routesdk.metrics import Interval, brier_score, expected_calibration_error, mean_interval
from routesdk.pipeline.calibration.fitting import check_method, fit_map, mapped
from routesdk.pipeline.calibration.material import LEAST_ROWS, Floats, Integers, Material, admit
from routesdk.pipeline.calibration.rates import base_rates, warnings_of
from routesdk.pipeline.calibration.result import COST, LARGE_SHARE, QUALITY, Calibrated, Target
from routesdk.pipeline.calibration.search import Choice, Maps, choose, climb, parts
from routesdk.pipeline.calibration.wording import Found, is_sure, say
from routesdk.pipeline.evaluation.pricing import Costs, price_rows
from routesdk.pipeline.fingerprint import query_hash
from routesdk.router import Router
from routesdk.types import Example, OperatingPoint

__all__ = ["LEAST_ROWS", "calibrate"]

_QUANTILES = 101


def calibrate(
    router: Router,
    outcomes: Iterable[Example],
    *,
    target_cost: Decimal | float | str | None = None,
    target_quality: float | None = None,
    target_large_share: float | None = None,
    method: str = "platt",
    resamples: int = 2000,
    seed: int = 0,
) -> Calibrated:
    """Set a router to a target; see `Router.calibrate`, which is this."""
    target = _target(target_cost, target_quality, target_large_share)
    check_method(method)
    examples = admit(router, outcomes)
    rows = Material.of(router, examples)
    costs = price_rows(examples, router.tiers, router.mapping.catalogue)
    cost = costs.table()
    if target.kind == COST and cost is None:
        unpriced = [tier.model for tier in router.tiers if not router.mapping.catalogue.is_priced(tier.model)]
        if unpriced:
            raise UnknownPriceError(unpriced[0], tuple(router.mapping.catalogue))
        raise ConfigError("target_cost", f"{target.value:g}", costs.note, "Give prices for these calls.")
    everything = np.arange(len(rows))
    maps = Maps.fit(rows, everything, method)
    chosen = choose(target, maps.apply(rows.gains), rows.quality, cost)
    unseen = _unseen(target, rows, cost, method, seed)
    measured = _measure(rows, unseen, cost, resamples, seed)
    return _finish(router, rows, maps, chosen, target, measured, costs, method, resamples, seed)


def _target(cost: Decimal | float | str | None, quality: float | None, large_share: float | None) -> Target:
    """Read the one target that is given.

    Raises:
        ConfigError: There is none, there are several, or it is out of range.
    """
    given = {COST: cost, QUALITY: quality, LARGE_SHARE: large_share}
    named = {kind: value for kind, value in given.items() if value is not None}
    if len(named) != 1:
        said = " and ".join(f"target_{kind.replace(' ', '_')}" for kind in named) or "no target"
        fix = "Give one of target_cost, target_quality and target_large_share."
        raise ConfigError("target", said, "were given at once" if named else "was given", fix)
    ((kind, value),) = named.items()
    key = f"target_{kind.replace(' ', '_')}"
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(key, repr(value), "is no number", "Give a number.") from error
    if kind == COST and not (0.0 <= number < math.inf):
        raise ConfigError(key, repr(value), "is no amount of money", "Give US dollars a query, 0 or more.")
    if kind != COST and not 0.0 <= number <= 1.0:
        raise ConfigError(key, repr(value), "lies outside [0, 1]", "Give a share from 0 to 1.")
    return Target(kind=kind, value=number)


@attrs.frozen(kw_only=True, eq=False)
class _Unseen:
    """What became of each row while everything was fitted to others, (rows,)."""

    tiers: Integers
    before: Floats
    after: Floats
    hit: Floats


def _unseen(target: Target, rows: Material, cost: Floats | None, method: str, seed: int) -> _Unseen:
    """Leave rows out in turn, fit everything to the others, and decide those left out."""
    fold = parts(len(rows), seed)
    tiers = np.zeros(len(rows), dtype=np.int64)
    after = np.zeros(len(rows))
    for number in np.unique(fold):
        inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        maps = Maps.fit(rows, others, method)
        gains = maps.apply(rows.gains)
        point = choose(target, gains[others], rows.quality[others], None if cost is None else cost[others])
        decided = climb(gains, point.thresholds)
        confidence, hit = rows.decided(decided)
        trusted = fit_map(confidence[others], hit[others], method, least=0.0)
        tiers[inside] = decided[inside]
        after[inside] = mapped(trusted, confidence[inside])
    before, hit = rows.decided(tiers)
    return _Unseen(tiers=tiers, before=before, after=after, hit=hit)


@attrs.frozen(kw_only=True, eq=False)
class _Measured:
    quality: Interval
    large_share: Interval
    cost: Interval | None
    medium: Interval
    large: Interval
    calibration_error: tuple[float, float]
    brier: tuple[float, float]


def _measure(rows: Material, unseen: _Unseen, cost: Floats | None, resamples: int, seed: int) -> _Measured:
    at = np.arange(len(rows))

    def mean(name: str, values: npt.ArrayLike) -> Interval:
        return attrs.evolve(mean_interval(values, resamples=resamples, seed=seed), metric=name)

    def both(measure: Callable[[Floats, Floats], float]) -> tuple[float, float]:
        return measure(unseen.before, unseen.hit), measure(unseen.after, unseen.hit)

    return _Measured(
        quality=mean("quality", rows.quality[at, unseen.tiers]),
        large_share=mean("share of large calls", (unseen.tiers > 0).astype(np.float64)),
        cost=None if cost is None else mean("US dollars a query", cost[at, unseen.tiers]),
        medium=mean("quality of the cheapest tier", rows.quality[:, 0]),
        large=mean("quality of the dearest tier", rows.quality[:, -1]),
        calibration_error=both(expected_calibration_error),
        brier=both(brier_score),
    )


def _finish(  # noqa: PLR0917 - everything that was found, put together
    router: Router,
    rows: Material,
    maps: Maps,
    chosen: Choice,
    target: Target,
    measured: _Measured,
    costs: Costs,
    method: str,
    resamples: int,
    seed: int,
) -> Calibrated:
    gains = maps.apply(rows.gains)
    tiers = climb(gains, chosen.thresholds)
    point = OperatingPoint(chosen.thresholds, float((tiers > 0).mean()), "calibration")
    rates = base_rates(router, rows, resamples=resamples, seed=seed)
    shift = None if router.shift is None else router.shift.assess([row.query for row in rows.examples])
    warnings = warnings_of(router, rows, maps=maps, rates=rates, shift=shift, method=method)
    found = Found(
        target=target,
        met=chosen.met,
        nearest=chosen.nearest,
        quality=measured.quality,
        large_share=measured.large_share,
        cost=measured.cost,
        rows=len(rows),
    )
    copy = None
    if chosen.met:
        confidence, hit = rows.decided(tiers)
        again = Recalibration(
            rows=len(rows),
            target=f"{target.kind} {target.value:g}",
            base=maps.base,
            gains=maps.gains,
            confidence=fit_map(confidence, hit, method, least=0.0),
            gain_quantiles=_quantiles(gains),
            notes=warnings,
        )
        copy = _recalibrated(router, rows, again, point, say(found))
    return Calibrated(
        target=target,
        reached=chosen.met,
        sure=is_sure(found),
        sentence=say(found),
        point=point,
        quality=measured.quality,
        large_share=measured.large_share,
        cost=measured.cost,
        cost_note=costs.note,
        medium_quality=measured.medium,
        large_quality=measured.large,
        calibration_error=measured.calibration_error,
        brier=measured.brier,
        base_rates=rates,
        shift=shift,
        warnings=warnings,
        method=method,
        rows=len(rows),
        resamples=resamples,
        seed=seed,
        router=copy,
    )


def _quantiles(gains: Floats) -> tuple[tuple[float, ...], ...]:
    at = np.linspace(0.0, 1.0, _QUANTILES)
    return tuple(tuple(np.quantile(gains[:, step], at).tolist()) for step in range(gains.shape[1]))


def _recalibrated(
    router: Router, rows: Material, again: Recalibration, point: OperatingPoint, sentence: str
) -> Router:
    """Return a copy at the point, which carries the hashes of the rows: it has learned from them now."""
    hashes = {query_hash(row.query.text) for row in rows.examples}
    known = np.union1d(router.training_hashes(), np.array(sorted(hashes), dtype=np.uint64))
    limit = (
        f"It was recalibrated on {again.rows:,} rows with outcomes, for {again.target}: {sentence} "
        "Figures of shares and of calibration that stand on this card were measured before that."
    )
    kept = tuple(each for each in router.evidence.limits if not each.startswith("It was recalibrated on "))
    return attrs.evolve(
        router,
        operating_point=point,
        calibration=attrs.evolve(router.calibration, recalibration=again),
        evidence=attrs.evolve(router.evidence, limits=(limit, *again.notes, *kept)),
        training_hashes=lambda: known,
        checkpoint_id="",
    )
