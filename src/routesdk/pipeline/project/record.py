"""What a run remembers of each stage, and how a stage's files come into place: all of them, or none."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs

from routesdk.dataset import replacing
from routesdk.errors import ConfigError
from routesdk.structure import structure, unstructure
from routesdk.types import FrozenMapping, frozen

_VERSION = 1


@attrs.frozen(kw_only=True)
class StageRecord:
    """What is remembered of a stage that came to its end.

    Attributes:
        stage: Its name.
        facts: What it depended on.
        outputs: File or folder → its digest.
        finished: When, in UTC.
        seconds: How long it took.
        summary: What it brought, in a clause.
        routesdk: The version that ran it.
        by_hand: Whether its files are those of somebody who told a run to take them as they are.
        version: Version of this form.
    """

    stage: str
    facts: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=frozen)
    outputs: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=frozen)
    finished: str = ""
    seconds: float = 0.0
    summary: str = ""
    routesdk: str = ""
    by_hand: bool = False
    version: int = _VERSION


@attrs.frozen(kw_only=True)
class _Pending:
    """A stage whose files are whole, and on their way to their places.

    Attributes:
        record: What will be remembered of it.
        moves: Where each file lies → where it belongs.
    """

    record: StageRecord
    moves: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=frozen)


@attrs.frozen
class Memory:
    """The records of a project, in a folder of its own.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """The file that one run at a time holds."""
        return self.folder / "run.lock"

    def partial(self, stage: str) -> Path:
        """Return the folder in which a stage's files are made."""
        return self.folder / "partial" / stage

    def read(self, stage: str) -> StageRecord | None:
        """Return what is remembered of a stage; None where nothing is.

        Raises:
            ConfigError: The record cannot be read.
        """
        found = self._load(self.folder / "stages" / f"{stage}.json")
        return None if found is None else structure(found, StageRecord, source=f"{stage}.json")

    def write(self, record: StageRecord) -> None:
        """Remember a stage.

        Raises:
            OSError: The record cannot be written.
        """
        self._store(self.folder / "stages" / f"{record.stage}.json", unstructure(record))

    def finish(self, record: StageRecord, moves: Mapping[Path, Path]) -> None:
        """Put a stage's files into their places, and remember it.

        Killed in the middle, `recover` goes on: from the moment that all files are whole,
        either the old ones are there, or the new ones will be.

        Args:
            record: What is to be remembered.
            moves: Where each file lies → where it belongs.

        Raises:
            OSError: A file cannot be moved.
        """
        told = {source.as_posix(): target.as_posix() for source, target in moves.items()}
        self._store(self._pending, unstructure(_Pending(record=record, moves=told)))
        self.recover()

    def recover(self) -> str:
        """Go on where an earlier run was killed while it moved files.

        Returns:
            The stage; empty where there was none.

        Raises:
            ConfigError: What was noted of it cannot be read.
            OSError: A file cannot be moved.
        """
        found = self._load(self._pending)
        if found is None:
            return ""
        pending = structure(found, _Pending, source=str(self._pending))
        for source, target in pending.moves.items():
            if Path(source).exists():
                _place(Path(source), Path(target), self.folder / "replaced")
        self.write(pending.record)
        self._pending.unlink()
        shutil.rmtree(self.partial(pending.record.stage), ignore_errors=True)
        return pending.record.stage

    def moving(self) -> str:
        """Name the stage whose files were being moved when a run was killed; empty for none."""
        found = self._load(self._pending)
        return "" if found is None else structure(found, _Pending).record.stage

    @property
    def _pending(self) -> Path:
        return self.folder / "pending.json"

    def _load(self, file: Path) -> dict[str, object] | None:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            problem = f"cannot be read ({error})"
            fix = "Remove this file: its stage is then looked at anew, and no result is lost."
            raise ConfigError("record", str(file), problem, fix) from error
        if not isinstance(found, dict) or found.get("version", _VERSION) != _VERSION:
            problem, fix = "is of another version of routesdk", "Remove this file, or use that version."
            raise ConfigError("record", str(file), problem, fix)
        return found

    def _store(self, file: Path, data: Mapping[str, object]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as raw:
            raw.write(json.dumps(data, indent=1).encode("ascii") + b"\n")
            # A power cut must not leave a name without a content.
            raw.flush()
            os.fsync(raw.fileno())


def _place(source: Path, target: Path, replaced: Path) -> None:
    """Move a file or a folder to its place, whatever lies there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and target.is_dir():
        shutil.rmtree(replaced, ignore_errors=True)
        shutil.move(target, replaced)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The place is on another disk: copied beside it first, so that it appears whole.
        beside = target.with_name(f".{target.name}.partial")
        shutil.rmtree(beside, ignore_errors=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, beside)
        beside.replace(target)
    shutil.rmtree(replaced, ignore_errors=True)
