"""The bodies of the functions on Modal: a stage, run by name on a file of the data volume.

They run stages with the very function that the executor `local` runs them with. Around it they do what a
machine calls for that may be taken away at any moment: work in a place that lasts, and say what is done.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

from routesdk.pipeline import routing
from routesdk.pipeline.stage import run_shard
from routesdk.plugins.serverless import layout
from routesdk.plugins.serverless.keeping import is_database, working_copy
from routesdk.types import ShardResult

DATA = Path(layout.DATA)
CHECKPOINTS = Path(layout.CHECKPOINTS)

ORACLE_STAGE = "routesdk.pipeline.oracle.shard:run_part"
TRAINING_STAGE = "routesdk.pipeline.training.stage:run_job"
ROUTING_STAGE = routing.STAGE


def oracle_part(run: str, name: str) -> dict[str, str]:
    """Do the rows of one part of an oracle's journal.

    Args:
        run: The run's folder on the data volume.
        name: The part's name in it.

    Returns:
        What became of it: see `stage`.
    """
    return stage(ORACLE_STAGE, run, name)


def train(run: str, name: str, publish: str = "") -> dict[str, str]:
    """Train a router, and put it on the checkpoint volume.

    Args:
        run: The run's folder on the data volume.
        name: The job's name in it.
        publish: The checkpoint's name on the checkpoint volume; empty to leave it out.

    Returns:
        What became of it: see `stage`.
    """
    _reload()
    folder = DATA / layout.RUNS / run
    told = _finished(folder) or _worked(TRAINING_STAGE, folder, name)
    if publish and told["output"] and not told["error"]:
        _publish(folder / told["output"], CHECKPOINTS / publish)
        _commit(layout.CHECKPOINT_VOLUME_ENV)
        told["published"] = publish
    return _report(folder, told)


def route_batch(run: str, name: str) -> dict[str, str]:
    """Decide a file of queries.

    Args:
        run: The run's folder on the data volume.
        name: The job's name in it.

    Returns:
        What became of it: see `stage`.
    """
    return stage(ROUTING_STAGE, run, name)


def stage(stage_name: str, run: str, name: str) -> dict[str, str]:
    """Run any stage on a file of the data volume.

    Args:
        stage_name: `package.module:function`.
        run: The run's folder.
        name: The file's name in the folder's `in`.

    Returns:
        Three texts, empty where there is nothing to say: `output`, the path of the stage's file in the run's
        folder; `shard`, the path of what the shard became, where the stage changed it; and `error`.
    """
    _reload()
    folder = DATA / layout.RUNS / run
    return _report(folder, _worked(stage_name, folder, name))


def _finished(folder: Path) -> dict[str, str] | None:
    """Return what an earlier call reported, where its output is still there."""
    try:
        told: dict[str, str] = json.loads((folder / layout.REPORT).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return told if told["output"] and (folder / told["output"]).is_file() else None


def _worked(stage_name: str, folder: Path, name: str) -> dict[str, str]:
    shard = folder / layout.IN / name
    (folder / layout.REPORT).unlink(missing_ok=True)
    before = layout.fingerprint(shard)
    with working_copy(shard, folder / layout.KEPT / name, _commit) as place:
        result = run_shard(stage_name, place)
    became = folder / layout.KEPT / name if place != shard else shard
    told = _told(folder, became, place, result)
    if is_database(became) or layout.fingerprint(became) != before:
        told["shard"] = str(became.relative_to(folder))
    return told


def _report(folder: Path, told: dict[str, str]) -> dict[str, str]:
    """Say that all is done, the last thing of all: a machine may be taken away before."""
    if not told["error"]:
        (folder / layout.REPORT).write_text(json.dumps(told), encoding="utf-8")
    _commit()
    return told


def _told(folder: Path, became: Path, place: Path, result: ShardResult) -> dict[str, str]:
    told = {"output": "", "shard": "", "error": result.error}
    output = result.output
    if output is None:
        return told
    if output.is_dir():
        told["error"] = (
            f"the stage returned the folder {output.name}: only files come back from other machines"
        )
    elif output == place:
        told["output"] = str(became.relative_to(folder))
    elif folder in output.parents:
        told["output"] = str(output.relative_to(folder))
    else:
        copied = folder / layout.OUT / output.name
        copied.parent.mkdir(exist_ok=True)
        shutil.copyfile(output, copied)
        told["output"] = str(copied.relative_to(folder))
    return told


def _publish(packed: Path, folder: Path) -> None:
    """Unpack a checkpoint where the endpoint finds it, whole or not at all.

    Raises:
        ValueError: The name leads out of the volume.
    """
    if folder.parent != CHECKPOINTS or folder.name in {"", ".."}:
        raise ValueError(f"{folder.name!r} is no name of a router")
    partial, old = (folder.with_name(f".{folder.name}.{state}") for state in ("partial", "old"))
    for left in (partial, old):
        shutil.rmtree(left, ignore_errors=True)
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(partial)
    # What was there is deleted once the new one is in its place, and not before.
    if folder.exists():
        folder.rename(old)
    try:
        partial.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _commit(variable: str = layout.DATA_VOLUME_ENV) -> None:
    """Make a volume's changes last; outside of Modal there is none, and files last by themselves."""
    name = os.environ.get(variable)
    if not name:
        return
    import modal

    try:
        modal.Volume.from_name(name).commit()
    except RuntimeError as error:
        # The commit is done; it is the look at what others committed that an open file prevents.
        if "open files" not in str(error):
            raise


def _reload() -> None:
    """See the volume as it is: a container that has served before sees it as it was then."""
    name = os.environ.get(layout.DATA_VOLUME_ENV)
    if name:
        import modal

        modal.Volume.from_name(name).reload()
