"""A shard's way to Modal and back: uploaded, run, brought home."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import modal
import modal.exception as refused

from routesdk.errors import ExecutorError
from routesdk.host import attempt
from routesdk.pipeline import away
from routesdk.plugins.serverless import layout, work
from routesdk.plugins.serverless.build import Deployment
from routesdk.plugins.serverless.config import ModalConfig
from routesdk.plugins.serverless.failure import lost
from routesdk.plugins.serverless.keeping import is_database, settle
from routesdk.types import ShardResult

logger = logging.getLogger("routesdk")

NOT_BEGUN = "it was not begun: the executor was closed"


class Courier:
    """Carries the shards of one stage; may be shared by threads.

    Args:
        stage_name: The stage.
        config: What was asked of Modal.
        deployment: The app, which is running when `carry` is called.
    """

    def __init__(self, stage_name: str, config: ModalConfig, deployment: Deployment) -> None:
        self._stage = stage_name
        self._config = config
        self._data = deployment.data
        self._function = deployment.functions.get(stage_name)
        self._any = deployment.functions[""]
        self._lock = threading.Lock()
        self._under_way: dict[str, modal.FunctionCall[dict[str, str]]] = {}
        self._closed = False

    def carry(self, shard: Path, run: str) -> ShardResult:
        """Have a shard run, and bring home what became of it; what fails is told in the result.

        Raises:
            ExecutorError: What it had found out is on the volume, and cannot be fetched now.
        """
        report, error = attempt(self._run, shard, run)
        if error is not None:
            # What it had found out is paid for: it comes home with the shard, as it would from this machine.
            _, unfetched = attempt(self.bring_back, shard, run)
            if unfetched is not None and away.noted(shard) is not None:
                raise self._left_there(shard, unfetched)
            return ShardResult(shard, None, lost(error, self._config))
        assert report is not None
        return self._delivered(shard, run, report)

    def finished(self, shard: Path, run: str) -> ShardResult | None:
        """Bring home what an earlier call finished; None where there is nothing.

        Raises:
            modal.exception.Error: The volume cannot be read.
            ExecutorError: The same, after it was seen that there is something.
        """
        try:
            report = json.loads(b"".join(self._data.read_file(f"{layout.RUNS}/{run}/{layout.REPORT}")))
        except FileNotFoundError:
            return None
        except ValueError:
            # Half written, by a machine that was taken away: it is run again.
            return None
        if self._stage == work.TRAINING_STAGE and report.get("published", "") != self._published_as(
            shard, run
        ):
            # It is on the checkpoint volume under another name, or not at all: no training, but a call.
            return None
        return self._delivered(shard, run, report)

    def bring_back(self, shard: Path, run: str) -> bool:
        """Replace a database by what was kept of it on the volume, and tell whether there was any.

        Raises:
            modal.exception.Error: The volume cannot be read.
            OSError: The file cannot be written.
        """
        if not is_database(shard):
            return False
        try:
            self._fetch(f"{layout.RUNS}/{run}/{layout.KEPT}/{shard.name}", shard)
        except FileNotFoundError:
            found = False
        else:
            found = True
        away.forget(shard)
        return found

    def recall(self, shard: Path, where: Mapping[str, str]) -> bool:
        """Cancel what an earlier process began, then do as `bring_back` does.

        Args:
            shard: The file.
            where: What was noted when it was sent.

        Raises:
            modal.exception.Error: The volume cannot be read.
            OSError: The file cannot be written.
        """
        if where["call"]:
            # It may have ended long ago.
            with contextlib.suppress(refused.Error):
                modal.FunctionCall.from_id(where["call"]).cancel(terminate_containers=True)
        return self.bring_back(shard, where["run"])

    @property
    def closed(self) -> bool:
        """Whether nothing more may begin."""
        return self._closed

    def close(self) -> None:
        """Cancel what is under way, and let nothing more begin."""
        with self._lock:
            self._closed = True
            calls = list(self._under_way.values())
        for call in calls:
            # It may have ended meanwhile, and the app that is stopped next takes its containers along.
            with contextlib.suppress(refused.Error):
                call.cancel(terminate_containers=True)

    def _run(self, shard: Path, run: str) -> dict[str, str]:
        with self._data.batch_upload(force=True) as batch:
            batch.put_file(shard, f"{layout.RUNS}/{run}/{layout.IN}/{shard.name}")
        call = self._begin(shard, run)
        try:
            return call.get()
        finally:
            with self._lock:
                self._under_way.pop(run, None)

    def _begin(self, shard: Path, run: str) -> modal.FunctionCall[dict[str, str]]:
        with self._lock:
            if self._closed:
                raise RuntimeError(NOT_BEGUN)
            self._note(shard, run)
            if self._function is None:
                call = self._any.spawn(self._stage, run, shard.name)
            elif self._stage == work.TRAINING_STAGE:
                publish = self._published_as(shard, run)
                logger.info("the router will be on the checkpoint volume as %s", publish)
                call = self._function.spawn(run, shard.name, publish)
            else:
                call = self._function.spawn(run, shard.name)
            self._under_way[run] = call
            self._note(shard, run, call.object_id)
        return call

    def _published_as(self, shard: Path, run: str) -> str:
        return self._config.publish or f"{shard.stem}-{run[:12]}"

    def _note(self, shard: Path, run: str, call: str = "") -> None:
        """Write down where a database is; `recover` leaves any other file as it is."""
        if is_database(shard):
            where = {"data_volume": self._config.data_volume, "run": run, "call": call}
            away.note(shard, "modal", where)

    def _delivered(self, shard: Path, run: str, report: dict[str, str]) -> ShardResult:
        output, error = attempt(self._deliver, shard, run, report)
        if error is None:
            away.forget(shard)
            return ShardResult(shard, output, report["error"])
        if is_database(shard) and not isinstance(error, (FileNotFoundError, ValueError)):
            raise self._left_there(shard, error)
        return ShardResult(shard, None, lost(error, self._config))

    def _left_there(self, shard: Path, error: Exception) -> ExecutorError:
        problem = f"what {shard.name} found out cannot be fetched ({lost(error, self._config)})"
        fix = f"Run again: it is kept on the volume {self._config.data_volume!r}, and comes home then."
        return ExecutorError("modal", problem, fix)

    def _deliver(self, shard: Path, run: str, report: dict[str, str]) -> Path | None:
        """Download what a report names, to where it would lie if the stage had run here."""
        folder = PurePosixPath(layout.RUNS, run)
        if report["shard"]:
            self._fetch(str(folder / report["shard"]), shard)
        if not report["output"]:
            return None
        where = PurePosixPath(report["output"])
        if report["output"] in {report["shard"], f"{layout.IN}/{shard.name}"}:
            return shard
        # A stage can write a report too: what it names may not lie anywhere else on this machine.
        if where.parts[0] not in {layout.IN, layout.OUT} or len(where.parts) < 2 or ".." in where.parts:
            raise ValueError(f"its report names {report['output']!r}, which is no output of a run")
        # In a folder of the shard's own: outputs of two shards may have the same name.
        local = shard.with_name(f"{shard.name}.out").joinpath(*where.parts[1:])
        local.parent.mkdir(parents=True, exist_ok=True)
        self._fetch(str(folder / where), local)
        return local

    def _fetch(self, remote: str, local: Path) -> None:
        partial = local.with_name(f".{local.name}.partial")
        try:
            with partial.open("wb") as stream:
                for block in self._data.read_file(remote):
                    stream.write(block)
            if local.exists() and is_database(local):
                # What SQLite has beside the old file is no part of the new one.
                settle(local)
            partial.replace(local)
        except sqlite3.Error as error:
            raise OSError(f"{local} is being written ({error})") from error
        finally:
            partial.unlink(missing_ok=True)
