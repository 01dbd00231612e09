"""Measure `Router.calibrate`: calibrate on one half of a pair's test rows, and look at the other half.

    python benchmarks/calibration.py [--rounds 10] [--markdown FILE]

The bundled default decides each pair by its generic heads, as for models that it never saw. The test rows are
halved by chance, again and again; each half sets the router in turn, and the other one tells what came of it.
Figures are means over the rounds: the share asked for (30 %) and obtained, before and after; the quality
asked for (half of what the large model is ahead), the one that the first half says to expect, and the one
obtained; and the calibration error and Brier score of the confidence, before and after, with as many calls
going up. Needs the shared sets (ROUTESDK_DATA); some minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from scoring_pairs import graded_by_both
from shared_sets import PAIRS, Pair, find_data, load_sets, rows_of, split_sets

from routesdk import Router
from routesdk.metrics import brier_score, expected_calibration_error
from routesdk.pipeline.payoff import score_rows
from routesdk.types import Example

MEDIUM, LARGE = "any medium model", "any large model"
SHARE = 0.3
RESAMPLES = 100


def main() -> int:
    """Measure, and print."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    sets = load_sets(data)
    splits = split_sets(sets, 0)
    router = Router.from_pretrained(medium=MEDIUM, large=LARGE)
    lines = [
        "| pair | rows that set it | share of large calls before | after, 30 % asked for | quality asked for "
        "| expected | obtained | ECE before | after | Brier before | after |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for pair in PAIRS:
        rows = graded_by_both(rows_of(sets[pair.dataset], splits[pair.dataset], "test"), pair)
        given = _renamed(rows, pair)
        found = np.array([each for seed in range(options.rounds) for each in both_ways(router, given, seed)])
        half, before, after, asked, expected, obtained, *rest = found.mean(axis=0).tolist()
        shares = " | ".join(f"{each:.1%}" for each in (before, after, asked, expected, obtained))
        lines.append(
            f"| {pair.dataset}: {pair.name} | {half:,.0f} | {shares} | "
            + " | ".join(f"{each:.3f}" for each in rest)
            + " |"
        )
    text = "\n".join(lines)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    return 0


def _renamed(rows: Sequence[Example], pair: Pair) -> list[Example]:
    """Give the outcomes to models that nobody knows, so that generic heads decide."""
    return [
        attrs.evolve(
            row,
            outcomes={
                MEDIUM: attrs.evolve(row.outcomes[pair.medium], model=MEDIUM),
                LARGE: attrs.evolve(row.outcomes[pair.large], model=LARGE),
            },
        )
        for row in rows
    ]


def both_ways(router: Router, rows: Sequence[Example], seed: int) -> list[tuple[float, ...]]:
    """Halve the rows, and let each half set the router: what one is luckier in then cancels out."""
    order = np.random.default_rng(seed).permutation(len(rows))
    left = [rows[at] for at in order[: len(rows) // 2]]
    right = [rows[at] for at in order[len(rows) // 2 :]]
    return [once(router, left, right, seed), once(router, right, left, seed)]


def once(
    router: Router, setting: Sequence[Example], other: Sequence[Example], seed: int
) -> tuple[float, ...]:
    """Calibrate on some rows, and measure on others."""
    before = score_rows(router, other)
    by_share = router.calibrate(setting, target_large_share=SHARE, resamples=RESAMPLES, seed=seed)
    after = score_rows(by_share.router, other)
    ends = [np.mean([row.outcomes[model].quality for row in setting]) for model in (MEDIUM, LARGE)]
    asked = float(np.mean(ends))
    by_quality = router.calibrate(setting, target_quality=asked, resamples=RESAMPLES, seed=seed)
    obtained = score_rows(by_quality.router, other).obtained.mean()
    same_point = score_rows(
        router.with_large_share(_share_of(router, by_share.large_share.value, other)), other
    )
    return (
        len(setting),
        before.large_called.mean(),
        after.large_called.mean(),
        asked,
        by_quality.quality.value,
        float(obtained),
        expected_calibration_error(same_point.confidence, same_point.hit),
        expected_calibration_error(after.confidence, after.hit),
        brier_score(same_point.confidence, same_point.hit),
        brier_score(after.confidence, after.hit),
    )


def _share_of(router: Router, share: float, rows: Sequence[Example]) -> float:
    """Return the share of the training mix at which about as many of these rows go up."""
    gains = np.sort([decision.expected_gain for decision in router.route_batch([row.query for row in rows])])
    threshold = float(np.quantile(gains, 1.0 - share))
    shares = np.linspace(0.0, 1.0, 101)
    thresholds = [router.with_large_share(float(each)).operating_point.thresholds[0] for each in shares]
    return float(shares[int(np.abs(np.array(thresholds) - threshold).argmin())])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, help="how often rows are halved")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
