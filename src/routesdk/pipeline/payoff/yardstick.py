"""What needs no training: always one tier, a ranking by length, a random one, and a perfect choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from routesdk.metrics.curves import apgr_statistic
from routesdk.metrics.intervals import Statistic, mean_statistic
from routesdk.pipeline.payoff.figures import ACCURACY, APGR, ORACLE, PROMPT_LENGTH, RANDOM
from routesdk.pipeline.payoff.sampling import Floats, Key, top_share
from routesdk.types import Example, Tier


@attrs.frozen(kw_only=True, eq=False)
class Rows:
    """What is known of the rows without any router: qualities, (rows, tiers), and lengths, (rows,)."""

    tiers: tuple[Tier, ...]
    quality: Floats
    length: Floats

    @classmethod
    def of(cls, examples: Sequence[Example], tiers: tuple[Tier, ...]) -> Rows:
        """Read rows that have an outcome of every tier's model."""
        return cls(
            tiers=tiers,
            quality=np.array([[row.outcomes[tier.model].quality for tier in tiers] for row in examples]),
            length=np.array([float(len(row.query.text)) for row in examples]),
        )

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """Qualities of the cheapest and of the dearest tier, (rows,) each."""
        return self.quality[:, 0], self.quality[:, -1]


def constants(tiers: Sequence[Tier]) -> tuple[str, ...]:
    """Name the baselines that always call one tier."""
    return tuple(f"always {tier.name}" for tier in tiers)


def baseline_shares(rows: Rows, tier_shares: Sequence[float]) -> Mapping[str, Floats]:
    """Say how surely each baseline calls each tier, (rows, tiers).

    Args:
        rows: The rows.
        tier_shares: Share of calls that `prompt length` and `random` send to each tier, cheapest first;
            empty leaves the two out.
    """
    size, count = rows.quality.shape
    shares = {
        name: np.tile(np.eye(count)[place], (size, 1)) for place, name in enumerate(constants(rows.tiers))
    }
    # The first of the best is the cheapest.
    shares[ORACLE] = np.eye(count)[rows.quality.argmax(axis=1)]
    if len(tier_shares):
        # A tier gets the rows that are high enough for it, and not for the next one.
        above = [*np.cumsum(np.asarray(tier_shares)[::-1])[::-1][1:].tolist(), 0.0]
        for name, score in ((PROMPT_LENGTH, rows.length), (RANDOM, np.zeros(size))):
            beyond = np.stack([top_share(score, min(share, 1.0)) for share in above], axis=1)
            reached = np.concatenate((np.ones((size, 1)), beyond[:, :-1]), axis=1)
            shares[name] = reached - beyond
    return shares


def baseline_rankings(rows: Rows) -> Mapping[str, Floats]:
    """Return what the baselines that rank do it by, (rows,) each."""
    medium, large = rows.ends
    return {PROMPT_LENGTH: rows.length, RANDOM: np.zeros(len(rows.length)), ORACLE: large - medium}


def baseline_statistics(rows: Rows, shares: Mapping[str, Floats]) -> Mapping[Key, Statistic]:
    """Prepare accuracy and APGR of the baselines for many resamples."""
    statistics: dict[Key, Statistic] = {
        (name, ACCURACY): mean_statistic((share * rows.quality).sum(axis=1)) for name, share in shares.items()
    }
    for name, ranking in baseline_rankings(rows).items():
        statistics[name, APGR] = apgr_statistic(ranking, *rows.ends)
    return statistics
