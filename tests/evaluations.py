"""An evaluation by hand, for whatever renders one: every field holds something, and nothing is measured."""

from __future__ import annotations

from decimal import Decimal

import attrs

from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import (
    BEST_SINGLE,
    ROUTER,
    Advice,
    Breakdown,
    Cell,
    CellExample,
    ConfusionTable,
    Cost,
    Curve,
    CurvePoint,
    DataFile,
    Evaluation,
    Group,
    Latency,
    Line,
    Metric,
    Mistake,
    OperatingFigures,
    Perturbation,
    Provenance,
    Reasonings,
    Reliability,
    ReliabilityBin,
    RiskCoverage,
    RiskPoint,
    RowResult,
    Share,
    ShiftFigures,
    Target,
    Verdict,
)
from routesdk.record import decision_to_dict
from routesdk.testing import MODELS, POLICIES
from routesdk.testing.fakes import make_decision
from routesdk.types import Grade, Tier

ROWS = 700
CELLS = {"CC": 160, "CI": 30, "CA": 4, "IC": 120, "II": 250, "IA": 16, "AC": 20, "AI": 40, "AA": 60}


def interval(value: float, half: float = 0.03, metric: str = "share") -> Interval:
    """Return a figure with an interval around it."""
    return Interval(
        metric=metric,
        value=value,
        low=value - half,
        high=value + half,
        level=0.95,
        resamples=2000,
        undefined=0,
        seed=0,
        rows=ROWS,
    )


def make_evaluation(**changes: object) -> Evaluation:
    """Return an evaluation of two tiers; `changes` replace fields."""
    made = Evaluation(
        tiers=(Tier("medium", MODELS[0]), Tier("large", MODELS[1])),
        rows=ROWS,
        left_out=("row-701",),
        verdict=Verdict(
            advice=Advice.ROUTE,
            sentences=(
                "Route: the router is surely more accurate than calling the large model at random as often.",
                "It sends 30 % of the calls to large and has accuracy 0.420.",
            ),
        ),
        lines=_lines(),
        metrics=_metrics(),
        curves=_curves(),
        operating_point=OperatingFigures(
            thresholds=("0.21",),
            meant_share=0.3,
            share=interval(0.31),
            accuracy=interval(0.42),
            cost_usd=interval(0.0004, 0.00002),
            source="training",
        ),
        reliability=Reliability(
            bins=tuple(
                ReliabilityBin(confidence=at, hit=at - 0.02, low=at - 0.1, high=at + 0.06, rows=70)
                for at in (0.25, 0.35, 0.45, 0.55, 0.65, 0.75)
            ),
            calibration_error=interval(0.041, 0.02),
            perfect_error=0.052,
            brier=interval(0.21),
        ),
        risk_coverage=RiskCoverage(
            points=tuple(
                RiskPoint(coverage=at / 10, risk=0.2 + at / 40, low=0.15 + at / 40, high=0.25 + at / 40)
                for at in range(1, 11)
            ),
            area=interval(0.34),
        ),
        breakdowns=_breakdowns(),
        confusion=ConfusionTable(
            policies=POLICIES, table=((120.0, 40.0, 34.0), (30.0, 96.0, 30.0), (60.0, 80.0, 210.0))
        ),
        policy_shares=tuple(
            Share(name=name, decided=interval(share), recorded=share + 0.02)
            for name, share in zip(POLICIES, (0.4, 0.3, 0.3), strict=True)
        ),
        model_shares=tuple(
            Share(name=model, decided=interval(share))
            for model, share in zip(MODELS, (0.69, 0.31), strict=True)
        ),
        cells=_cells(),
        mistakes=tuple(
            _mistake(at, kind) for at, kind in enumerate(("missed", "missed", "harmed", "wasted"))
        ),
        perturbations=tuple(
            Perturbation(
                name=name,
                example=f"who WAS it, by {name}?",
                rows=ROWS,
                same_tier=interval(0.96),
                same_policy=interval(0.95),
                gain_shift=interval(0.01, 0.002),
            )
            for name in ("case", "typos", "whitespace", "politeness")
        ),
        reasonings=Reasonings(
            rows=200,
            parses=interval(1.0, 0.0),
            agrees=interval(0.97),
            names_query=interval(0.9),
            gives_away=interval(0.0, 0.0),
            note="200 rows, chosen by the hash of their ids",
        ),
        latency=Latency(
            p50_ms=0.07, p95_ms=0.11, p99_ms=0.19, decisions=500, batch_per_s=31000.0, batch=ROWS
        ),
        cost=Cost(
            basis="estimated",
            note="estimated at 4 characters a token and 256 output tokens, prices of 2026-11-20 (user)",
            per_query_usd=interval(0.0004, 0.00002),
            total_usd=Decimal("0.28"),
            large_total_usd=Decimal("0.70"),
            tier_total_usd=(Decimal("0.11"), Decimal("0.70")),
            saved_usd=interval(0.0006, 0.00002),
            saved=interval(0.6),
        ),
        shift=ShiftFigures(
            share=interval(0.08),
            expected=0.05,
            threshold=3.2,
            examples=("row-17", "row-44"),
            note="8 % of the rows look unlike what the router learned from, where 5 % would by chance",
        ),
        targets=_targets(),
        provenance=Provenance(
            checkpoint="default",
            checkpoint_id="abcdef012345",
            policy_model="linear",
            matrix="nine-cell",
            rows_sha256="0" * 64,
            package_version="0.1.0",
            python_version="3.11.9",
            numpy_version="2.4.0",
            learned_from=("2,800 rows of simpleqa (a public page)",),
            data=(DataFile(name="test.jsonl", sha256="1" * 64, rows=ROWS + 1),),
            command="routesdk evaluate test.jsonl --checkpoint default",
            date="2026-11-26",
        ),
        notes=("1 row lacks an outcome of a tier, and was left out: row-701",),
        resamples=2000,
        seed=0,
        results=tuple(_result(at) for at in range(3)),
    )
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]


