"""The run: from a config to a journal of graded answers, to be stopped and started again at will."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal

import attrs

from routesdk.errors import JournalError, RouteSDKError, RunStoppedError
from routesdk.journal import Journal, Ledger
from routesdk.pipeline.oracle.caller import Caller, Halt
from routesdk.pipeline.oracle.plan import Plan
from routesdk.pipeline.oracle.purse import Purse
from routesdk.pipeline.oracle.row import RowWorker
from routesdk.types import to_nano

# Rows in hand for each call under way: enough that rows which pause between tries leave no slot empty.
_ROWS_PER_SLOT = 2
_COMMIT_S = 0.1


@attrs.frozen(kw_only=True)
class Progress:
    """Where a run stands.

    Attributes:
        done: Rows that are finished, in earlier sittings too.
        total: Rows that there are.
        calls: Calls made in this sitting, tries that failed included.
        ledger: What the run has cost, in earlier sittings too.
        elapsed_s: Seconds since this sitting began.
        begun_at: Rows that were finished when it began.
        spent_before_nano: What the run had cost when it began, at the most, in nano-dollars.
    """

    done: int
    total: int
    calls: int
    ledger: Ledger
    elapsed_s: float
    begun_at: int
    spent_before_nano: int = 0

    @property
    def spent_in_all_nano(self) -> int | None:
        """What the run will have cost at this sitting's price a row; None before any row is done."""
        new, spent = self.done - self.begun_at, self.ledger.settled_nano + self.ledger.unknown_nano
        if not new:
            return None
        return spent + (spent - self.spent_before_nano) * (self.total - self.done) // new

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take at this pace; None before any row is done."""
        new = self.done - self.begun_at
        return (self.total - self.done) * self.elapsed_s / new if new else None


Listener = Callable[[Progress], None]


async def work_off(
    plan: Plan, journal: Journal, *, max_usd: Decimal | None, listen: Listener, halt: Halt | None = None
) -> Progress:
    """Do every row of a journal that is not done.

    Args:
        plan: Who is asked what.
        journal: Its rows are registered.
        max_usd: What the journal's attempts may come to in US dollars, earlier
            sittings included; None for no limit.
        listen: Is told where the run stands, after every row.
        halt: Asks it to stop; None lets nobody ask.

    Returns:
        Where it stands in the end.

    Raises:
        RunStoppedError: It cannot go on: no money, no access, a provider that is down, a plugin's bug;
            or it was asked to stop.
        JournalError: The journal cannot be written; what it had is still there.
    """
    purse = Purse(journal, None if max_usd is None else to_nano(max_usd))
    halt = halt or Halt()
    caller = Caller(journal, purse, plan.pricing, attempts=plan.config.attempts, halt=halt)
    sitting = _Sitting(plan, journal, caller, listen)
    await sitting.work()
    return sitting.progress()


class _Sitting:
    """One process's work on a run."""

    def __init__(self, plan: Plan, journal: Journal, caller: Caller, listen: Listener) -> None:
        self._journal = journal
        self._caller = caller
        self._listen = listen
        self._worker = RowWorker(plan, caller, attempts=plan.config.attempts)
        self._rows = journal.pending()
        self._in_hand = _ROWS_PER_SLOT * plan.config.concurrency
        self._done, self._total = journal.view.counts()
        self._begun_at = self._done
        self._spent_before_nano = journal.ledger.total_nano
        self._start = time.monotonic()
        self._stopped: RunStoppedError | None = None
        self._failed: JournalError | None = None

    def progress(self) -> Progress:
        return Progress(
            done=self._done,
            total=self._total,
            calls=self._caller.made,
            ledger=self._journal.ledger,
            elapsed_s=time.monotonic() - self._start,
            begun_at=self._begun_at,
            spent_before_nano=self._spent_before_nano,
        )

    async def work(self) -> None:
        committing = asyncio.ensure_future(self._commit())
        try:
            with self._journal.gathering():
                await self._work_off()
        finally:
            committing.cancel()

    async def _commit(self) -> None:
        """Commit now and then what no reservation takes along: others may be looking."""
        while self._failed is None:
            await asyncio.sleep(_COMMIT_S)
            try:
                self._journal.commit()
            except JournalError as error:
                # What was gathered is gone: the rows must not go on as if it were there.
                self._failed = error

    async def _work_off(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._in_hand, self._total - self._done)):
                    group.create_task(self._work())
        except* RouteSDKError as errors:
            # The first one tells what happened; the others are its echo.
            raise errors.exceptions[0] from None
        if self._stopped is not None:
            raise attrs.evolve(self._stopped, done=self._done, total=self._total)
        done, _ = self._journal.view.counts()
        if done < self._total:
            left = f"{self._total - done:,} rows were left undone, for no reason that is known"
            raise RunStoppedError(left, "Run again: it goes on where it stopped.", done, self._total)

    async def _work(self) -> None:
        for row in self._rows:
            if self._stopped is not None:
                return
            try:
                finding = await self._worker.work(row)
            except RunStoppedError as error:
                # Calls under way come to their end; no further row is begun.
                self._stopped = self._stopped or error
                return
            if self._failed is not None:
                raise self._failed
            self._journal.finish(row, finding.outcomes, finding.analysis, finding.problem)
            self._done += 1
            self._listen(self.progress())
