"""The run: stage after stage, each only where something that it depends on has changed."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

import routesdk
from routesdk._lock import sole_writer
from routesdk.errors import ConfigError
from routesdk.pipeline.project import deed, plan
from routesdk.pipeline.project.basis import facts_of
from routesdk.pipeline.project.deed import Ears, Work
from routesdk.pipeline.project.edit import EDITS, KEEP, REFUSE, now, put_aside, refuse_edits, refused
from routesdk.pipeline.project.edit import keep as keep_edits
from routesdk.pipeline.project.fact import digest
from routesdk.pipeline.project.plan import Project, Stage, require_earlier
from routesdk.pipeline.project.record import Memory, StageRecord
from routesdk.pipeline.project.standing import State, look

BEGUN, KEPT, DONE = "begun", "kept", "done"


@attrs.frozen(kw_only=True)
class Step:
    """What a run did, or begins to do, with one stage.

    Attributes:
        stage: The stage's name.
        what: `begun`, `kept` (nothing that it depends on has changed) or `done`.
        reasons: Why it is run.
        summary: What it brought.
        seconds: How long it took.
        outputs: What it wrote.
        aside: Files changed by hand that were put aside.
    """

    stage: str
    what: str
    reasons: tuple[str, ...] = ()
    summary: str = ""
    seconds: float = 0.0
    outputs: tuple[Path, ...] = ()
    aside: tuple[Path, ...] = ()


Listener = Callable[[Step], None]


def run(
    project: Project,
    *,
    start: str | None = None,
    until: str | None = None,
    force: bool = False,
    edits: str = REFUSE,
    listen: Listener | None = None,
    ears: Ears | None = None,
    command: str = "",
    retry_unscored: bool = False,
) -> tuple[Step, ...]:
    """Run the stages of a project that have something to do.

    Killed and started again, it goes on: stages that are done are kept, calls that
    are settled are not paid for again, and training goes on from its last saved step. Until
    a stage's new files are whole, its old ones stay.

    Args:
        project: The project.
        start: The first stage; what lies before it is taken as it stands.
        until: The last stage.
        force: Whether stages are run even where nothing that they depend on has changed.
        edits: What to do with files that were changed by hand: one of `EDITS`.
        listen: Is told of every stage, before and after.
        ears: Who listens within the stages.
        command: The command that does all of it again, for the report.
        retry_unscored: Whether rows that ended without a grade, or without a reason that may be
            used, are tried again: the stages that make calls are then run in any case.

    Returns:
        What was done with each stage.

    Raises:
        EditedFilesError: Files were changed by hand, and it was not said what to do: nothing was run,
            or, where they were changed meanwhile, no more than the stages before them.
        ConfigError: A stage is unknown or not needed, the first comes after the last, files of
            earlier stages are missing, or another run is under way.
        RunStoppedError: Calls cannot go on; what is settled is kept.
        RouteSDKError: A stage failed.
        OSError: A file cannot be read or written; the earlier ones are still there.
    """
    if edits not in EDITS:
        raise ConfigError("edits", repr(edits), "no such choice", f"Write one of {', '.join(EDITS)}.")
    stages = project.span(start, until)
    with _alone(project.memory):
        project.memory.recover()
        require_earlier(stages)
        if edits == REFUSE:
            refuse_edits(project, stages)
        going = _Run(
            project=project,
            force=force,
            edits=edits,
            ears=ears or Ears(),
            tell=listen or _deaf,
            command=command,
            retry_unscored=retry_unscored,
        )
        return tuple(going.go_on(stage) for stage in stages)


@contextlib.contextmanager
def _alone(memory: Memory) -> Iterator[None]:
    """Let no other run work in this folder."""
    memory.folder.mkdir(parents=True, exist_ok=True)
    fix = "Wait for it, or stop it; this one can be started again at any time."
    busy = ConfigError("run", str(memory.folder), "another run is under way in this folder", fix)
    with sole_writer(memory.lock, 0.0, busy=busy):
        yield


@attrs.frozen(kw_only=True)
class _Run:
    """One run under way.

    Attributes:
        project: The project.
        force: Whether stages are run even where nothing has changed.
        edits: What to do with files that were changed by hand.
        ears: Who listens within the stages.
        tell: Is told of every stage.
        command: The command that does all of it again.
        retry_unscored: Whether rows without a grade are tried again.
    """

    project: Project
    force: bool
    edits: str
    ears: Ears
    tell: Listener
    command: str
    retry_unscored: bool

    def go_on(self, stage: Stage) -> Step:
        """Do what is to be done with one stage."""
        standing = look(self.project, stage)
        aside: tuple[Path, ...] = ()
        if standing.state is State.EDITED:
            if self.edits == REFUSE:
                # It was changed while this run was under way: what was said of others holds for it too.
                raise refused([standing])
            if self.edits == KEEP:
                record = keep_edits(self.project, stage, standing)
                return self._told(
                    Step(stage=stage.name, what=KEPT, summary=record.summary, outputs=stage.outputs)
                )
            aside = put_aside(standing.edited)
            standing = look(self.project, stage)
        found = standing.record
        again = self._why_again(stage)
        if standing.state is State.DONE and found is not None and not again:
            return self._told(Step(stage=stage.name, what=KEPT, summary=found.summary, outputs=stage.outputs))
        if found is not None and found.by_hand:
            # They were kept as somebody left them: what makes them anew must not lose them.
            aside = (*aside, *put_aside([path for path in stage.outputs if path.exists()]))
        reasons = standing.reasons or again
        self.tell(Step(stage=stage.name, what=BEGUN, reasons=reasons, aside=aside))
        step = self._carry_out(stage)
        return self._told(attrs.evolve(step, reasons=reasons, aside=(*aside, *step.aside)))

    def _why_again(self, stage: Stage) -> tuple[str, ...]:
        """Say why a stage is run though nothing has changed; empty where it is not."""
        if self.force:
            return ("it is run again as you asked",)
        calling = stage.name in (plan.ORACLE, plan.EVALUATE)
        return ("rows without a grade are tried again",) if self.retry_unscored and calling else ()

    def _told(self, step: Step) -> Step:
        self.tell(step)
        return step

    def _carry_out(self, stage: Stage) -> Step:
        """Run one stage, and put its files in place when all of them are whole."""
        project, memory, begun = self.project, self.project.memory, time.monotonic()
        # What it depends on is looked at before: whoever changes a file meanwhile makes it stale.
        facts = facts_of(project, stage)
        folder = memory.partial(stage.name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        work = Work(
            project=project,
            folder=folder,
            ears=self.ears,
            command=self.command,
            retry_unscored=self.retry_unscored,
        )
        summary = _deed(stage.name)(work)
        moves = {work.made(place): place for place in stage.outputs}
        seconds = time.monotonic() - begun
        record = StageRecord(
            stage=stage.name,
            facts=facts,
            outputs={place.as_posix(): digest(made) for made, place in moves.items()},
            finished=now(),
            seconds=round(seconds, 3),
            summary=summary,
            routesdk=routesdk.__version__,
        )
        # A stage may take hours, in which somebody changed its old files.
        aside = put_aside(look(project, stage).edited)
        memory.finish(record, moves)
        return Step(
            stage=stage.name,
            what=DONE,
            summary=summary,
            seconds=seconds,
            outputs=stage.outputs,
            aside=aside,
        )


def _deed(name: str) -> Callable[[Work], str]:
    if name in (plan.EVALUATE, plan.REPORT):
        # Measuring loads what whoever stops before it does without.
        from routesdk.pipeline.project import judge

        return judge.evaluate_router if name == plan.EVALUATE else judge.write_report
    deeds = {
        plan.DOWNLOAD: deed.download,
        plan.SPLIT: deed.split,
        plan.ORACLE: deed.oracle,
        plan.PREPARE: deed.prepare,
        plan.TRAIN: deed.train,
        plan.SFT: deed.sft,
        plan.DPO: deed.train,
    }
    return deeds[name]


def _deaf(_: Step) -> None:
    """Hear nothing."""
