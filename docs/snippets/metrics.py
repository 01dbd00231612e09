"""Six questions, worked out by hand, and by the metrics."""

# --8<-- [start:rows]
import numpy as np

from routesdk.metrics import (
    aiq,
    apgr,
    apgr_statistic,
    arena_score,
    aurc,
    auroc,
    bootstrap_interval,
    brier_score,
    cpt,
    deferral_area,
    deferral_curve,
    difference_statistic,
    expected_calibration_error,
    factuality,
    oracle_gap_closed,
    pgr,
    quantile_curve,
    routed_cost,
    routed_quality,
    saved_share,
)

#                  a    b    c    d    e    f
medium = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])  # 1 where the medium model is right
large = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0])
score = np.array([0.9, 0.6, 0.5, 0.3, 0.2, 0.1])  # what the router expects to gain
called = score >= 0.4  # its operating point: a, b and c go to the large model
# --8<-- [end:rows]

# --8<-- [start:curve]
curve = deferral_curve(score, medium, large)
print("quality of 0 to 6 large calls:", *(f"{value * 6:.0f}/6" for value in curve.quality))
print(f"PGR at the operating point: {pgr(called, medium, large):.3f}")
print(f"APGR: {apgr(score, medium, large):.3f}")
print(f"CPT(50 %): {cpt(score, medium, large, 0.5):.3f}")
print(f"CPT(80 %): {cpt(score, medium, large, 0.8):.3f}")
print(f"area under the deferral curve: {deferral_area(score, medium, large):.3f}")
print(f"APGR at RouteLLM's ten thresholds: {quantile_curve(score, medium, large).recovered():.3f}")
# --8<-- [end:curve]

# --8<-- [start:money]
medium_usd, large_usd = np.full(6, 0.001), np.full(6, 0.010)
answered = routed_quality(called, medium, large)
paid = routed_cost(called, medium_usd, large_usd)
share = curve.share_large
print(f"accuracy: {answered.mean():.3f}")
print(f"cost per query: ${paid.mean():.4f}")
print(f"saved against large only: {saved_share(paid, large_usd):.3f}")
print(f"oracle gap closed: {oracle_gap_closed(answered, [medium, large]):.3f}")
print(f"AIQ: {aiq(0.001 + 0.009 * share, curve.quality):.3f}")
print(f"RouterArena score: {arena_score(answered.mean(), paid.mean() * 1000):.3f}")
attempted = [1, 1, 1, 0, 1, 1]  # d was answered with "I do not know"
print(f"SimpleQA's F1: {factuality(answered, attempted).f1:.3f}")
# --8<-- [end:money]

# --8<-- [start:confidence]
confidence = np.array([0.9, 0.7, 0.6, 0.8, 0.6, 0.7])
right = np.array([1, 1, 1, 1, 0, 0])  # whether the decided policy is the oracle's
print(f"Brier score: {brier_score(confidence, right):.3f}")
print(f"expected calibration error, 2 bins: {expected_calibration_error(confidence, right, bins=2):.3f}")
print(f"AUROC: {auroc(confidence, right):.3f}")
print(f"area under risk against coverage: {aurc(confidence, right):.3f}")
# --8<-- [end:confidence]

# --8<-- [start:paired]
ours, length = apgr_statistic(score, medium, large), apgr_statistic([9, 3, 1, 7, 5, 2], medium, large)
found = bootstrap_interval(
    "difference in APGR", difference_statistic(ours, length), 6, resamples=2000, seed=0
)
print(f"difference to prompt length: {found.value:.3f} [{found.low:.2f}, {found.high:.2f}]")
# --8<-- [end:paired]
