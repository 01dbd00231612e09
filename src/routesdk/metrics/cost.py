"""What answers cost, and what a routing saves against calling the large model alone.

Money is computed exactly elsewhere; these are statistics of it, in US dollars as floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from routesdk.errors import MetricError
from routesdk.metrics._input import column, same_rows
from routesdk.metrics._ranking import over

if TYPE_CHECKING:
    import numpy.typing as npt

    from routesdk.metrics._input import Floats
    from routesdk.metrics.intervals import Statistic


def token_cost(
    input_tokens: npt.ArrayLike,
    output_tokens: npt.ArrayLike,
    *,
    input_usd_per_million: float,
    output_usd_per_million: float,
) -> Floats:
    """Price calls by the tokens that were recorded.

    Args:
        input_tokens: Tokens of the prompt as the provider counted them, (rows,).
        output_tokens: Tokens of the answer, thinking included, (rows,).
        input_usd_per_million: US dollars for a million tokens of prompts.
        output_usd_per_million: US dollars for a million tokens of answers.

    Returns:
        Cost of each call in US dollars, (rows,).

    Raises:
        MetricError: A column is empty, holds NaN or a negative number, lengths differ,
            or a price is negative or not finite.
    """
    metric = "cost"
    asked = _amounts(metric, "input_tokens", input_tokens)
    answered = _amounts(metric, "output_tokens", output_tokens)
    same_rows(metric, input_tokens=asked, output_tokens=answered)
    prices = _amounts(metric, "price per million tokens", [input_usd_per_million, output_usd_per_million])
    return np.asarray((asked * prices[0] + answered * prices[1]) / 1e6, dtype=np.float64)


def routed_cost(large_called: npt.ArrayLike, medium_usd: npt.ArrayLike, large_usd: npt.ArrayLike) -> Floats:
    """Look up what a routing paid, row by row.

    Args:
        large_called: Whether the large model was called, (rows,), booleans.
        medium_usd: Cost of the medium model's call in US dollars, (rows,).
        large_usd: Cost of the large model's call in US dollars, (rows,).

    Returns:
        Cost of the call that was made in US dollars, (rows,).

    Raises:
        MetricError: A column is empty, holds NaN or a negative number, lengths differ, or
            decisions are not booleans.
    """
    called = np.asarray(large_called)
    if called.dtype != np.bool_:
        raise MetricError("routed cost", f"large_called holds {called.dtype} values, not booleans")
    cheap = _amounts("routed cost", "medium_usd", medium_usd)
    dear = _amounts("routed cost", "large_usd", large_usd)
    same_rows("routed cost", large_called=called, medium_usd=cheap, large_usd=dear)
    return np.asarray(np.where(called, dear, cheap), dtype=np.float64)


def total_cost(cost_usd: npt.ArrayLike) -> float:
    """Add up costs in US dollars, (rows,).

    Raises:
        MetricError: The column is empty, or holds NaN or a negative number.
    """
    return float(_amounts("cost", "cost_usd", cost_usd).sum())


def cost_per_query(cost_usd: npt.ArrayLike) -> float:
    """Average costs in US dollars, (rows,).

    Raises:
        MetricError: As for `total_cost`.
    """
    return float(_amounts("cost", "cost_usd", cost_usd).mean())


def saved_share(cost_usd: npt.ArrayLike, large_usd: npt.ArrayLike) -> float:
    """Measure the share of the money that is saved against calling the large model alone.

    Args:
        cost_usd: What the routing paid for each row in US dollars, (rows,).
        large_usd: What the large model would have cost, (rows,).

    Returns:
        1 minus the quotient of both totals; below 0 where the routing paid more.

    Raises:
        MetricError: A column is empty, holds NaN or a negative number, lengths differ, or
            the large model is free, so that nothing can be saved.
    """
    value = float(saved_share_statistic(cost_usd, large_usd)(np.ones((1, len(np.asarray(cost_usd)))))[0])
    if np.isnan(value):
        raise MetricError("saved share", "the large model costs nothing, so that nothing can be saved")
    return value


def saved_share_statistic(cost_usd: npt.ArrayLike, large_usd: npt.ArrayLike) -> Statistic:
    """Prepare the saved share for many resamples.

    Args:
        cost_usd: As for `saved_share`, (rows,).
        large_usd: As for `saved_share`, (rows,).

    Returns:
        A function from counts, (resamples, rows), to saved shares, (resamples,); NaN
        where the large model costs nothing.

    Raises:
        MetricError: A column is empty, holds NaN or a negative number, or lengths differ.
    """
    paid = _amounts("saved share", "cost_usd", cost_usd)
    full = _amounts("saved share", "large_usd", large_usd)
    same_rows("saved share", cost_usd=paid, large_usd=full)

    def statistic(counts: Floats) -> Floats:
        whole = np.asarray(counts @ full)
        return over(np.asarray(counts @ (full - paid)), whole, whole > 0)

    return statistic


def _amounts(metric: str, name: str, values: npt.ArrayLike) -> Floats:
    numbers = column(metric, name, values)
    negative = np.flatnonzero(numbers < 0)
    if len(negative):
        row = int(negative[0])
        raise MetricError(metric, f"{name} is {numbers[row]:g} in row {row}, below 0")
    return numbers
