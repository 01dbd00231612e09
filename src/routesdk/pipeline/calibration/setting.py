"""Sets a router to a target on rows with outcomes, and says what to expect of new ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal

import attrs
import numpy as np

from routesdk.errors import ConfigError, RouteSDKError, UnknownPriceError
from routesdk.manifest import Recalibration, SourceRecord
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

_QUANTILES, _KEPT = 101, 500


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
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError("seed", repr(seed), "seeds nothing", "Give a whole number, 0 or more.")
    examples = admit(router, outcomes)
    rows = Material.of(router, examples)
    costs = price_rows(examples, router.tiers, router.mapping.catalogue)
    cost = costs.table()
    if target.kind == COST and cost is None:
        raise _unpriced(router, target, costs)
    work = _Work(
        router=router,
        rows=rows,
        target=target,
        cost=cost,
        method=method,
        resamples=resamples,
        seed=seed,
    )
    return work.find(costs.note)


def _unpriced(router: Router, target: Target, costs: Costs) -> RouteSDKError:
    """Say which price is missing."""
    catalogue = router.mapping.catalogue
    unknown = [tier.model for tier in router.tiers if not catalogue.is_priced(tier.model)]
    if unknown:
        return UnknownPriceError(unknown[0], tuple(catalogue))
    return ConfigError("target_cost", f"{target.value:g}", costs.note, "Give prices for these calls.")


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


@attrs.frozen(kw_only=True, eq=False)
class _Work:
    """One calibration: its rows, their costs, (rows, tiers), and what was asked for."""

    router: Router
    rows: Material
    target: Target
    cost: Floats | None
    method: str
    resamples: int
    seed: int

    def find(self, cost_note: str) -> Calibrated:
        """Choose the point, measure it on rows left out in turn, and put everything together."""
        rows = self.rows
        maps = Maps.fit(rows, np.arange(len(rows)), self.method)
        gains = maps.apply(rows.gains)
        chosen = choose(self.target, gains, rows.quality, self.cost)
        tiers = climb(gains, chosen.thresholds)
        point = OperatingPoint(chosen.thresholds, float((tiers > 0).mean()), "calibration")
        unseen = self._unseen()
        found = self._found(chosen, unseen)
        rates = base_rates(self.router, rows, resamples=self.resamples, seed=self.seed)
        learned = self.router.shift
        shift = None if learned is None else learned.assess([row.query for row in rows.examples])
        warnings = warnings_of(self.router, rows, maps=maps, rates=rates, shift=shift, method=self.method)
        again = self._recalibration(maps, gains, tiers, warnings)
        return Calibrated(
            target=self.target,
            reached=chosen.met,
            sure=is_sure(found),
            sentence=say(found),
            point=point,
            quality=found.quality,
            large_share=found.large_share,
            cost=found.cost,
            cost_note=cost_note,
            medium_quality=self._mean("quality of the cheapest tier", rows.quality[:, 0]),
            large_quality=self._mean("quality of the dearest tier", rows.quality[:, -1]),
            calibration_error=_both(expected_calibration_error, unseen),
            brier=_both(brier_score, unseen),
            base_rates=rates,
            shift=shift,
            warnings=warnings,
            method=self.method,
            rows=len(rows),
            resamples=self.resamples,
            seed=self.seed,
            router=_recalibrated(self.router, rows, again, point, say(found)) if chosen.met else None,
        )

    def _unseen(self) -> _Unseen:
        """Leave rows out in turn, fit everything to the others, and decide those left out."""
        rows, fold = self.rows, parts(len(self.rows), self.seed)
        tiers = np.zeros(len(rows), dtype=np.int64)
        after = np.zeros(len(rows))
        for number in np.unique(fold):
            inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            gains = Maps.fit(rows, others, self.method).apply(rows.gains)
            cost = None if self.cost is None else self.cost[others]
            point = choose(self.target, gains[others], rows.quality[others], cost)
            decided = climb(gains, point.thresholds)
            confidence, hit = rows.decided(decided)
            trusted = fit_map(confidence[others], hit[others], self.method, least=0.0)
            tiers[inside] = decided[inside]
            after[inside] = mapped(trusted, confidence[inside])
        before, hit = rows.decided(tiers)
        return _Unseen(tiers=tiers, before=before, after=after, hit=hit)

    def _found(self, chosen: Choice, unseen: _Unseen) -> Found:
        at = np.arange(len(self.rows))
        cost = self.cost
        return Found(
            target=self.target,
            met=chosen.met,
            nearest=chosen.nearest,
            quality=self._mean("quality", self.rows.quality[at, unseen.tiers]),
            large_share=self._mean("share of large calls", (unseen.tiers > 0).astype(np.float64)),
            cost=None if cost is None else self._mean("US dollars a query", cost[at, unseen.tiers]),
            rows=len(self.rows),
        )

    def _mean(self, name: str, values: Floats) -> Interval:
        found = mean_interval(values, resamples=self.resamples, seed=self.seed)
        return attrs.evolve(found, metric=name)

    def _recalibration(
        self, maps: Maps, gains: Floats, tiers: Integers, notes: tuple[str, ...]
    ) -> Recalibration:
        confidence, hit = self.rows.decided(tiers)
        return Recalibration(
            rows=len(self.rows),
            target=f"{self.target.kind} {self.target.value:g}",
            base=maps.base,
            gains=maps.gains,
            confidence=fit_map(confidence, hit, self.method, least=0.0),
            gain_quantiles=tuple(tuple(step) for step in _reference(gains).T.tolist()),
            notes=notes,
        )


def _reference(gains: Floats) -> Floats:
    """Return the gains that shares are found from later: quantiles, or whole rows of several steps."""
    if gains.shape[1] == 1:
        return np.asarray(np.quantile(gains, np.linspace(0.0, 1.0, _QUANTILES), axis=0))
    ranked = gains[np.argsort(gains[:, 0], kind="stable")]
    return ranked[np.linspace(0, len(ranked) - 1, min(_KEPT, len(ranked))).round().astype(np.int64)]


def _both(measure: Callable[[Floats, Floats], float], unseen: _Unseen) -> tuple[float, float]:
    """Measure the confidence before and after."""
    return measure(unseen.before, unseen.hit), measure(unseen.after, unseen.hit)


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
    models = tuple(tier.model for tier in router.tiers)
    source = SourceRecord(name="calibration", rows=again.rows, tiers=models)
    before = router.calibration.recalibration
    stale = () if before is None else before.notes
    kept = tuple(
        each
        for each in router.evidence.limits
        if each not in stale and not each.startswith("It was recalibrated on ")
    )
    return attrs.evolve(
        router,
        operating_point=point,
        calibration=attrs.evolve(router.calibration, recalibration=again),
        evidence=attrs.evolve(
            router.evidence,
            sources=(*router.evidence.sources, source),
            limits=(limit, *again.notes, *kept),
        ),
        training_hashes=lambda: known,
        checkpoint_id="",
    )
