"""Our figures are those of RouteLLM's own evaluation, for the same scores on the same rows.

How theirs were obtained, on 2026-11-26: the package `routellm` 0.2.0 with numpy 1.26.4 and pandas 2.2.3;
its `MMLU.evaluate` and `generate_results` ran as they are, on a table of the rows and with the scores below
in place of a router's (what calls models, its `Controller`, was left out). CPT is what its `np.interp`
returned, before it is printed with two digits. Figures are in percent, as it has them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest

from routesdk.metrics import apgr, cpt, deferral_curve, quantile_curve

WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
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


def scores_of(rows: list[dict[str, object]], gain: np.ndarray) -> Mapping[str, np.ndarray]:
    """Rank rows by length, by nothing, by more and less of the truth, and against it; without ties."""
    digests = [hashlib.sha256(str(row["id"]).encode()).hexdigest()[:12] for row in rows]
    drawn = np.array([int(digest, 16) / 16**12 for digest in digests])
    length = np.array([float(len(str(row["query"]))) for row in rows])
    return {
        "length": length + drawn,
        "hash": drawn,
        "leaning": drawn + 0.3 * gain,
        "helpful": drawn + gain,
        "against": drawn - 0.4 * gain,
    }


def check(printed: Printed, score: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> None:
    curve = quantile_curve(score, weak, strong)

    assert len(curve.share_large) == 11
    assert curve.area() * 100 == pytest.approx(printed.auc, abs=1e-6)
    assert curve.recovered() == pytest.approx(printed.apgr, abs=1e-6)
    shares = [curve.share_for(recovered) * 100 for recovered in RECOVERED]
    assert shares == pytest.approx(printed.cpt, abs=1e-6)


@pytest.mark.parametrize("name", ON_MMLU)
def test_on_its_own_data_apgr_auc_and_cpt_are_what_routellm_prints(name: str, data_folder: Path) -> None:
    with gzip.open(data_folder / "routellm_mmlu.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    weak, strong = (
        np.array([row["outcomes"][model]["grade"] == "CORRECT" for row in rows], dtype=float)
        for model in (WEAK, STRONG)
    )
    assert len(rows) == 11_360
    assert (weak.mean() * 100, strong.mean() * 100) == pytest.approx((67.72007042253522, 80.59859154929578))

    check(ON_MMLU[name], scores_of(rows, strong - weak)[name], weak, strong)


def made_up() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 500 rows by arithmetic: scores without ties, and both models' grades."""
    row = np.arange(500)
    weak = ((row * 31) % 10 < 5).astype(float)
    strong = ((row * 17 + row // 7) % 10 < 7).astype(float)
    return ((row * 7919) % 1009) / 1009 + 0.25 * (strong - weak), weak, strong


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
