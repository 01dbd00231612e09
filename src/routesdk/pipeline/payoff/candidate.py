"""The routers that are compared, and the checks that they can be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import attrs

from routesdk.errors import ConfigError
from routesdk.pipeline.leak import refuse_learned, require_hashes
from routesdk.router import Router
from routesdk.types import Example, Tier


@attrs.frozen(eq=False)
class Candidate:
    """A trained router under the name that a comparison gives it.

    Attributes:
        name: Such as `SFT`, `SFT + DPO`, `encoder` or `linear`.
        router: Its tiers are bound to models whose outcomes are on the rows.
        bytes: Its weights in memory, base model included, where the policy model says so
            (`held_bytes`); else its checkpoint's files, see `checkpoint_bytes`. None for neither.
        note: What a reader should know of it, such as its base model.

    Raises:
        ConfigError: The name is blank.
    """

    name: str
    router: Router
    bytes: int | None = None
    note: str = ""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigError("candidate.name", repr(self.name), "not a name", "Name it, such as 'linear'.")


def checkpoint_bytes(folder: str | os.PathLike[str]) -> int:
    """Add up the files of a checkpoint, in bytes.

    Raises:
        ConfigError: There is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ConfigError("folder", str(folder), "is no folder", "Give the folder of a saved router.")
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def check_names(candidates: Sequence[Candidate], taken: Sequence[str]) -> None:
    """Check that each candidate can be told from the others, and from the baselines.

    Raises:
        ConfigError: A name stands twice, or is a baseline's.
    """
    names = [candidate.name for candidate in candidates]
    for name in names:
        if names.count(name) > 1 or name in taken:
            owner = "a baseline has" if name in taken else "two candidates have"
            fix = "Give each candidate its own name."
            raise ConfigError("candidate.name", repr(name), f"is a name that {owner}", fix)


def common_tiers(candidates: Sequence[Candidate]) -> tuple[Tier, ...]:
    """Return the tiers that all candidates share.

    Raises:
        ConfigError: There are no candidates, or their tiers or models differ.
    """
    if not candidates:
        raise ConfigError("candidates", "none", "there is nothing to compare", "Give one or more.")
    first = candidates[0]
    for other in candidates[1:]:
        if other.router.tiers != first.router.tiers:
            theirs, ours = (
                ", ".join(f"{tier.name} {tier.model}" for tier in each.router.tiers)
                for each in (other, first)
            )
            problem = f"{other.name!r} routes between {theirs}, and {first.name!r} between {ours}"
            fix = "Bind all candidates to the same models: `from_pretrained(..., medium=..., large=...)`."
            raise ConfigError("candidate.router", repr(other.name), problem, fix)
    return first.router.tiers


def refuse_seen(candidates: Sequence[Candidate], rows: Sequence[Example]) -> None:
    """Refuse rows that a candidate learned from.

    Raises:
        ConfigError: A candidate has no hashes of what it learned from.
        LeakError: A candidate learned from rows; it names them.
    """
    for candidate in candidates:
        require_hashes(candidate.router, candidate.name)
        refuse_learned(candidate.router, rows, f"measuring {candidate.name!r}")
