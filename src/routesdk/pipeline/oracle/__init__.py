"""The oracle: both models answer, a blind judge grades, and a journal keeps it all."""

from __future__ import annotations

from routesdk.pipeline.oracle.caller import Halt
from routesdk.pipeline.oracle.generate import agenerate, generate
from routesdk.pipeline.oracle.run import Progress

__all__ = ["Halt", "Progress", "agenerate", "generate"]
