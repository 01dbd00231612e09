"""The reading half of a journal: finished rows, money, the story of the run."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import attrs

from routesdk.dataset import example_from_row
from routesdk.journal.record import Ledger, Row, TierOutcome, Work
from routesdk.journal.schema import connect, telling
from routesdk.types import Answer, Grade, Usage, from_nano

_PAGE_ROWS = 256
_REPLY = (
    "SELECT answered_by, text, finish_reason, input_tokens, output_tokens, thinking_tokens,"
    " cached_input_tokens, cost_nano, latency_s FROM call WHERE key = ?"
)


@attrs.frozen(kw_only=True)
class Bill:
    """What the attempts of one kind of call came to.

    Attributes:
        role: `answer`, `verdict` or `reason`.
        provider: Who was asked.
        model: The model.
        day: The day on which they began, as YYYY-MM-DD in UTC.
        state: `settled`, `failed`, `unknown` or `reserved`.
        calls: How many.
        input_tokens: Tokens in, of the settled ones.
        output_tokens: Tokens out, of the settled ones.
        cost_nano: Nano-dollars that were settled.
        reserved_nano: Nano-dollars that they were reserved at.
        unpriced: Settled calls of which only the tokens are known.
    """

    role: str
    provider: str
    model: str
    day: str
    state: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    reserved_nano: int
    unpriced: int


@attrs.frozen(kw_only=True)
class Attempt:
    """One try of a call.

    Attributes:
        begun: When it began, in ISO 8601.
        role: `answer`, `verdict` or `reason`.
        model: The model.
        state: `settled`, `unknown` or `reserved`.
        reserved_nano: Nano-dollars that it was reserved at.
        cost_nano: Nano-dollars that it cost; None where that is not known.
        input_tokens: Tokens in; None where nobody counted them.
        output_tokens: Tokens out; None where nobody counted them.
    """

    begun: str
    role: str
    model: str
    state: str
    reserved_nano: int
    cost_nano: int | None
    input_tokens: int | None
    output_tokens: int | None


class JournalView:
    """Read a journal, also while a run is writing it.

    Args:
        database: An open connection.
        path: The file, for errors.
    """

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self.path = path

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> JournalView:
        """Open a journal to look at; use it as a context manager.

        Raises:
            JournalError: There is no such file, or it is no journal.
        """
        file = Path(path)
        return cls(connect(file, read_only=True), file)

    def __enter__(self) -> JournalView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the journal throughout, whatever a run writes meanwhile."""
        with telling(self.path):
            self._database.execute("BEGIN")
        try:
            yield
        finally:
            with telling(self.path):
                self._database.execute("ROLLBACK")

    def about(self) -> Mapping[str, str]:
        """Return what is remembered of the run."""
        with telling(self.path):
            return dict(self._database.execute("SELECT key, value FROM meta ORDER BY key").fetchall())

    def prompts(self) -> Mapping[str, str]:
        """Return the instructions that calls were made with, by their hash."""
        with telling(self.path):
            return dict(self._database.execute("SELECT hash, text FROM prompt ORDER BY hash").fetchall())

    def counts(self) -> tuple[int, int]:
        """Return how many rows of the run are finished, and how many there are."""
        with telling(self.path):
            done, total = self._database.execute(
                "SELECT COALESCE(SUM(done), 0), COUNT(*) FROM row WHERE current = 1"
            ).fetchone()
        return done, total

    def finished(self, row: Row) -> bool:
        """Tell whether nothing is left to do for a row, as it is now."""
        with telling(self.path):
            found = self._database.execute(
                "SELECT 1 FROM row WHERE id = ? AND digest = ? AND done = 1", (row.example.id, row.digest)
            ).fetchone()
        return found is not None

    def models(self) -> tuple[tuple[str, str], ...]:
        """Return provider and model of everybody who has answered a call."""
        with telling(self.path):
            return tuple(self._database.execute("SELECT DISTINCT provider, model FROM call").fetchall())

    def ledger(self) -> Ledger:
        """Add up the attempts."""
        with telling(self.path):
            found = self._database.execute(
                "SELECT COALESCE(SUM(CASE WHEN state = 'settled' THEN cost_nano END), 0),"
                " COALESCE(SUM(CASE WHEN state = 'unknown' THEN reserved_nano END), 0),"
                " COALESCE(SUM(CASE WHEN state = 'reserved' THEN reserved_nano END), 0) FROM attempt"
            ).fetchone()
        return Ledger(settled_nano=found[0], unknown_nano=found[1], open_nano=found[2])

    def bills(self) -> tuple[Bill, ...]:
        """Return what was spent, by role, provider, model, day and state."""
        with telling(self.path):
            found = self._database.execute(
                "SELECT role, provider, model, substr(begun, 1, 10) AS day, state, COUNT(*),"
                " COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0),"
                " COALESCE(SUM(cost_nano), 0), COALESCE(SUM(reserved_nano), 0),"
                " COALESCE(SUM(state = 'settled' AND cost_nano IS NULL), 0)"
                " FROM attempt GROUP BY role, provider, model, day, state ORDER BY 1, 2, 3, 4, 5"
            ).fetchall()
        names = [field.name for field in attrs.fields(Bill)]
        return tuple(Bill(**dict(zip(names, row, strict=True))) for row in found)

    def reply(self, key: bytes) -> Answer | None:
        """Return the settled reply of a call; None where there is none."""
        with telling(self.path):
            return answer_of(self._database, key)

    def attempts(self) -> Iterator[Attempt]:
        """Yield every attempt that was paid for, or may have been, oldest first."""
        with telling(self.path):
            cursor = self._database.execute(
                "SELECT begun, role, model, state, reserved_nano, cost_nano, input_tokens, output_tokens"
                " FROM attempt WHERE state <> 'failed' ORDER BY id"
            )
            names = [field.name for field in attrs.fields(Attempt)]
            for found in cursor:
                yield Attempt(**dict(zip(names, found, strict=True)))

    def latency_s(self, provider: str, model: str) -> float | None:
        """Return the median seconds of settled calls; None where there are none."""
        with telling(self.path):
            found = self._database.execute(
                "SELECT latency_s FROM call WHERE provider = ? AND model = ? AND latency_s IS NOT NULL"
                " ORDER BY latency_s",
                (provider, model),
            ).fetchall()
        return found[len(found) // 2][0] if found else None

    def work(self) -> Iterator[Work]:
        """Yield the finished rows of the run in order, a page in memory at a time."""
        after = -1
        while True:
            with telling(self.path):
                page = self._database.execute(
                    "SELECT example, digest, position, analysis, problem FROM row WHERE current = 1"
                    " AND done = 1 AND position > ? ORDER BY position LIMIT ?",
                    (after, _PAGE_ROWS),
                ).fetchall()
                works = [self._work(*found) for found in page]
            if not works:
                return
            yield from works
            after = page[-1][2]

    def _work(self, example: str, digest: str, position: int, analysis: str, problem: str) -> Work:
        row = row_of(example, digest, position)
        found = self._database.execute(
            "SELECT model, grade, reason, answer_key, verdict_key FROM outcome WHERE row = ? ORDER BY place",
            (row.example.id,),
        ).fetchall()
        outcomes = tuple(
            TierOutcome(
                model=model,
                grade=None if grade is None else Grade(grade),
                reason=reason,
                answer_key=answer_key,
                verdict_key=verdict_key,
            )
            for model, grade, reason, answer_key, verdict_key in found
        )
        answers = tuple(
            None if each.answer_key is None else answer_of(self._database, each.answer_key)
            for each in outcomes
        )
        return Work(row=row, outcomes=outcomes, answers=answers, analysis=analysis, problem=problem)


def row_of(example: str, digest: str, position: int) -> Row:
    """Read a row back from what the journal stores."""
    return Row(example=example_from_row(json.loads(example)), digest=digest, position=position)


def answer_of(database: sqlite3.Connection, key: bytes) -> Answer | None:
    """Read the settled reply of a call; None where there is none."""
    found = database.execute(_REPLY, (key,)).fetchone()
    if found is None:
        return None
    model, text, finish_reason, tokens_in, tokens_out, thinking, cached, cost_nano, latency_s = found
    usage = Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        thinking_tokens=thinking,
        cached_input_tokens=cached,
        cost_usd=None if cost_nano is None else from_nano(cost_nano),
        latency_s=latency_s,
    )
    return Answer(text=text, model=model, usage=usage, finish_reason=finish_reason)
