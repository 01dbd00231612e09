"""What a router is worth on rows that it did not learn from, beside every baseline."""

from __future__ import annotations

from routesdk.pipeline.evaluation.basis import Cost, DataFile, Provenance, ShiftFigures
from routesdk.pipeline.evaluation.curve import (
    Curve,
    CurvePoint,
    OperatingFigures,
    Reliability,
    ReliabilityBin,
    RiskCoverage,
    RiskPoint,
)
from routesdk.pipeline.evaluation.detail import (
    Breakdown,
    Cell,
    CellExample,
    ConfusionTable,
    Group,
    Latency,
    Mistake,
    Perturbation,
    Reasonings,
    Share,
)
from routesdk.pipeline.evaluation.evaluate import evaluate
from routesdk.pipeline.evaluation.figures import (
    BEST_SINGLE,
    ROUTER,
    Advice,
    Evaluation,
    Line,
    Metric,
    RowResult,
    Target,
    Verdict,
)
from routesdk.pipeline.evaluation.files import read_evaluation, write_evaluation
from routesdk.pipeline.evaluation.origin import data_file
from routesdk.pipeline.evaluation.perturbation import PERTURBATIONS
from routesdk.pipeline.evaluation.record import from_record, to_record

__all__ = [
    "BEST_SINGLE",
    "PERTURBATIONS",
    "ROUTER",
    "Advice",
    "Breakdown",
    "Cell",
    "CellExample",
    "ConfusionTable",
    "Cost",
    "Curve",
    "CurvePoint",
    "DataFile",
    "Evaluation",
    "Group",
    "Latency",
    "Line",
    "Metric",
    "Mistake",
    "OperatingFigures",
    "Perturbation",
    "Provenance",
    "Reasonings",
    "Reliability",
    "ReliabilityBin",
    "RiskCoverage",
    "RiskPoint",
    "RowResult",
    "Share",
    "ShiftFigures",
    "Target",
    "Verdict",
    "data_file",
    "evaluate",
    "from_record",
    "read_evaluation",
    "to_record",
    "write_evaluation",
]