def _lines() -> tuple[Line, ...]:
    rows = (
        # name, accuracy, share of large calls, APGR
        (ROUTER, 0.42, 0.31, 0.61),
        ("always medium", 0.28, 0.0, None),
        ("always large", 0.43, 1.0, None),
        ("random", 0.33, 0.31, 0.5),
        ("prompt length", 0.34, 0.31, 0.52),
        (BEST_SINGLE, 0.43, 1.0, None),
        ("oracle", 0.48, 0.2, 0.88),
    )
    return tuple(
        Line(
            name=name,
            accuracy=interval(accuracy),
            large_share=share,
            tier_shares=(1.0 - share, share),
            apgr=None if apgr is None else interval(apgr, 0.04, "APGR"),
            cost_usd=interval(0.0002 + share * 0.0008, 0.00002),
            saved=interval(0.8 * (1 - share)),
            ahead=None if name == ROUTER else interval(0.42 - accuracy),
            apgr_ahead=None if name == ROUTER or apgr is None else interval(0.61 - apgr, 0.04),
            note="large" if name == BEST_SINGLE else "",
        )
        for name, accuracy, share, apgr in rows
    )


def _metrics() -> tuple[Metric, ...]:
    return (
        Metric(
            key="accuracy",
            name="accuracy",
            group="quality",
            interval=interval(0.42),
            unit="share",
            better="higher",
        ),
        Metric(
            key="apgr", name="APGR", group="ranking", interval=interval(0.61, 0.04, "APGR"), better="higher"
        ),
        Metric(
            key="cpt_80",
            name="CPT(80 %)",
            group="ranking",
            interval=None,
            better="lower",
            note="the gap is not recovered to 80 %",
        ),
        Metric(
            key="cost_per_query_usd",
            name="cost per query",
            group="cost",
            interval=interval(0.0004, 0.00002),
            unit="usd",
            better="lower",
        ),
        Metric(
            key="calibration_error",
            name="calibration error",
            group="calibration",
            interval=interval(0.041, 0.02),
            better="lower",
        ),
    )


