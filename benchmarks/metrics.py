"""Measure how long all metrics take with their intervals: 10,000 rows, 2,000 resamples, below 30 s.

    python benchmarks/metrics.py [--rows N] [--resamples N] [--json FILE]

The rows are made up: two models' grades and costs, a score, confidences, topics, decisions under four
perturbations, checks of reasons, and latencies. One thread, however many cores there are. All figures but the
agreement of policies are drawn on the same resamples, as an evaluation does. Exit status 1: it took longer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import routesdk.metrics as m

LIMIT_S = 30.0
"""What everything together may take."""

TOPICS = tuple(f"topic {at}" for at in range(14))
POLICIES = ("Standard_Query", "Complex_Query", "Ambiguous_Query")
GRID = np.linspace(0, 1, 21)
PERTURBATIONS = ("case", "typos", "whitespace", "politeness")
REASONS = ("parses", "agrees", "names the query", "gives nothing away")


class Rows:
    """Made-up rows, as an evaluation has them."""

    def __init__(self, rows: int, seed: int = 0) -> None:
        """Make the columns."""
        rng = np.random.default_rng(seed)
        skill = rng.normal(size=rows)
        self.medium = (skill + rng.normal(size=rows) > 0.2).astype(float)
        self.large = (skill + rng.normal(size=rows) > -0.3).astype(float)
        self.attempted = np.maximum(self.large, (rng.random(rows) < 0.7).astype(float))
        self.score = self.large - self.medium + rng.normal(scale=2.0, size=rows)
        self.length = rng.integers(20, 600, rows).astype(float)
        self.called = self.score > np.quantile(self.score, 0.7)
        self.confidence = np.clip(0.5 + skill / 6, 0.01, 0.99)
        self.hit = (rng.random(rows) < self.confidence).astype(float)
        self.medium_usd = rng.lognormal(-9, 0.5, rows)
        self.large_usd = rng.lognormal(-6, 0.5, rows)
        self.topic = [TOPICS[at] for at in rng.integers(0, len(TOPICS), rows)]
        self.policy = [POLICIES[at] for at in rng.integers(0, 3, rows)]
        self.oracle = [POLICIES[at] for at in rng.integers(0, 3, rows)]
        self.same = [(rng.random(rows) < 0.9).astype(float) for _ in (*PERTURBATIONS, *REASONS)]
        self.seconds = rng.lognormal(-9, 0.3, rows)


def statistics(rows: Rows) -> dict[str, m.Statistic]:
    """Prepare every metric that is one figure."""
    routed = m.routed_quality(rows.called, rows.medium, rows.large)
    paid = m.routed_cost(rows.called, rows.medium_usd, rows.large_usd)
    best = np.maximum(rows.medium, rows.large)
    qualities = {"router": routed, "medium only": rows.medium, "large only": rows.large, "oracle": best}
    rankings = {
        "router": rows.score,
        "prompt length": rows.length,
        "random": np.zeros(len(paid)),
        "oracle": rows.large - rows.medium,
    }
    order = np.argsort(-rows.score)
    called = np.zeros((len(paid), len(GRID)), dtype=bool)
    for at, share in enumerate(GRID):
        called[order[: round(share * len(paid))], at] = True
    cost = np.where(called, rows.large_usd[:, None], rows.medium_usd[:, None])
    quality = np.where(called, rows.large[:, None], rows.medium[:, None])
    found: dict[str, m.Statistic] = {
        "PGR": m.pgr_statistic(rows.called, rows.medium, rows.large),
        "cost per query": m.mean_statistic(paid),
        "saved share": m.saved_share_statistic(paid, rows.large_usd),
        "AIQ": m.aiq_statistic(cost, quality),
        "oracle gap closed": m.oracle_gap_statistic(routed, [rows.medium, rows.large]),
        "RouterArena score": m.arena_statistic(routed, paid),
        "ECE": m.calibration_statistic(rows.confidence, rows.hit),
        "Brier score": m.brier_statistic(rows.confidence, rows.hit),
        "AUROC of confidence": m.auroc_statistic(rows.confidence, rows.hit),
        "AUROC of gain": m.auroc_statistic(rows.score, rows.large > rows.medium),
        "AURC": m.aurc_statistic(rows.confidence, rows.hit),
        "share of large calls": m.mean_statistic(rows.called),
    }
    found |= {f"accuracy, {name}": m.mean_statistic(values) for name, values in qualities.items()}
    found |= {
        f"F1, {name}": m.f1_statistic(values, np.maximum(values, rows.attempted))
        for name, values in qualities.items()
    }
    found |= {
        f"correct given attempted, {name}": m.correct_given_attempted_statistic(
            values, np.maximum(values, rows.attempted)
        )
        for name, values in qualities.items()
    }
    found |= {
        f"APGR, {name}": m.apgr_statistic(score, rows.medium, rows.large) for name, score in rankings.items()
    }
    found |= {
        f"deferral area, {name}": m.deferral_area_statistic(score, rows.medium, rows.large)
        for name, score in rankings.items()
    }
    found |= {
        f"CPT({share:.0%})": m.cpt_statistic(rows.score, rows.medium, rows.large, share)
        for share in (0.2, 0.5, 0.8)
    }
    found |= {f"accuracy, {name}": each for name, each in m.group_statistics(routed, rows.topic).items()}
    found |= {f"accuracy, {name}": each for name, each in m.group_statistics(routed, rows.policy).items()}
    found |= {f"share, {name}": each for name, each in m.share_statistics(rows.policy).items()}
    found |= {
        name: m.mean_statistic(same) for name, same in zip((*PERTURBATIONS, *REASONS), rows.same, strict=True)
    }
    found |= {
        f"latency p{wanted:.0f}": m.percentile_statistic(rows.seconds, wanted)
        for wanted in m.latency.PERCENTILES
    }
    return found


def curves(rows: Rows) -> dict[str, m.CurveStatistic]:
    """Prepare every metric that is a curve."""
    return {
        "cost-quality curve": m.deferral_curve_statistic(rows.score, rows.medium, rows.large, GRID),
        "cost-quality curve, length": m.deferral_curve_statistic(rows.length, rows.medium, rows.large, GRID),
        "reliability curve": m.reliability_statistic(rows.confidence, rows.hit),
    }


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def everything(rows: Rows, resamples: int) -> Mapping[str, m.Interval]:
    """Measure all metrics with intervals, as an evaluation does: one set of resamples."""
    size = len(rows.score)
    prepared = statistics(rows)
    values = dict(
        zip(prepared, m.bootstrap_many(list(prepared.values()), size, resamples=resamples), strict=True)
    )
    once = np.ones((1, size))
    found = {
        name: m.summarise(name, float(each(once)[0]), values[name], rows=size, seed=0)
        for name, each in prepared.items()
    }
    for metric in ("APGR", "accuracy"):
        for other in (
            ("prompt length", "random", "oracle")
            if metric == "APGR"
            else ("medium only", "large only", "oracle")
        ):
            name, ours, theirs = (
                f"difference in {metric} to {other}",
                f"{metric}, router",
                f"{metric}, {other}",
            )
            point = found[ours].value - found[theirs].value
            found[name] = m.summarise(name, point, values[ours] - values[theirs], rows=size, seed=0)
    for name, curve in curves(rows).items():
        m.bootstrap_band(name, curve, size, resamples=resamples)
    m.perfect_calibration_error(rows.confidence, simulations=resamples)
    m.recognition(m.confusion(rows.policy, rows.oracle, POLICIES))
    ids = range(size)
    found["agreement of policies"] = m.agreement_interval(rows.policy, rows.oracle, ids, resamples=resamples)
    return found


def main() -> int:
    """Time everything together, then each kind alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--json", type=Path, help="write the times here as well")
    asked = parser.parse_args()
    rows = Rows(asked.rows)
    found: dict[str, m.Interval] = {}
    total = timed(lambda: found.update(everything(rows, asked.resamples)))
    for name, interval in found.items():
        print(f"{name:44} {interval.value:10.5f}  [{interval.low:.5f}, {interval.high:.5f}]")
    size = {"rows": asked.rows, "resamples": asked.resamples}
    drawing = timed(lambda: m.bootstrap_many((), asked.rows, resamples=asked.resamples))
    alone = {
        name: timed(lambda each=each: m.bootstrap_many((each,), asked.rows, resamples=asked.resamples))
        - drawing
        for name, each in statistics(rows).items()
    }
    print(f"\ndrawing {drawing:.2f} s; the slowest metrics, drawing apart:")
    for name, seconds in sorted(alone.items(), key=lambda pair: -pair[1])[:12]:
        print(f"  {name:42} {seconds:6.2f} s")
    drawn = f"{asked.rows:,} rows, {asked.resamples:,} resamples"
    print(f"\n{len(found)} figures and 3 curves on {drawn}: {total:.1f} s")
    if asked.json:
        record = {**size, "figures": len(found), "total_s": total, "drawing_s": drawing, "alone_s": alone}
        asked.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return int(total > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
