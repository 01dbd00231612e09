"""Files that somebody changed by hand: refused, taken as they are, or put aside; never written over."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import routesdk
from routesdk.errors import ConfigError, EditedFilesError
from routesdk.pipeline.project.basis import facts_of
from routesdk.pipeline.project.fact import digest
from routesdk.pipeline.project.plan import Project, Stage
from routesdk.pipeline.project.record import StageRecord
from routesdk.pipeline.project.standing import Standing, State, look

REFUSE, KEEP, REPLACE = "refuse", "keep", "replace"
EDITS = (REFUSE, KEEP, REPLACE)
"""What to do with files that somebody changed by hand: nothing, take them as they are, or put them aside."""


def refuse_edits(project: Project, stages: Sequence[Stage]) -> None:
    """Refuse to go on where files were changed by hand.

    Raises:
        EditedFilesError: There are some.
    """
    found = [look(project, stage) for stage in stages]
    edited = [each for each in found if each.state is State.EDITED]
    if edited:
        raise refused(edited)


def refused(edited: Sequence[Standing]) -> EditedFilesError:
    """Say which files were changed by hand, and what to do."""
    files = tuple(path.as_posix() for each in edited for path in each.edited)
    return EditedFilesError(files, tuple(f"{each.stage.name}: {'; '.join(each.reasons)}" for each in edited))


def keep(project: Project, stage: Stage, standing: Standing) -> StageRecord:
    """Take a stage's files as they are for what it brings; returns what is remembered of it.

    Raises:
        ConfigError: Not all of them are there.
    """
    gone = [path.as_posix() for path in stage.outputs if not path.exists()]
    if gone:
        problem = f"cannot be kept: {', '.join(gone)} belongs to them, and is not there"
        fix = "Add it, or let the run put the others aside: --replace-edits."
        raise ConfigError("--keep-edits", ", ".join(map(str, standing.edited)), problem, fix)
    record = StageRecord(
        stage=stage.name,
        facts=facts_of(project, stage),
        outputs={place.as_posix(): digest(place) for place in stage.outputs},
        finished=now(),
        summary="files changed by hand, kept as they are",
        routesdk=routesdk.__version__,
        by_hand=True,
    )
    project.memory.write(record)
    return record


def put_aside(edited: Sequence[Path]) -> tuple[Path, ...]:
    """Give files another name beside the old one, so that nothing of them is lost."""
    found = []
    for path in edited:
        number = 1
        while (aside := path.with_name(f"{path.stem}.edited-{number}{path.suffix}")).exists():
            number += 1
        path.rename(aside)
        found.append(aside)
    return tuple(found)


def now() -> str:
    """Return the moment as text, in UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