def _curves() -> tuple[Curve, ...]:
    lifts = {ROUTER: 0.06, "prompt length": 0.01, "random": 0.0, "oracle": 0.2}
    return tuple(
        Curve(
            name=name,
            points=tuple(
                CurvePoint(
                    share=at / 20,
                    accuracy=_height(at / 20, lift),
                    low=_height(at / 20, lift) - 0.03,
                    high=_height(at / 20, lift) + 0.03,
                    cost_usd=0.0002 + 0.0008 * at / 20,
                )
                for at in range(21)
            ),
        )
        for name, lift in lifts.items()
    )


def _height(share: float, lift: float) -> float:
    return 0.28 + 0.15 * share + 4 * lift * share * (1 - share)


def _breakdowns() -> tuple[Breakdown, ...]:
    groups = {
        "decided policy": POLICIES,
        "recorded policy": POLICIES,
        "topic": ("Art", "Geography", "Politics", "Science and technology", "Sports"),
    }
    return tuple(
        Breakdown(
            by=by,
            groups=tuple(
                Group(
                    name=name,
                    rows=ROWS // (at + 2),
                    accuracy=interval(0.45 - at / 20, 0.05),
                    medium=interval(0.3 - at / 40, 0.05),
                    large=interval(0.44 - at / 20, 0.05),
                    gained=interval(0.15 - at / 40, 0.04),
                    large_share=0.2 + at / 10,
                    policy_accuracy=0.5,
                )
                for at, name in enumerate(names)
            ),
            note="topics of fewer than 10 rows are put together" if by == "topic" else "",
        )
        for by, names in groups.items()
    )


def _cells() -> tuple[Cell, ...]:
    policies = dict.fromkeys(("CC", "CI", "CA"), POLICIES[0]) | dict.fromkeys(("IC", "IA", "AC"), POLICIES[1])
    return tuple(
        Cell(
            grades=tuple(Grade.parse(letter).value for letter in cell),
            policy=policies.get(cell, POLICIES[2]),
            reason="Because the cell says so.",
            rows=rows,
            large_share=0.3,
            policy_accuracy=0.5,
            examples=(
                CellExample(
                    id=f"row-{cell}",
                    query=f"A question of {cell} <with markup> & more?",
                    policy=POLICIES[0],
                    tier="medium",
                    expected_gain=0.12,
                ),
            ),
        )
        for cell, rows in CELLS.items()
    )


def _mistake(at: int, kind: str) -> Mistake:
    return Mistake(
        id=f"row-{at}",
        query=f"Question {at} with <b>markup</b>, and words that go on for quite a while?",
        topic="Art",
        kind=kind,
        lost=0.0 if kind == "wasted" else 1.0,
        actual_gain={"missed": 1.0, "harmed": -1.0}.get(kind, 0.0),
        record=decision_to_dict(make_decision()),
        answers={MODELS[0]: "One answer", MODELS[1]: "Another answer"},
        grades={MODELS[0]: "INCORRECT", MODELS[1]: "CORRECT"},
        reference="Another answer",
    )


def _targets() -> tuple[Target, ...]:
    return (
        Target(
            name="accuracy over medium only",
            low=2.0,
            high=5.0,
            unit="points",
            measured=interval(14.0, 3.0),
            outcome="reached",
        ),
        Target(
            name="accuracy against large only",
            low=-5.0,
            high=-2.0,
            unit="points",
            measured=interval(-1.0, 2.5),
            outcome="reached",
        ),
        Target(name="cost saved", low=40.0, high=60.0, unit="percent", measured=None, outcome="not measured"),
    )


def _result(at: int) -> RowResult:
    return RowResult(
        id=f"row-{at}",
        query=f"Question {at}?",
        topic="Art",
        policy=POLICIES[0],
        recorded_policy=POLICIES[1],
        tier="medium",
        model=MODELS[0],
        confidence=0.5,
        expected_gain=0.1,
        actual_gain=1.0,
        quality=(0.0, 1.0),
        obtained=0.0,
        grades=("INCORRECT", "CORRECT"),
        cost_usd=(Decimal("0.0001"), Decimal("0.001")),
        unlike=1.2,
        record=decision_to_dict(make_decision()),
    )
