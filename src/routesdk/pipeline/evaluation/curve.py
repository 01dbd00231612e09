"""Curves of an evaluation: what a ranking buys, what confidence means, and where the router stands."""

from __future__ import annotations

import attrs

from routesdk.metrics import Interval


@attrs.frozen(kw_only=True)
class CurvePoint:
    """One point of a cost-quality curve.

    Attributes:
        share: Share of calls of the dearest tier, 0 to 1.
        accuracy: Mean quality of the answers at that share, 0 to 1.
        low: Lower end of its interval.
        high: Upper end of its interval.
        cost_usd: Mean cost of a query at that share, in US dollars; None where no cost is known.
    """

    share: float
    accuracy: float
    low: float
    high: float
    cost_usd: float | None = None


@attrs.frozen(kw_only=True)
class Curve:
    """What a ranking of the queries buys while more and more of them go to the dearest tier.

    Attributes:
        name: Whose ranking: the router's name, or that of a baseline.
        points: By rising share of calls of the dearest tier, from 0 to 1.
    """

    name: str
    points: tuple[CurvePoint, ...]


@attrs.frozen(kw_only=True)
class OperatingFigures:
    """Where the router stands on its curve.

    Attributes:
        thresholds: Thresholds on expected gain between neighbouring tiers, as text: they may be infinite.
        meant_share: Share of calls that they were meant to send up, on a mix like the training mix;
            None where that was not said.
        share: Share of the calls that they sent to the dearest tier.
        accuracy: Mean quality of the answers obtained.
        cost_usd: Mean cost of a query, in US dollars; None where no cost is known.
        source: Who set them.
    """

    thresholds: tuple[str, ...]
    meant_share: float | None
    share: Interval
    accuracy: Interval
    cost_usd: Interval | None
    source: str


@attrs.frozen(kw_only=True)
class ReliabilityBin:
    """Rows of about one confidence.

    Attributes:
        confidence: Mean confidence, 0 to 1.
        hit: Share whose decided policy is the recorded one, 0 to 1.
        low: Lower end of its interval.
        high: Upper end of its interval.
        rows: How many rows there are.
    """

    confidence: float
    hit: float
    low: float
    high: float
    rows: int


@attrs.frozen(kw_only=True)
class Reliability:
    """Whether the confidence means what it says.

    Attributes:
        bins: By rising confidence, about as many rows in each.
        calibration_error: Expected calibration error; its interval is centred on the value.
        perfect_error: 95th percentile of that of a perfectly calibrated predictor on as many rows.
        brier: Brier score of the confidence, 0 to 1; lower is better.
    """

    bins: tuple[ReliabilityBin, ...]
    calibration_error: Interval
    perfect_error: float
    brier: Interval


@attrs.frozen(kw_only=True)
class RiskPoint:
    """How often the most confident decisions are wrong.

    Attributes:
        coverage: Share of the rows, the most confident ones, 0 to 1.
        risk: Share of those whose decided policy is not the recorded one, 0 to 1.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """

    coverage: float
    risk: float
    low: float
    high: float


@attrs.frozen(kw_only=True)
class RiskCoverage:
    """Whether less confident decisions are wrong more often.

    Attributes:
        points: By rising coverage, up to all rows.
        area: Area under the curve; lower is better, and the overall risk is what no order would have.
    """

    points: tuple[RiskPoint, ...]
    area: Interval
