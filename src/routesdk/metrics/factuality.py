"""SimpleQA's figures: correct, not attempted, correct given attempted, and their F1.

Source: Wei et al., Measuring short-form factuality in large language models
(arXiv:2411.04368), and `simpleqa_eval.py` of github.com/openai/simple-evals,
read on 2026-11-26.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import same_rows, unit_column
from routesdk.metrics.ratio import ratio_statistic

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic


@attrs.frozen(kw_only=True)
class Factuality:
    """How answers were graded, all from 0 to 1.

    Attributes:
        correct: Share that is correct.
        incorrect: Share that is incorrect.
        not_attempted: Share that says it does not know.
        correct_given_attempted: Correct ones among those that were attempted; 0 where none was.
        f1: Harmonic mean of the share that is correct and of `correct_given_attempted`.
    """

    correct: float
    incorrect: float
    not_attempted: float
    correct_given_attempted: float
    f1: float


def factuality(correct: npt.ArrayLike, attempted: npt.ArrayLike) -> Factuality:
    """Sum up grades as SimpleQA does.

    Args:
        correct: 1 where the answer is correct, else 0, or the chance of it, (rows,).
        attempted: 1 where an answer was attempted, correct or not, (rows,).

    Returns:
        The five figures. As in SimpleQA's own code, `correct_given_attempted` and `f1`
        are 0 where nothing was attempted.

    Raises:
        MetricError: A column is empty, holds NaN, lies outside 0 to 1, lengths differ,
            or an answer is correct that was not attempted.
    """
    right, tried = _columns(correct, attempted)
    once = np.ones((1, len(right)))
    return Factuality(
        correct=float(right.mean()),
        incorrect=float((tried - right).mean()),
        not_attempted=float(1.0 - tried.mean()),
        correct_given_attempted=float(correct_given_attempted_statistic(right, tried)(once)[0]),
        f1=float(f1_statistic(right, tried)(once)[0]),
    )


def correct_given_attempted_statistic(correct: npt.ArrayLike, attempted: npt.ArrayLike) -> Statistic:
    """Prepare the share of attempted answers that is correct for many resamples.

    Args:
        correct: As for `factuality`, (rows,).
        attempted: As for `factuality`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to shares, (resamples,); 0 where
        nothing was attempted.

    Raises:
        MetricError: As for `factuality`.
    """
    right, tried = _columns(correct, attempted)
    return ratio_statistic(right, tried, empty=0.0)


def f1_statistic(correct: npt.ArrayLike, attempted: npt.ArrayLike) -> Statistic:
    """Prepare SimpleQA's F1 for many resamples.

    Args:
        correct: As for `factuality`, (rows,).
        attempted: As for `factuality`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to F1, (resamples,); 0 where nothing
        is correct.

    Raises:
        MetricError: As for `factuality`.
    """
    right, tried = _columns(correct, attempted)
    # The harmonic mean of c / a and c / n is 2c / (a + n).
    return ratio_statistic(2.0 * right, tried + 1.0)


def _columns(correct: npt.ArrayLike, attempted: npt.ArrayLike) -> tuple[Floats, Floats]:
    metric = "factuality"
    right = unit_column(metric, "correct", correct)
    tried = unit_column(metric, "attempted", attempted)
    same_rows(metric, correct=right, attempted=tried)
    # Chances that were added up may pass one another by a hair.
    odd = np.flatnonzero(right > tried + 1e-9)
    if len(odd):
        raise MetricError(metric, f"row {int(odd[0])} is correct and was not attempted")
    return right, tried
