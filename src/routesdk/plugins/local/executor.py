"""Runs a stage over shards in this process, or in several that may die without losing a shard."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from queue import SimpleQueue

import attrs
from attrs.validators import ge

from routesdk.pipeline.stage import check_stage, run_shard
from routesdk.types import ShardResult


@attrs.frozen
class LocalExecutor:
    """Run stages on this machine.

    Each worker is a process of its own, started afresh rather than forked. A
    worker that dies takes one shard with it, which gets an error; another
    takes its place.

    Attributes:
        workers: Processes; with 1, shards run in this one, one after the other.
    """

    workers: int = attrs.field(default=1, validator=ge(1))

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        """Run a stage on each file and yield the results as they come.

        A script that asks for several workers guards its start with
        `if __name__ == "__main__"`, as every script that starts processes must.

        Args:
            stage_name: `package.module:function`; the function takes the
                shard's path and returns the path that it wrote.
            shard_files: One file a shard.

        Returns:
            One result a shard, failed ones too: in the order of the files with
            one worker, and in the order in which they end with more. Shards
            that have not begun when the iterator is closed are not run.

        Raises:
            StageError: There is no such module or function; raised at once.
        """
        # Here and not in the generator, which would raise only when someone iterates.
        check_stage(stage_name)
        shards = [Path(shard) for shard in shard_files]
        if self.workers == 1:
            return (run_shard(stage_name, shard) for shard in shards)
        return _in_processes(stage_name, shards, min(self.workers, len(shards)))


def _in_processes(stage_name: str, shards: list[Path], workers: int) -> Iterator[ShardResult]:
    """Hand shards to single-process pools: one that breaks says which shard broke it."""
    if not shards:
        return
    pools: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
    for _ in range(workers):
        pools.put(_one_process())
    threads = ThreadPoolExecutor(workers)
    try:
        waiting = [threads.submit(_in_process, pools, stage_name, shard) for shard in shards]
        for future in as_completed(waiting):
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)
        for _ in range(workers):
            pools.get().shutdown(cancel_futures=True)


def _in_process(pools: SimpleQueue[ProcessPoolExecutor], stage_name: str, shard: Path) -> ShardResult:
    pool = pools.get()
    try:
        return pool.submit(run_shard, stage_name, shard).result()
    except BrokenProcessPool:
        pool = _one_process()
        return ShardResult(shard, None, "its worker process died: killed, out of memory, or crashed")
    finally:
        pools.put(pool)


def _one_process() -> ProcessPoolExecutor:
    # Spawned: a fork would copy this process's threads' locks and its CUDA context.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_leave_interrupts)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that was started by hand: it decides what becomes of the shards."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
