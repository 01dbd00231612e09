"""Our figures are those of RouteLLM's own evaluation, for the same scores on the same rows.

Theirs were printed by `tools/routellm_figures.py` on 2026-11-26, with `routellm` 0.2.0, numpy 1.26.4 and
pandas 2.2.3: its `MMLU.evaluate` and `generate_results` ran as they are. Figures but APGR are in percent, as
it has them.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest

from routellm_rows import made_up, recorded, scores_of
from routesdk.metrics import apgr, cpt, deferral_curve, quantile_curve

RECOVERED = (0.2, 0.5, 0.8)


@attrs.frozen
class Printed:
    """What RouteLLM's evaluation found.

    Attributes:
        auc: Area under accuracy against the share of strong calls.
        apgr: Average performance gap recovered.
        cpt: Strong calls that recover 20, 50 and 80 % of the gap.
    """

    auc: float
    apgr: float
    cpt: tuple[float, float, float]


ON_MMLU = {
    "length": Printed(75.1465669014084483, 0.57665755297334209, (16.35, 37.3321554770318, 70.36559139784941)),
    "hash": Printed(
        73.82878521126761484, 0.47433356117566694, (21.76068376068374, 54.47530864197529, 81.68275862068967)
    ),
    "leaning": Printed(
        79.05149647887324704, 0.87987012987013036, (4.315634218289095, 12.675000000000011, 33.53191489361703)
    ),
    "helpful": Printed(
        83.82878521126760063, 1.25082023239917928, (2.575704225352112, 6.439260563380273, 10.374727668845313)
    ),
    "against": Printed(
        67.57174295774647987, -0.01151742993848282, (78.73684210526315, 92.02290076335878, 96.80916030534351)
    ),
}
MADE_UP = Printed(
    69.89000000000000057, 0.92943925233644842, (4.755555555555557, 13.695652173913032, 29.263157894736803)
)


def check(printed: Printed, score: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> None:
    curve = quantile_curve(score, weak, strong)

    assert len(curve.share_large) == 11
    assert curve.area() * 100 == pytest.approx(printed.auc, abs=1e-6)
    assert curve.recovered() == pytest.approx(printed.apgr, abs=1e-6)
    shares = [curve.share_for(recovered) * 100 for recovered in RECOVERED]
    assert shares == pytest.approx(printed.cpt, abs=1e-6)


@pytest.mark.parametrize("name", ON_MMLU)
def test_on_its_own_data_apgr_auc_and_cpt_are_what_routellm_prints(name: str, data_folder: Path) -> None:
    rows, weak, strong = recorded(data_folder)
    assert len(rows) == 11_360
    assert (weak.mean() * 100, strong.mean() * 100) == pytest.approx((67.72007042253522, 80.59859154929578))

    check(ON_MMLU[name], scores_of(rows, strong - weak)[name], weak, strong)


def test_on_made_up_rows_apgr_auc_and_cpt_are_what_routellm_prints() -> None:
    check(MADE_UP, *made_up())


def test_more_thresholds_lead_to_our_own_figures() -> None:
    score, weak, strong = made_up()

    finest = quantile_curve(score, weak, strong, parts=499)

    assert quantile_curve(score, weak, strong).recovered() != pytest.approx(
        apgr(score, weak, strong), abs=1e-3
    )
    assert finest.recovered() == pytest.approx(apgr(score, weak, strong), abs=1e-3)
    for recovered in RECOVERED:
        wanted = cpt(score, weak, strong, recovered)
        assert finest.share_for(recovered) == pytest.approx(wanted, abs=0.005)


def test_tied_scores_keep_a_curve_where_routellm_has_none() -> None:
    # Its `pd.qcut` raises "Bin edges must be unique" for these.
    score, weak, strong = made_up()
    halves = (score > np.median(score)).astype(float)

    curve = quantile_curve(halves, weak, strong)

    assert curve.share_large.tolist() == [0.0, 0.5, 1.0]
    assert curve == deferral_curve(halves, weak, strong)


def test_where_accuracy_falls_along_the_way_cpt_is_the_first_crossing() -> None:
    # RouteLLM interpolates on accuracies as if they rose, and finds a later share for these rows.
    rng = np.random.default_rng(0)
    for _ in range(5):
        score, weak, strong = rng.random(200), rng.random(200) < 0.5, rng.random(200) < 0.6
    curve = quantile_curve(score, weak, strong)
    wanted = curve.quality[0] + 0.8 * (curve.quality[-1] - curve.quality[0])

    share = curve.share_for(0.8)

    assert curve.at(share) == pytest.approx(wanted)
    assert (curve.quality[curve.share_large < share] < wanted).all()
    assert np.interp(wanted, curve.quality, curve.share_large) > share + 0.3
