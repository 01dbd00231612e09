"""Decision logs, read back: decisions and answers in their order, over set-aside files, and joined."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias

import attrs

from routesdk.errors import ConfigError, InvalidQueryError
from routesdk.record import answer_from_dict, decision_from_dict
from routesdk.structure import structure
from routesdk.types import BROKEN_OFF, Answer, Decision, Message, Query


@attrs.frozen(kw_only=True)
class LoggedDecision:
    """A decision, as the observer `decision-log` wrote it.

    Attributes:
        time: When it was written.
        decision: What was decided; without texts, it has no explanation.
        query: What was asked; None where the log keeps no texts.
    """

    time: datetime
    decision: Decision
    query: Query | None = None


@attrs.frozen(kw_only=True)
class LoggedAnswer:
    """An answer, or a call that broke off and may have cost something.

    Attributes:
        time: When it was written.
        call_id: The call that it belongs to; its decision has the same.
        query_id: The query's id.
        policy: The policy that was decided.
        tier: The tier that was decided.
        model: The model that was called.
        answer: What it answered, with tokens and cost; its text is empty where the log keeps none.
        text_characters: Length of the text in characters, where the log keeps no texts.
        query: What was asked; None where the log keeps no texts.
        decision: The decision as it stood then, where a fallback was asked; else None.
        notices: What the reader of the decision should know.
    """

    time: datetime
    call_id: str
    query_id: str
    policy: str
    tier: str
    model: str
    answer: Answer
    text_characters: int | None = None
    query: Query | None = None
    decision: Decision | None = None
    notices: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the model came to its end; else the call was cancelled, or it failed."""
        return self.answer.finish_reason not in BROKEN_OFF


@attrs.frozen
class Unreadable:
    """A line that cannot be read, such as half a line that a killed process left.

    Attributes:
        source: The file.
        line: The line's number, from 1.
        problem: What is wrong with it.
    """

    source: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.problem}"


LogEntry: TypeAlias = LoggedDecision | LoggedAnswer | Unreadable


@attrs.frozen(kw_only=True)
class LoggedCall:
    """A decision with what became of it.

    Attributes:
        decided: The decision; None where its line was set aside and dropped, or cannot be read.
        answered: The answer; None where there is none.
        broken_off: Calls before that answer which broke off, oldest first: of the same
            model, or of those that a fallback stood in for.
    """

    decided: LoggedDecision | None
    answered: LoggedAnswer | None
    broken_off: tuple[LoggedAnswer, ...] = ()

    @property
    def decision(self) -> Decision | None:
        """The decision as it stood when the answer came: with its fallback and its notices."""
        if self.answered is None or self.decided is None:
            found = self.answered if self.decided is None else self.decided
            return None if found is None else found.decision
        first, last = self.decided.decision, self.answered
        return last.decision or attrs.evolve(first, notices=last.notices or first.notices)


FileIds: TypeAlias = set[tuple[int, int]]
"""Device and number of files that were read: names may stand for the same one."""


def read_log(path: str | os.PathLike[str], *, seen: FileIds | None = None) -> Iterator[LogEntry]:
    """Read a decision log with the files that were set aside, oldest line first.

    Lines that are written meanwhile may be missed; files that are set aside
    meanwhile are neither missed nor read twice.

    Args:
        path: The log; `path.1`, `path.2` and so on are what was set aside.
        seen: Files to leave out, since they were read before; those read now are added.

    Yields:
        Each decision and each answer, and in the place of a line that cannot
        be read an `Unreadable`: nothing is passed over in silence.

    Raises:
        ConfigError: There is no such file, or it cannot be read.
    """
    with ExitStack() as stack:
        try:
            files = _open(Path(path), stack, set() if seen is None else seen)
            for name, file in files:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _entry(line, str(name), number)
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
            raise ConfigError("log", str(path), problem, "Give the path of a decision log.") from error


