"""Does it pay? Measures trained routers on the same rows, and says which one to ship."""

from __future__ import annotations

from routesdk.pipeline.payoff.candidate import Candidate, checkpoint_bytes
from routesdk.pipeline.payoff.figures import Baseline, Difference, Failure, Figures, Payoff, Spread
from routesdk.pipeline.payoff.measure import measure
from routesdk.pipeline.payoff.record import from_record, metric_records, to_markdown, to_record
from routesdk.pipeline.payoff.scored import Scored, grade_chances, score_rows, with_all_outcomes
from routesdk.pipeline.payoff.timing import Timing
from routesdk.pipeline.payoff.verdict import Advice, Verdict, verdict

__all__ = [
    "Advice",
    "Baseline",
    "Candidate",
    "Difference",
    "Failure",
    "Figures",
    "Payoff",
    "Scored",
    "Spread",
    "Timing",
    "Verdict",
    "checkpoint_bytes",
    "from_record",
    "grade_chances",
    "measure",
    "metric_records",
    "score_rows",
    "to_markdown",
    "to_record",
    "verdict",
    "with_all_outcomes",
]
