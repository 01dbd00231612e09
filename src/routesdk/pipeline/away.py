"""Notes of shards that are on other machines: where each was sent, until it is home again.

A note lies beside its shard. It outlives the process that sent the shard, its config, and its version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from routesdk.errors import ExecutorError


def note_of(shard: Path) -> Path:
    """Return the file of a shard's note."""
    return shard.with_name(f"{shard.name}.away.json")


def note(shard: Path, executor: str, where: Mapping[str, str]) -> None:
    """Note that a shard is about to be sent away, or where exactly it is by now.

    Args:
        shard: The file.
        executor: Name of the executor that sends it.
        where: Whatever that executor needs to find it again.

    Raises:
        OSError: The note cannot be written.
    """
    partial = note_of(shard).with_suffix(".partial")
    partial.write_text(json.dumps({**where, "executor": executor}), encoding="utf-8")
    partial.replace(note_of(shard))


def noted(shard: Path) -> Mapping[str, str] | None:
    """Return what `note` wrote, with the executor as `executor`; None where the shard was not sent away."""
    try:
        found: Mapping[str, str] = json.loads(note_of(shard).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def forget(shard: Path) -> None:
    """Remove a note: what the shard had found out is home."""
    note_of(shard).unlink(missing_ok=True)


def check_executor(shard: Path, executor: str) -> None:
    """See that a shard is with no other executor than this one.

    Raises:
        ExecutorError: It is: what it found out over there would be given up unseen.
    """
    where = noted(shard)
    if where is not None and where["executor"] != executor:
        problem = f"{shard} was sent away by the executor {where['executor']!r}"
        fix = (
            f"Run once with that executor: it brings home what was paid for. "
            f"Or delete {note_of(shard)} to give that up."
        )
        raise ExecutorError(executor, problem, fix)
