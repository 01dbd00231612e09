"""The pipeline in one command: from a benchmark to a report, each stage only where something has changed."""

from __future__ import annotations

from routesdk.pipeline.project.deed import Ears
from routesdk.pipeline.project.edit import EDITS, KEEP, REFUSE, REPLACE
from routesdk.pipeline.project.estimate import Estimate, estimate, total_usd
from routesdk.pipeline.project.layout import Layout
from routesdk.pipeline.project.plan import STAGES, Project, Stage
from routesdk.pipeline.project.run import Step, run
from routesdk.pipeline.project.standing import Standing, State, status
from routesdk.pipeline.project.start import STARTER, write_starter

__all__ = [
    "EDITS",
    "KEEP",
    "REFUSE",
    "REPLACE",
    "STAGES",
    "STARTER",
    "Ears",
    "Estimate",
    "Layout",
    "Project",
    "Stage",
    "Standing",
    "State",
    "Step",
    "estimate",
    "run",
    "status",
    "total_usd",
    "write_starter",
]