def read_calls(path: str | os.PathLike[str]) -> Iterator[LoggedCall | Unreadable]:
    """Read a decision log, and join answers to their decisions by the id of the call.

    A call is yielded when its answer is read, a decision that led to no call
    at once. Those whose answer never came are held until the end.

    Args:
        path: The log, as for `read_log`.

    Raises:
        ConfigError: As for `read_log`.
    """
    waiting: dict[str, LoggedCall] = {}
    for entry in read_log(path):
        if isinstance(entry, Unreadable):
            yield entry
        elif isinstance(entry, LoggedDecision):
            call = LoggedCall(decided=entry, answered=None)
            if entry.decision.call_id:
                waiting[entry.decision.call_id] = call
            else:
                yield call
        elif entry.whole or not entry.call_id:
            call = waiting.pop(entry.call_id, LoggedCall(decided=None, answered=None))
            yield attrs.evolve(call, answered=entry)
        else:
            call = waiting.get(entry.call_id, LoggedCall(decided=None, answered=None))
            waiting[entry.call_id] = attrs.evolve(call, broken_off=(*call.broken_off, entry))
    yield from waiting.values()


def _open(path: Path, stack: ExitStack, seen: FileIds) -> list[tuple[Path, BinaryIO]]:
    """Open the log and what was set aside of it: oldest first, each file once."""
    found: list[tuple[Path, BinaryIO]] = []
    there = False
    # The newest first, until nothing new turns up: a file that is set aside meanwhile has the next name then.
    while True:
        before = len(found)
        for name in (path, *_aside(path)):
            try:
                file = stack.enter_context(name.open("rb"))
            except FileNotFoundError:
                continue
            status, there = os.fstat(file.fileno()), True
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                found.append((name, file))
        if len(found) == before:
            break
    if not there:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return found[::-1]


def _aside(path: Path) -> list[Path]:
    """List what was set aside of a log, the newest first."""
    if not path.parent.is_dir():
        return []
    ends = (each.name.removeprefix(f"{path.name}.") for each in path.parent.iterdir())
    numbers = sorted(int(end) for end in ends if end.isascii() and end.isdigit())
    return [path.with_name(f"{path.name}.{number}") for number in numbers]


@attrs.frozen(kw_only=True)
class _Question:
    text: str
    messages: tuple[Message, ...] = ()


@attrs.frozen(kw_only=True)
class _DecisionLine:
    event: str
    time: str
    decision: Mapping[str, object]
    query: _Question | None = None


@attrs.frozen(kw_only=True)
class _AnswerLine:
    event: str
    time: str
    call_id: str
    query_id: str
    policy: str
    tier: str
    model: str
    answer: Mapping[str, object]
    query: _Question | None = None
    decision: Mapping[str, object] | None = None
    notices: tuple[str, ...] = ()


def _entry(line: bytes, source: str, number: int) -> LogEntry:
    try:
        row = json.loads(line)
        event = row.get("event") if isinstance(row, dict) else None
        if event == "decision":
            return _decision(structure(row, _DecisionLine))
        if event == "answer":
            return _answer(structure(row, _AnswerLine))
    except (ValueError, OverflowError, RecursionError) as error:
        return Unreadable(source, number, f"it is no whole line of JSON ({error})")
    except (ConfigError, InvalidQueryError) as error:
        return Unreadable(source, number, str(error))
    return Unreadable(source, number, f"it is neither a decision nor an answer, but {str(event)[:40]!r}")


def _decision(line: _DecisionLine) -> LoggedDecision:
    decision = decision_from_dict(line.decision)
    return LoggedDecision(
        time=_time(line.time), decision=decision, query=_query(line.query, decision.query_id)
    )


def _answer(line: _AnswerLine) -> LoggedAnswer:
    record = dict(line.answer)
    characters = record.pop("text_characters", None)
    if characters is not None:
        record.setdefault("text", "")
    if not (characters is None or isinstance(characters, int)):
        raise ConfigError("text_characters", repr(characters)[:80], "is no number", "Leave logs as they are.")
    return LoggedAnswer(
        time=_time(line.time),
        call_id=line.call_id,
        query_id=line.query_id,
        policy=line.policy,
        tier=line.tier,
        model=line.model,
        answer=answer_from_dict(record),
        text_characters=characters,
        query=_query(line.query, line.query_id),
        decision=None if line.decision is None else decision_from_dict(line.decision),
        notices=line.notices,
    )


def _query(question: _Question | None, query_id: str) -> Query | None:
    return None if question is None else Query(question.text, question.messages, id=query_id)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
