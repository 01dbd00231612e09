"""Judges a router on rows that it did not learn from, beside every baseline, with paired intervals."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import attrs
import numpy as np

from routesdk.errors import ConfigError, MetricError
from routesdk.metrics import Interval
from routesdk.metrics._input import whole_number
from routesdk.metrics.intervals import DEFAULT_RESAMPLES
from routesdk.pipeline.evaluation.admission import Admitted, admit
from routesdk.pipeline.evaluation.basis import Cost, DataFile, ShiftFigures
from routesdk.pipeline.evaluation.chart import draw_curves, operating_figures, reliability, risk_coverage
from routesdk.pipeline.evaluation.detail import Perturbation
from routesdk.pipeline.evaluation.drawing import (
    COST,
    SAVED,
    SAVED_USD,
    line_statistics,
    router_statistics,
)
from routesdk.pipeline.evaluation.figures import ROUTER, Evaluation, Line, Metric
from routesdk.pipeline.evaluation.grouping import (
    Parting,
    breakdowns,
    cells,
    confusion_table,
    group_statistics,
    model_shares,
    partings,
    policy_shares,
)
from routesdk.pipeline.evaluation.headline import lines, metrics, targets
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.evaluation.mistake import row_results, worst_mistakes
from routesdk.pipeline.evaluation.origin import provenance
from routesdk.pipeline.evaluation.perturbation import PERTURBATIONS, Change
from routesdk.pipeline.evaluation.pricing import price_rows
from routesdk.pipeline.evaluation.remark import remarks
from routesdk.pipeline.evaluation.stability import Draws, decide_again, latency, reasonings, shift
from routesdk.pipeline.evaluation.verdict import Case, find_verdict
from routesdk.pipeline.payoff.figures import ACCURACY
from routesdk.pipeline.payoff.sampling import Samples
from routesdk.pipeline.payoff.scored import set_beside
from routesdk.pipeline.payoff.yardstick import constants
from routesdk.router import Router
from routesdk.types import Example

DEFAULT_TIMED = 200
"""Decisions that are timed alone."""

DEFAULT_REASONS = 50
"""Rows for which a reason is written and looked at."""

DEFAULT_MISTAKES = 5
"""Mistakes of each kind that are shown."""

_CELL_EXAMPLES = 3


def evaluate(
    router: Router,
    examples: Iterable[Example],
    *,
    name: str = "router",
    topics: bool = True,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    perturbations: Mapping[str, Change] = PERTURBATIONS,
    timed: int = DEFAULT_TIMED,
    reasons: int = DEFAULT_REASONS,
    mistakes: int = DEFAULT_MISTAKES,
    data: Sequence[DataFile] = (),
    command: str = "",
    date: str = "",
) -> Evaluation:
    """Judge a router on rows that it did not learn from, beside every baseline.

    All figures come from the same resamples, so that differences are paired. The tier that the operating
    point picked counts: rules and policy maps belong to whoever deploys a router.

    Args:
        router: Its tiers are bound to models whose outcomes are on the rows.
        examples: Rows with recorded outcomes; those that lack one of a tier are left out, and named.
        name: What to call the router, such as the name of its checkpoint.
        topics: Whether to break figures down by topic, where rows have topics.
        resamples: How often to draw the rows anew.
        seed: Seed of the draws; all figures but times are the same each time.
        perturbations: Other wordings by name, under which decisions should stay; empty for none.
        timed: Up to how many decisions to time alone; 0 measures no times.
        reasons: For how many rows to have a reason written; 0 for none.
        mistakes: How many mistakes of each kind to keep.
        data: The files that the rows came from.
        command: The command that does it again.
        date: When, as YYYY-MM-DD.

    Raises:
        ConfigError: There are no rows, or two with one id; none has outcomes of the tiers' models; the
            router carries no hashes of what it learned from; or a number is out of range.
        LeakError: The router learned from rows; it names them.
        MetricError: Resamples are no whole number of 1 or more.
        PredictionError: The policy model fails, or an expected gain is not finite.
    """
    _check_counts(resamples, timed=timed, reasons=reasons, mistakes=mistakes)
    admitted = admit(router, examples, name)
    material, batch_s = _decide(router, admitted)
    rows, draws = material.rows, Draws(resamples=resamples, seed=seed)
    stable, robustness = decide_again(material, perturbations, draws)
    found = _measured(material, draws, topics)
    return attrs.evolve(
        found,
        left_out=admitted.left_out,
        metrics=(*found.metrics, *_robustness(stable, robustness)),
        mistakes=worst_mistakes(material, mistakes),
        perturbations=stable,
        reasonings=reasonings(material, reasons, draws),
        latency=latency(router, [row.query for row in rows], timed=timed, batch_s=batch_s),
        provenance=provenance(router, rows, name=name, data=data, command=command, date=date),
        notes=remarks(material, admitted),
    )


def _check_counts(resamples: int, **counts: object) -> None:
    """Refuse what cannot be counted to before anything is decided, which may take minutes."""
    whole_number("bootstrap", "resamples", resamples)
    for key, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ConfigError(key, repr(value), "not a whole number of 0 or more", "Give 0 for none.")


def _decide(router: Router, admitted: Admitted) -> tuple[Material, float]:
    """Decide all rows at once; return them with the seconds that it took."""
    rows = admitted.rows
    started = time.perf_counter()
    decisions = router.route_batch([row.query for row in rows])
    batch_s = time.perf_counter() - started
    scored = set_beside(router, rows, decisions, [tier.model for tier in router.tiers])
    costs = price_rows(rows, router.tiers, router.mapping.catalogue)
    return Material.of(router, rows, decisions, scored, costs), batch_s


def _measured(material: Material, draws: Draws, topics: bool) -> Evaluation:
    """Read everything that resamples bound off the same draws."""
    resamples, seed = draws.resamples, draws.seed
    parted = partings(material, topics=topics)
    samples = _draw(material, parted, draws)
    curves, bins, risks = draw_curves(material, resamples=resamples, seed=seed)
    headline = lines(material, samples)
    cost, unlike = _cost(material, samples), shift(material, draws)
    return Evaluation(
        tiers=material.router.tiers,
        rows=len(material),
        left_out=(),
        verdict=find_verdict(_case(material, samples, headline, cost, unlike)),
        lines=headline,
        metrics=metrics(material, samples),
        curves=curves,
        operating_point=operating_figures(material, samples),
        reliability=reliability(bins, material, samples, resamples=resamples, seed=seed),
        risk_coverage=risk_coverage(risks, samples),
        breakdowns=breakdowns(material, samples, parted),
        confusion=confusion_table(material),
        policy_shares=policy_shares(material, samples),
        model_shares=model_shares(samples, material),
        cells=cells(material, examples=_CELL_EXAMPLES),
        mistakes=(),
        perturbations=(),
        reasonings=None,
        latency=None,
        cost=cost,
        shift=unlike,
        targets=targets(material, samples),
        provenance=provenance(material.router, (), name=""),
        notes=(),
        resamples=resamples,
        seed=seed,
        results=row_results(material),
    )


def _draw(material: Material, parted: Sequence[Parting], draws: Draws) -> Samples:
    statistics = {
        **line_statistics(material),
        **router_statistics(material),
        **group_statistics(material, parted),
    }
    return Samples.draw(statistics, len(material), resamples=draws.resamples, seed=draws.seed)


def _case(
    material: Material, samples: Samples, headline: Sequence[Line], cost: Cost, unlike: ShiftFigures
) -> Case:
    tiers = material.router.tiers
    cheap, *_, dear = constants(tiers)
    gap = samples.difference(dear, cheap, ACCURACY)
    if gap is None:
        raise MetricError(ACCURACY, "it has no value on these rows")
    return Case(
        tiers=tiers,
        rows=len(material),
        router=headline[0],
        others={line.name: line for line in headline[1:]},
        gap=gap,
        cost=cost,
        constant=bool(np.ptp(material.scored.gain) == 0.0),
        shift=unlike,
        meant_share=material.router.operating_point.large_share,
    )


def _cost(material: Material, samples: Samples) -> Cost:
    """Add the costs up; totals are exact."""
    costs = material.costs
    if not costs.usd:
        return Cost(basis=costs.basis, note=costs.note)
    tiers = range(len(material.router.tiers))
    paid = (row[at] for row, at in zip(costs.usd, material.scored.tier.tolist(), strict=True))
    totals = tuple(sum((row[at] for row in costs.usd), Decimal(0)) for at in tiers)
    return Cost(
        basis=costs.basis,
        note=costs.note,
        per_query_usd=samples.defined(ROUTER, COST),
        total_usd=sum(paid, Decimal(0)),
        large_total_usd=totals[-1],
        tier_total_usd=totals,
        saved_usd=samples.defined(ROUTER, SAVED_USD),
        saved=samples.defined(ROUTER, SAVED),
    )


def _robustness(stable: Iterable[Perturbation], mean: Interval | None) -> tuple[Metric, ...]:
    if mean is None:
        return ()
    whole = Metric(
        key="robustness",
        name="same tier in other words",
        group="robustness",
        interval=mean,
        unit="share",
        better="higher",
        note="averaged over the wordings",
    )
    return (
        whole,
        *(
            Metric(
                key=f"same_tier_{each.name}",
                name=f"same tier under {each.name}",
                group="robustness",
                interval=each.same_tier,
                unit="share",
                better="higher",
                note=f"{each.rows:,} questions that it changes",
            )
            for each in stable
        ),
    )
