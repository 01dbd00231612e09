"""Whether many queries together look unlike what a router learned from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import ConfigError

if TYPE_CHECKING:
    import numpy.typing as npt

ALARM_LEVEL = 0.01
"""A set of queries is called unlike where less than this share of sets like the training rows would be."""


@attrs.frozen(kw_only=True)
class ShiftTest:
    """What the shift scores of a set of queries say together.

    Attributes:
        rows: Queries.
        unlike: How many of them look unlike, by the threshold of single queries.
        share: The same as a share, 0 to 1.
        expected: The share that is to be expected at most of queries like those learned from.
        p_value: How often queries like those learned from would score so high together, at most.
        level: Below this p-value the set is called unlike.
        mean_score: Mean of the scores; one half, or less, for queries like those learned from.
    """

    rows: int
    unlike: int
    share: float
    expected: float
    p_value: float
    level: float
    mean_score: float

    @property
    def shifted(self) -> bool:
        """Whether the set as a whole looks unlike."""
        return self.p_value < self.level

    @property
    def sentence(self) -> str:
        """Say it in words."""
        found = (
            f"{self.share:.1%} of {self.rows:,} queries look unlike what the router learned from, where "
            f"{self.expected:.0%} at most is to be expected"
        )
        if self.shifted:
            return (
                f"{found}. Together they are from another domain (p {_p(self.p_value)}): its figures and "
                "confidence may not hold here."
            )
        return f"{found}. Together they are not surely from another domain (p {_p(self.p_value)})."


def assess_scores(
    scores: npt.ArrayLike, false_alarm: float, reference_rows: int, *, level: float = ALARM_LEVEL
) -> ShiftTest:
    """Test whether scores are higher than those of queries like the ones learned from.

    Scores of such queries are uniform from 0 to 1, or lower. The test takes the
    furthest that their distribution lies above that, anywhere: a one-sided
    Kolmogorov-Smirnov test, which needs no guess of how the queries differ.

    Args:
        scores: What `ShiftScore.score` returned, (rows,).
        false_alarm: The rate of false alarms of single queries.
        reference_rows: Rows that scores were ranked among: fewer make the test more careful.
        level: The rate of false alarms of the test.

    Raises:
        ConfigError: There are no scores, or one is no share.

    Source: Massart, The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality (1990).
    """
    values = np.sort(np.asarray(scores, dtype=np.float64).ravel())
    if not len(values):
        raise ConfigError("queries", "none", "there is nothing to test", "Give at least one query.")
    if not (values[0] >= 0.0 and values[-1] <= 1.0):
        fix = "Give what `ShiftScore.score` returned."
        raise ConfigError("scores", f"{values[0]} to {values[-1]}", "not all from 0 to 1", fix)
    rows = len(values)
    # How far the share of lower scores stays behind what is uniform.
    behind = max(0.0, float((values - np.arange(rows) / rows).max()))
    # Ranks among few rows vary together: as in a test of two samples.
    effective = rows * reference_rows / (rows + reference_rows)
    unlike = int((values >= 1.0 - false_alarm - 1e-12).sum())
    return ShiftTest(
        rows=rows,
        unlike=unlike,
        share=unlike / rows,
        expected=false_alarm,
        p_value=min(1.0, math.exp(-2.0 * effective * behind * behind)),
        level=level,
        mean_score=float(values.mean()),
    )


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}"
