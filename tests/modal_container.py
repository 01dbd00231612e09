"""A container of `modal_server`: Modal's own entry point, with the volumes where the test put them.

A container has the volumes at `/routesdk`, where no test may write; that is all that differs.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from routesdk.plugins.serverless import work

mounted = os.environ["ROUTESDK_TEST_MOUNTS"].split(os.pathsep)
work.DATA, work.CHECKPOINTS = (Path(folder) for folder in mounted)
runpy.run_module("modal._container_entrypoint", run_name="__main__")
