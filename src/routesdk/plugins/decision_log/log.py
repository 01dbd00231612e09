"""A JSONL file of decisions and answers that never grows beyond its limit."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import attrs

from routesdk._lock import sole_writer
from routesdk.errors import CheckpointError, ConfigError
from routesdk.record import answer_to_dict, decision_to_dict
from routesdk.types import Answer, Decision, Query, Stage

# Seconds to wait for another process that writes; a line takes far less than one of them.
_WAIT_S = 10.0


class DecisionLog:
    r"""Append one line to a file for each decision and each answer.

    A line is `{"event": "decision", "time": ..., "decision": {...}}`, where
    `routesdk.record.decision_from_dict` reads the inner record, or
    `{"event": "answer", "time": ..., "call_id": ..., "query_id": ..., "policy": ...,
    "tier": ..., "model": ..., "answer": {...}}`, with the whole `"decision"` once more
    after a fallback, and its `"notices"` where there are any. A call that was cancelled, or failed, and may
    have cost something is an answer too: its `finish_reason` says so.
    `routesdk.logbook` reads them back. With `include_text`, both have
    `"query": {"text": ..., "messages": [...]}` as well; `messages` is there for
    conversations alone.
    A line is on its way to the disk when the call returns, and lines of
    several threads or processes never mix. Where files are set aside, one
    process writes at a time: a file beside the log, `path.lock`, is there meanwhile.

    Args:
        path: The file; it is made where there is none, its folder is not.
        include_text: Whether to write questions, answers and explanations word
            for word; without it, a question is its id alone, and an answer
            has its length in characters.
        max_bytes: Size beyond which the file is set aside as `path.1`; None for
            never. A line that is longer than that has a file of its own.
        kept: How many files that were set aside are kept.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        include_text: bool = False,
        max_bytes: int | None = None,
        kept: int = 3,
    ) -> None:
        self._path = Path(path)
        self._include_text = include_text
        self._max_bytes = max_bytes
        self._kept = kept
        self._lock = threading.Lock()
        try:
            self._write(b"")
        except OSError as error:
            # A host only logs what observers raise, so what is wrong with the path must come to light here.
            raise ConfigError(
                "decision_log.path",
                str(self._path),
                f"cannot be written ({error.strerror})",
                "Give a file in a folder that exists and can be written to.",
            ) from error

    def routesdk_routed(self, decision: Decision, query: Query) -> None:
        """Write a decision, and the question where texts are wanted.

        Raises:
            OSError: The line could not be written.
        """
        self._append(
            {"event": "decision", "time": _now(), **self._question(query), "decision": self._record(decision)}
        )

    def routesdk_answered(self, decision: Decision, query: Query, answer: Answer) -> None:
        """Write an answer, with the query and policy that it belongs to.

        Raises:
            OSError: The line could not be written.
        """
        record = answer_to_dict(answer)
        if not self._include_text:
            del record["text"]
            record["text_characters"] = len(answer.text)
        self._append(
            {
                "event": "answer",
                "time": _now(),
                "call_id": decision.call_id,
                "query_id": decision.query_id,
                "policy": decision.policy,
                "tier": decision.tier,
                "model": decision.model,
                **self._afterwards(decision),
                **self._question(query),
                "answer": record,
            }
        )

    def _afterwards(self, decision: Decision) -> dict[str, object]:
        """Return what may have come to a decision since its own line was written."""
        if any(step.stage is Stage.FALLBACK for step in decision.trace):
            return {"decision": self._record(decision)}
        return {"notices": list(decision.notices)} if decision.notices else {}

    def _record(self, decision: Decision) -> dict[str, object]:
        if not self._include_text:
            # What a provider says of an error may quote the question.
            trace = tuple(
                # A colon alone may be a model's own, as in `llama3:8b`.
                attrs.evolve(step, reason=step.reason.partition(": ")[0])
                if step.stage is Stage.FALLBACK
                else step
                for step in decision.trace
            )
            decision = attrs.evolve(decision, explanation=None, trace=trace)
        return decision_to_dict(decision)

    def _question(self, query: Query) -> dict[str, object]:
        """Return the question under its key, where texts are wanted; tags and metadata are not texts."""
        if not self._include_text:
            return {}
        question: dict[str, object] = {"text": query.text}
        if query.messages:
            question["messages"] = [attrs.asdict(message) for message in query.messages]
        return {"query": question}

    def _append(self, row: dict[str, object]) -> None:
        # ASCII alone: lone surrogates have no UTF-8, and no reader can take a line break for the row's end.
        line = json.dumps(row, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        with self._lock:
            if self._max_bytes is None:
                self._write(line)
            else:
                self._write_within(self._max_bytes, line)

    def _write_within(self, max_bytes: int, line: bytes) -> None:
        """Append a line, and set the file aside before it where both are too long."""
        lock = self._path.with_name(f"{self._path.name}.lock")
        with contextlib.ExitStack() as held:
            # A file too long is better than a line lost: another process may hold the lock and not go on, or
            # the folder let no file be made or moved.
            with contextlib.suppress(CheckpointError, OSError):
                # Two processes that set the file aside at once would drop what the other has just written.
                held.enter_context(sole_writer(lock, _WAIT_S))
                self._make_room(len(line), max_bytes)
            self._write(line)

    def _write(self, line: bytes) -> None:
        """Append a line, and end the half line before it that a full disk or a killed process may have left.

        Raises:
            OSError: The line could not be written, or half of it.
        """
        # Opened for each line: a file that someone moved is begun anew, and forks share nothing. Unbuffered:
        # one call of the system writes all of it, so that lines of several processes do not mix.
        with self._path.open("ab+", buffering=0) as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            while line:
                line = line[file.write(line) :]

    def _make_room(self, size: int, max_bytes: int) -> None:
        """Set the file aside if `size` more bytes are too many for it."""
        try:
            length = self._path.stat().st_size
        except FileNotFoundError:
            return
        if length == 0 or length + size <= max_bytes:
            return
        for index in range(self._kept, 0, -1):
            older = self._aside(index - 1) if index > 1 else self._path
            if older.exists():
                older.replace(self._aside(index))
        if self._kept == 0:
            self._path.unlink()

    def _aside(self, index: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{index}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
