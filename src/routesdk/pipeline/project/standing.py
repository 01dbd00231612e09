"""How a stage stands: done, stale and why, never run, or changed by hand."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from routesdk.pipeline.project.basis import facts_of
from routesdk.pipeline.project.fact import MISSING, Facts, differences, digest
from routesdk.pipeline.project.plan import Project, Stage
from routesdk.pipeline.project.record import StageRecord


class State(enum.Enum):
    """How a stage stands."""

    DONE = "done"
    STALE = "stale"
    NEW = "not run yet"
    UNFINISHED = "unfinished"
    EDITED = "changed by hand"
    WAITING = "waiting"
    IDLE = "not needed"


@attrs.frozen(kw_only=True)
class Standing:
    """How one stage stands.

    Attributes:
        stage: The stage.
        state: How it stands.
        reasons: Why, a clause each.
        edited: Its files that are not as a run left them.
        record: What is remembered of it; None where it never came to its end.
    """

    stage: Stage
    state: State
    reasons: tuple[str, ...] = ()
    edited: tuple[Path, ...] = ()
    record: StageRecord | None = attrs.field(default=None, repr=False)

    @property
    def must_run(self) -> bool:
        """Whether a run has something to do."""
        return self.state in (State.STALE, State.NEW, State.UNFINISHED, State.WAITING)


def status(project: Project, stages: Sequence[Stage] | None = None) -> tuple[Standing, ...]:
    """Say of every stage how it stands; nothing is run or written.

    A stage behind one that is to be run waits: whether it must be run again
    shows when the earlier one has, for equal files are equal inputs.

    Args:
        project: The project.
        stages: These stages alone, the others taken as they are; None for all.

    Raises:
        OSError: A file cannot be read.
        ConfigError: A record cannot be read, or the config names a part that there is not.
    """
    found: list[Standing] = []
    for stage in project.stages if stages is None else stages:
        standing = look(project, stage)
        behind = _behind(stage, found)
        if behind and standing.state is State.DONE:
            standing = attrs.evolve(standing, state=State.WAITING, reasons=(_wait(behind),))
        found.append(standing)
    return tuple(found)


def look(project: Project, stage: Stage) -> Standing:
    """Say of one stage how it stands by itself, whatever the ones before it do.

    Raises:
        OSError: A file cannot be read.
        ConfigError: A record cannot be read, or the config names a part that there is not.
    """
    if stage.idle:
        return Standing(stage=stage, state=State.IDLE, reasons=(stage.idle,))
    memory = project.memory
    record = memory.read(stage.name)
    if memory.moving() == stage.name:
        reason = "a run was ended while it put the files into their places; the next run ends that first"
        return Standing(stage=stage, state=State.UNFINISHED, reasons=(reason,), record=record)
    edited = tuple(_edited(stage, record))
    if edited:
        return Standing(
            stage=stage, state=State.EDITED, reasons=_by_hand(edited, record), edited=edited, record=record
        )
    if record is None:
        if memory.partial(stage.name).is_dir():
            reasons: tuple[str, ...] = ("it was begun, and has not come to its end; the next run goes on",)
            return Standing(stage=stage, state=State.UNFINISHED, reasons=reasons)
        return Standing(stage=stage, state=State.NEW)
    return _compared(stage, record, facts_of(project, stage), begun=memory.partial(stage.name).is_dir())


def _compared(stage: Stage, record: StageRecord, now: Facts, *, begun: bool) -> Standing:
    reasons = differences(record.facts, now)
    missing = [path for path in stage.outputs if digest(path) == MISSING]
    gone = tuple(f"{path.as_posix()} is missing" for path in missing)
    if not reasons and not gone:
        return Standing(stage=stage, state=State.DONE, record=record)
    if record.by_hand and reasons:
        # They were kept once, on other grounds: whether they still hold is for their owner to say.
        return Standing(
            stage=stage,
            state=State.EDITED,
            reasons=("a run was told to keep its files as they are, and since then:", *reasons),
            edited=tuple(path for path in stage.outputs if path not in missing),
            record=record,
        )
    state = State.UNFINISHED if begun else State.STALE
    return Standing(stage=stage, state=state, reasons=(*gone, *reasons), record=record)


def _edited(stage: Stage, record: StageRecord | None) -> Iterable[Path]:
    """Find what lies at a stage's places and is not what a run left there."""
    for path in stage.outputs:
        now = digest(path)
        if now != MISSING and (record is None or record.outputs.get(path.as_posix()) != now):
            yield path


def _by_hand(edited: tuple[Path, ...], record: StageRecord | None) -> tuple[str, ...]:
    names = ", ".join(path.as_posix() for path in edited)
    one = len(edited) == 1
    if record is None:
        return (f"{names} {'lies' if one else 'lie'} there, and no run wrote {'it' if one else 'them'}",)
    return (f"{names} {'was' if one else 'were'} changed after the run that wrote {'it' if one else 'them'}",)


def _behind(stage: Stage, earlier: list[Standing]) -> tuple[str, ...]:
    """Name the stages that are to be run, and that this one reads from, directly or not."""
    needed = set(stage.needs)
    return tuple(
        each.stage.name
        for each in earlier
        if (each.must_run or each.state is State.EDITED) and needed & set(each.stage.outputs)
    )


def _wait(names: tuple[str, ...]) -> str:
    verb = "is" if len(names) == 1 else "are"
    return f"{', '.join(names)} {verb} to be run first; whether this must be run again shows then"
