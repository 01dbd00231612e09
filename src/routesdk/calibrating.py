"""Setting a router to a target, on rows whose outcomes are known."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from routesdk.pipeline.calibration import Calibrated
    from routesdk.router import Router
    from routesdk.types import Example


class Calibrating:
    """The method of a router that sets it to a cost, a quality or a share of large calls."""

    __slots__ = ()

    def calibrate(
        self,
        outcomes: Iterable[Example],
        *,
        target_cost: Decimal | float | str | None = None,
        target_quality: float | None = None,
        target_large_share: float | None = None,
        method: str = "platt",
        resamples: int = 2000,
        seed: int = 0,
    ) -> Calibrated:
        """Find the operating point that reaches a target, and make gains and confidence mean what they say.

        Gains and confidences are recalibrated by maps that only climb, so that the ranking
        of queries stays as it is. What is to be expected of new rows is measured on rows
        that were left out in turn, with an interval. The router itself stays as it is; the
        result has a copy, unless the target is out of reach.

        Args:
            outcomes: Rows with an outcome of each tier's model, none of them learned from;
                100 or more. Take them from where the router will work.
            target_cost: US dollars a query on average, at most.
            target_quality: Mean quality of the answers, 0 to 1, at least.
            target_large_share: Share of the queries that leave the cheapest tier, 0 to 1;
                with more than two tiers, that share of those who reach a tier climb on.
            method: `platt`, two numbers a map; or `isotonic`, which takes any shape, and
                needs some thousand rows.
            resamples: Bootstrap resamples behind the intervals.
            seed: Seed of what is left out in turn, and of the bootstrap.

        Raises:
            LeakError: The router learned from rows; it names them.
            ConfigError: No target or several, one out of range, too few rows, an id that
                stands twice, a row without an outcome of each tier, outcomes from which
                nothing can be learned, or a router without hashes of what it learned from.
            UnknownPriceError: A cost is the target, and a model's price is unknown.
            PredictionError: The policy model failed.
        """
        # Above a router in the layers, and loaded when it is asked for.
        from routesdk.pipeline.calibration import calibrate

        return calibrate(
            cast("Router", self),
            outcomes,
            target_cost=target_cost,
            target_quality=target_quality,
            target_large_share=target_large_share,
            method=method,
            resamples=resamples,
            seed=seed,
        )
