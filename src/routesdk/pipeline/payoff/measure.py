"""Measures routers on the same rows: what each is worth, and what one has over another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
import numpy as np

from routesdk.errors import ConfigError
from routesdk.host import attempt
from routesdk.metrics import apgr, perfect_calibration_error
from routesdk.metrics._input import whole_number
from routesdk.metrics.calibration import calibration_statistic
from routesdk.metrics.curves import apgr_statistic
from routesdk.metrics.intervals import DEFAULT_RESAMPLES, Statistic, mean_interval, mean_statistic
from routesdk.pipeline.payoff.candidate import Candidate, check_names, common_tiers, refuse_seen
from routesdk.pipeline.payoff.figures import (
    ACCURACY,
    APGR,
    CALIBRATION,
    METRICS,
    ORACLE,
    PROMPT_LENGTH,
    RANDOM,
    Baseline,
    Difference,
    Failure,
    Figures,
    Payoff,
    Spread,
)
from routesdk.pipeline.payoff.sampling import Key, Samples, recall_statistic
from routesdk.pipeline.payoff.scored import Scored, set_beside, with_all_outcomes
from routesdk.pipeline.payoff.timing import Timing, decide_timed
from routesdk.pipeline.payoff.yardstick import Rows, baseline_shares, baseline_statistics, constants
from routesdk.types import Example

DEFAULT_TIMED = 50
"""Decisions that are timed alone."""

_DECIDED, _POLICY, _BALANCED, _BRIER = "decided policy", "policy accuracy", "balanced accuracy", "Brier score"


@attrs.frozen(kw_only=True, eq=False)
class _Measured:
    """A candidate that decided every row."""

    candidate: Candidate
    scored: Scored
    timing: Timing | None


def measure(
    candidates: Iterable[Candidate],
    examples: Iterable[Example],
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    timed: int = DEFAULT_TIMED,
) -> Payoff:
    """Measure candidates and baselines on the same rows, with paired intervals.

    APGR compares the cheapest tier with the dearest, however many there are between.
    Accuracy is that of each candidate's own operating point, by the tier that it
    decides for; `prompt length` and `random` send as many calls to each tier
    as the best candidate does. A candidate that fails is reported, and the others go on.

    Args:
        candidates: Routers with the same tiers, bound to the same models.
        examples: Rows that no candidate learned from, with outcomes. Rows that lack
            an outcome of a tier are counted and left out.
        resamples: How often to draw the rows anew.
        seed: Seed of the draws; the figures but for times are the same each time.
        timed: Up to how many decisions to time alone; 0 measures no times.

    Returns:
        The figures.

    Raises:
        ConfigError: Names, tiers or models do not fit; a candidate has no hashes of what
            it learned from; no row has an outcome of every tier; or `timed` is negative.
        LeakError: A candidate learned from rows; it names them.
        MetricError: Resamples are no whole number of 1 or more.
    """
    _check_counts(resamples, timed)
    given = tuple(candidates)
    tiers = common_tiers(given)
    check_names(given, (*constants(tiers), PROMPT_LENGTH, RANDOM, ORACLE))
    models = [tier.model for tier in tiers]
    whole, left_out = with_all_outcomes(examples, models)
    if not whole:
        problem = f"none has an outcome of each of {', '.join(models)}"
        fix = "Bind the routers to models whose outcomes are on the rows, or give other rows."
        raise ConfigError("examples", f"{len(left_out)} rows", problem, fix)
    refuse_seen(given, whole)
    measured, failures = _decide_all(given, whole, models, timed)
    rows = Rows.of(whole, tiers)
    found = _compare(measured, rows, resamples, seed)
    return attrs.evolve(found, left_out=left_out, failures=failures)


def _check_counts(resamples: int, timed: int) -> None:
    """Refuse what cannot be counted to before anything is decided, which may take minutes."""
    whole_number("bootstrap", "resamples", resamples)
    if isinstance(timed, bool) or not isinstance(timed, int) or timed < 0:
        fix = "Say how many decisions to time, or 0 for none."
        raise ConfigError("timed", repr(timed), "not a whole number of 0 or more", fix)


def _decide_all(
    candidates: Sequence[Candidate], rows: Sequence[Example], models: Sequence[str], timed: int
) -> tuple[tuple[_Measured, ...], tuple[Failure, ...]]:
    """Let every candidate decide; part those that did from those that failed."""
    measured: list[_Measured] = []
    failures: list[Failure] = []
    for candidate in candidates:
        found, error = attempt(_decide, candidate, rows, models, timed)
        if found is not None:
            measured.append(found)
        elif error is not None:
            failures.append(Failure(name=candidate.name, problem=f"{type(error).__name__}: {error}"))
    return tuple(measured), tuple(failures)


def _decide(candidate: Candidate, rows: Sequence[Example], models: Sequence[str], timed: int) -> _Measured:
    router = candidate.router
    decisions, timing = decide_timed(router, [row.query for row in rows], timed)
    scored = set_beside(router, rows, decisions, models)
    return _Measured(candidate=candidate, scored=scored, timing=timing)


def _compare(measured: Sequence[_Measured], rows: Rows, resamples: int, seed: int) -> Payoff:
    """Draw once for everything, and read all figures from the same resamples."""
    statistics: dict[Key, Statistic] = {}
    for each in measured:
        statistics |= _statistics(each)
    best = max(measured, key=lambda each: _worth(each.scored), default=None)
    shares = baseline_shares(rows, () if best is None else best.scored.tier_shares)
    statistics |= baseline_statistics(rows, shares)
    samples = Samples.draw(statistics, len(rows.length), resamples=resamples, seed=seed)
    figures = tuple(_figures(each, samples, resamples, seed) for each in measured)
    baselines = tuple(
        Baseline(
            name=name,
            apgr=samples.defined(name, APGR),
            accuracy=samples.interval(name, ACCURACY),
            large_share=float(share[:, -1].mean()),
        )
        for name, share in shares.items()
    )
    others = [each.name for each in figures] + [each.name for each in baselines]
    medium, large = rows.ends
    return Payoff(
        tiers=rows.tiers,
        rows=len(rows.length),
        left_out=(),
        candidates=figures,
        baselines=baselines,
        differences=_differences(samples, [each.name for each in figures], others),
        failures=(),
        gap=mean_interval(large - medium, resamples=resamples, seed=seed),
        undefined=_why_undefined(samples, rows),
        resamples=resamples,
        seed=seed,
    )


def _differences(samples: Samples, names: Sequence[str], others: Sequence[str]) -> tuple[Difference, ...]:
    found = (
        (name, other, metric, samples.difference(name, other, metric))
        for name in names
        for other in others
        for metric in METRICS
        if other != name
    )
    return tuple(
        Difference(candidate=name, other=other, metric=metric, interval=interval)
        for name, other, metric, interval in found
        if interval is not None
    )


def _statistics(each: _Measured) -> Mapping[Key, Statistic]:
    name, scored = each.candidate.name, each.scored
    at = np.arange(len(scored))
    return {
        (name, APGR): apgr_statistic(scored.gain, scored.medium, scored.large),
        (name, ACCURACY): mean_statistic(scored.obtained),
        (name, CALIBRATION): calibration_statistic(scored.confidence, scored.hit),
        (name, _DECIDED): mean_statistic(scored.hit),
        (name, _POLICY): mean_statistic(scored.recorded[at, scored.likeliest]),
        (name, _BALANCED): recall_statistic(scored.likeliest, scored.recorded),
        (name, _BRIER): mean_statistic((scored.confidence - scored.hit) ** 2),
    }


def _worth(scored: Scored) -> tuple[float, float]:
    """Rank candidates as `Payoff.ranked` does."""
    value = apgr_statistic(scored.gain, scored.medium, scored.large)(np.ones((1, len(scored))))[0]
    return (float(np.nan_to_num(value)), float(scored.obtained.mean()))


def _why_undefined(samples: Samples, rows: Rows) -> str:
    """Say why APGR has no value on these rows; it depends on the gap between the models alone."""
    if not np.isnan(samples.points[RANDOM, APGR]):
        return samples.problem(RANDOM, APGR)
    _, error = attempt(apgr, rows.length, *rows.ends)
    return getattr(error, "problem", "")


def _figures(each: _Measured, samples: Samples, resamples: int, seed: int) -> Figures:
    scored, name = each.scored, each.candidate.name
    confidence = scored.confidence
    low, high = np.quantile(confidence, [0.05, 0.95]).tolist()
    return Figures(
        name=name,
        apgr=samples.defined(name, APGR),
        accuracy=samples.interval(name, ACCURACY),
        large_share=float(scored.large_called.mean()),
        tier_shares=scored.tier_shares,
        calibration_error=samples.interval(name, CALIBRATION),
        perfect_error=perfect_calibration_error(confidence, simulations=resamples, seed=seed).value,
        confidence=Spread(
            mean=float(confidence.mean()), low=low, high=high, deviation=float(confidence.std())
        ),
        decided_accuracy=samples.interval(name, _DECIDED),
        policy_accuracy=samples.interval(name, _POLICY),
        majority=float(scored.recorded.mean(axis=0).max()),
        balanced_accuracy=samples.interval(name, _BALANCED),
        brier=samples.interval(name, _BRIER),
        timing=each.timing,
        bytes=each.candidate.bytes,
        note=each.candidate.note,
    )
