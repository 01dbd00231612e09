"""Runs a stage over shards on Modal: each goes to a container of its own, and comes home when it is done."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import attrs

from routesdk.errors import ExecutorError
from routesdk.host import attempt
from routesdk.pipeline import away
from routesdk.pipeline.stage import check_stage
from routesdk.plugins.serverless.build import Deployment, build_app
from routesdk.plugins.serverless.config import ModalConfig
from routesdk.plugins.serverless.courier import NOT_BEGUN, Courier
from routesdk.plugins.serverless.failure import check_account, telling
from routesdk.plugins.serverless.keeping import settle
from routesdk.plugins.serverless.layout import run_of
from routesdk.types import ShardResult

logger = logging.getLogger("routesdk")


@attrs.define
class ModalExecutor:
    """Run stages on Modal.

    The app lives as long as its shards: it is made for a call, and stopped after it. Shards and what becomes
    of them lie on the data volume, under a name that is made of their content; a call that is made again
    fetches what an earlier one finished, and goes on with what it began.

    Attributes:
        config: What is asked of Modal.
    """

    config: ModalConfig
    _couriers: list[Courier] = attrs.field(factory=list, init=False, repr=False, eq=False)

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        """Run a stage on each file and yield the results as they come.

        Args:
            stage_name: `package.module:function`; the function takes the shard's path and returns the path of
                the file that it wrote, which comes home to the folder `NAME.out` beside the shard `NAME`. A
                shard that the stage changes is changed here too, and also where the stage fails.
            shard_files: One file a shard.

        Returns:
            One result a shard, failed ones too, in the order in which they end. Closing the iterator cancels
            what is under way.

        Raises:
            StageError: There is no such module or function; raised at once.
            ExecutorError: There is no account, or a secret is missing; raised at once. While iterating: the
                app cannot be made, or what a shard found out cannot be fetched; `recover` then fetches it.
        """
        check_stage(stage_name, elsewhere=True)
        shards = [Path(shard) for shard in shard_files]
        if not shards:
            return iter(())
        check_account(self.config)
        return self._map(stage_name, shards)

    def recover(self, stage_name: str, shard_files: Sequence[Path]) -> None:
        """Bring home what shards had found out that an earlier call was killed over.

        Args:
            stage_name: The stage that they were given to.
            shard_files: The files, where they were then. A database that was kept on the volume replaces its
                file; all others stay as they are.

        Raises:
            ExecutorError: There is no account, the volume cannot be read, or a shard is on another volume.
        """
        sent = {shard: where for shard in map(Path, shard_files) if (where := away.noted(shard)) is not None}
        if not sent:
            return
        for shard, where in sent.items():
            self._check_volume(shard, where)
        check_account(self.config)
        courier = Courier(stage_name, self.config, build_app(self.config))
        with telling(self.config):
            for shard, where in sent.items():
                settle(shard)
                if courier.recall(shard, where):
                    logger.info("brought %s home from Modal, as far as it had come", shard.name)

    def cancel(self) -> None:
        """Cancel what is under way; `map` yields what is left with an error, and with what it had kept."""
        for courier in list(self._couriers):
            courier.close()

    def _check_volume(self, shard: Path, where: Mapping[str, str]) -> None:
        volume = where["data_volume"]
        if volume != self.config.data_volume:
            problem = f"{shard} was sent to the volume {volume!r}, and data_volume is another"
            fix = (
                f"Run once with data_volume = {volume!r}: that brings home what was paid for. "
                f"Or delete {away.note_of(shard)} to give that up."
            )
            raise ExecutorError("modal", problem, fix)

    def _map(self, stage_name: str, shards: list[Path]) -> Iterator[ShardResult]:
        deployment = build_app(self.config)
        courier = Courier(stage_name, self.config, deployment)
        # Before the first look-up: whoever cancels then means what has not begun too.
        self._couriers.append(courier)
        try:
            yield from self._results(courier, deployment, named(stage_name, shards, self.config.resume))
        finally:
            self._couriers.remove(courier)

    def _results(
        self, courier: Courier, deployment: Deployment, shards: Iterator[tuple[Path, str, str]]
    ) -> Iterator[ShardResult]:
        runs: dict[Path, str] = {}
        for shard, run, problem in shards:
            if problem or courier.closed:
                yield ShardResult(shard, None, problem or NOT_BEGUN)
                continue
            with telling(self.config):
                found = courier.finished(shard, run) if self.config.resume else None
            if found is None:
                runs[shard] = run
            else:
                logger.info("%s was finished by an earlier call, and is fetched from Modal", shard.name)
                yield found
        if courier.closed:
            yield from (ShardResult(shard, None, NOT_BEGUN) for shard in runs)
        elif runs:
            with running(deployment, self.config):
                yield from hand_out(courier, runs, self.config.containers)


@contextlib.contextmanager
def running(deployment: Deployment, config: ModalConfig) -> Iterator[None]:
    """Make the app, and stop it in the end.

    Raises:
        ExecutorError: It cannot be made.
    """
    app = deployment.app.run()
    with telling(config):
        app.__enter__()
    try:
        yield
    finally:
        # Never with the error at hand: what ended the shards is no fault of the app's.
        with telling(config):
            app.__exit__(None, None, None)  # type: ignore[no-untyped-call]


def hand_out(courier: Courier, runs: dict[Path, str], at_once: int) -> Iterator[ShardResult]:
    """Have shards carried, so many at once; closing the iterator cancels what is under way.

    Raises:
        ExecutorError: What a shard found out cannot be fetched: it has no result, after all that have one.
    """
    unfetched: list[Exception] = []
    threads = ThreadPoolExecutor(min(at_once, len(runs)))
    try:
        waiting = [threads.submit(courier.carry, shard, run) for shard, run in runs.items()]
        for future in as_completed(waiting):
            result, error = attempt(future.result)
            if result is not None:
                yield result
            elif error is not None:
                unfetched.append(error)
    finally:
        courier.close()
        threads.shutdown(cancel_futures=True)
    if unfetched:
        raise unfetched[0]


def named(stage_name: str, shards: list[Path], resume: bool) -> Iterator[tuple[Path, str, str]]:
    """Yield each shard with its run, or with what is wrong with it.

    Args:
        stage_name: The stage.
        shards: The files.
        resume: Whether runs are those that an earlier call with the same files had.
    """
    seen: Counter[str] = Counter()
    # Whoever does not resume gets a place that no earlier call has been to.
    fresh = "" if resume else f"-{uuid.uuid4().hex[:8]}"
    for shard in shards:
        _, error = attempt(settle, shard)
        run, unread = attempt(run_of, stage_name, shard)
        error = error or unread
        if error is not None or run is None:
            yield shard, "", f"it cannot be read ({type(error).__name__}: {error})"
            continue
        # Two files that are the same are two runs: each has its own output.
        twin = f"{run}{fresh}-{seen[run]}" if seen[run] else f"{run}{fresh}"
        seen[run] += 1
        yield shard, twin, ""
