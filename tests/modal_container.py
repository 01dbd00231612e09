"""A container of `modal_server`: Modal's own entry point, with the volumes where the test put them.

A container has the volumes at `/routesdk`, where no test may write, and keeps what it has every ten seconds,
for which no test should wait; that is all that differs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import runpy
from pathlib import Path

from routesdk.plugins.recorded.backend import RecordedBackend
from routesdk.plugins.serverless import keeping, work
from routesdk.types import Answer, Request

_CALLS = 12


def _hold_at(gate: Path) -> None:
    """Have a container wait after its first calls, until a file is there: no test then races with it."""
    calls = itertools.count()
    answer = RecordedBackend.generate

    async def generate(self: RecordedBackend, request: Request) -> Answer:
        if next(calls) >= _CALLS:
            while not gate.exists():
                await asyncio.sleep(0.05)
        return await answer(self, request)

    RecordedBackend.generate = generate  # type: ignore[method-assign]


mounted = os.environ["ROUTESDK_TEST_MOUNTS"].split(os.pathsep)
work.DATA, work.CHECKPOINTS = (Path(folder) for folder in mounted)
os.environ["ROUTESDK_CHECKPOINTS"] = mounted[1]
keeping.KEEP_S = 0.2
# A test may have another stage trained than the real one, which takes its time.
work.TRAINING_STAGE = os.environ.get("ROUTESDK_TEST_TRAINING", work.TRAINING_STAGE)
if gate := os.environ.get("ROUTESDK_TEST_GATE"):
    _hold_at(Path(gate))
runpy.run_module("modal._container_entrypoint", run_name="__main__")
