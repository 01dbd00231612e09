"""The app for Modal's own commands: `modal deploy -m` and `modal run -m routesdk.plugins.serverless.app`.

Its settings come from environment variables such as `ROUTESDK_MODAL_GPU`. Functions: `oracle_part`, `train`,
`route_batch`, `stage`, and the web endpoint `decide`. Entry points: `run_train`, `run_route`, which run one
file as the executor would.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from routesdk.errors import StageError
from routesdk.host import attempt
from routesdk.pipeline.routing import RoutingJob, pack_job
from routesdk.plugins.serverless import work
from routesdk.plugins.serverless.build import build_app
from routesdk.plugins.serverless.config import config_of_environment
from routesdk.plugins.serverless.courier import Courier
from routesdk.plugins.serverless.executor import named
from routesdk.plugins.serverless.failure import telling
from routesdk.structure import structure

config = config_of_environment()
deployment = build_app(config)
app = deployment.app


@app.local_entrypoint()
def run_train(job: str, output: str = "") -> None:
    """Train on Modal what a packed job describes.

    Args:
        job: The job, a .zip file.
        output: Where the checkpoint's .zip file is to go; empty for beside the job.
    """
    trained = _carried(work.TRAINING_STAGE, Path(job))
    _deliver(trained, output or str(Path(job).with_name(trained.name)))


@app.local_entrypoint()
def run_route(queries: str, checkpoint: str = "default", large_share: str = "", output: str = "") -> None:
    """Decide a file of queries on Modal.

    Args:
        queries: One query a line, as `routesdk route --file` reads it.
        checkpoint: A bundled router, a folder here or on the checkpoint volume, or a Hub id.
        large_share: Share of calls meant to go up; empty for the checkpoint's own.
        output: Where the decisions are to go; empty for beside the queries.

    Raises:
        ConfigError: The share is no number from 0 to 1.
    """
    asked = Path(queries)
    given: dict[str, object] = {"checkpoint": checkpoint}
    if large_share:
        share, _ = attempt(float, large_share)
        # What is no number is named by the check that names what is out of range.
        given["large_share"] = large_share if share is None else share
    settings = structure(given, RoutingJob, where="run_route")
    with tempfile.TemporaryDirectory(prefix="routesdk-route-") as folder:
        job = pack_job(Path(folder) / f"{asked.stem}.zip", asked, settings)
        decided = _carried(work.ROUTING_STAGE, job)
        _deliver(decided, output or str(asked.with_name(decided.name)))


def _carried(stage_name: str, shard: Path) -> Path:
    """Have one file carried, by an app that Modal's command has begun.

    Raises:
        StageError: The stage failed.
    """
    courier = Courier(stage_name, config, deployment)
    ((_, run, problem),) = named(stage_name, [shard], config.resume)
    if problem:
        raise StageError(stage_name, str(shard), problem)
    with telling(config):
        found = courier.finished(shard, run) if config.resume else None
    result = found or courier.carry(shard, run)
    if result.output is None:
        raise StageError(stage_name, shard.name, result.error.rstrip("."))
    return result.output


def _deliver(file: Path, output: str) -> None:
    shutil.move(file, output)
    with contextlib.suppress(OSError):
        # The folder that it came in, where nothing else came.
        file.parent.rmdir()
