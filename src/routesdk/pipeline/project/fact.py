"""What a stage depends on, as facts that can be compared: files by their content, config by its values."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from routesdk.host import PluginHost
from routesdk.journal import provider_id
from routesdk.structure import plain
from routesdk.types import PartConfig

Facts = Mapping[str, str]
"""What is depended on → its value: a digest for a file, JSON for a setting."""

MISSING = "missing"
"""The digest of what is not there."""

FILE = "file "
"""How the names of facts about files begin."""

_BUILTIN = "routesdk"
_HASH = "sha256:"


def digest(path: Path) -> str:
    """Hash a file, or a folder's files with their names; hidden ones do not count.

    Returns:
        `sha256:` and 64 hex digits, or `missing`.

    Raises:
        OSError: It cannot be read.
    """
    if path.is_dir():
        whole = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in relative.parts):
                whole.update(f"{relative.as_posix()}\x00{digest(file)}\n".encode())
        return f"sha256:{whole.hexdigest()}"
    try:
        found = path.stat()
    except FileNotFoundError:
        return MISSING
    return _content(str(path.resolve()), found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(maxsize=1024)
def _content(path: str, _changed: int, _size: int, _inode: int) -> str:
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def key_of(facts: Facts) -> str:
    """Hash facts: equal for equal inputs."""
    return hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode("ascii")).hexdigest()


def file_facts(files: Iterable[Path]) -> dict[str, str]:
    """Return a fact for each file or folder."""
    return {f"{FILE}{path.as_posix()}": digest(path) for path in files}


def setting_facts(table: str, settings: Mapping[str, object], names: Iterable[str]) -> dict[str, str]:
    """Return facts about settings of one table of the config.

    Args:
        table: Such as `oracle`.
        settings: Its plain values.
        names: Which of them matter.
    """
    return {f"{table}.{name}": json.dumps(plain(settings[name]), sort_keys=True) for name in names}


def part_fact(host: PluginHost, kind: str, part: PartConfig) -> str:
    """Describe a part: its name, what of its options matters, and its version where an outsider brings it.

    Of a file that an option names, the content counts, and not where it lies. Parts of
    routesdk's own are versioned by what they write: prompts and forms.
    """
    told = provider_id(part)
    if part.name in host.names(kind):
        offered = host.find(kind, part.name)
        if offered.distribution != _BUILTIN:
            told += f" of {offered.distribution} {offered.version}".rstrip()
    return told


def differences(before: Facts, now: Facts) -> tuple[str, ...]:
    """Say in a clause each what differs between two sets of facts."""
    found = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new = before.get(name), now.get(name)
        if old != new:
            found.append(_difference(name, old, new))
    return tuple(found)


def _difference(name: str, old: str | None, new: str | None) -> str:
    if name.startswith(FILE):
        path = name.removeprefix(FILE)
        if new is None or old is None:
            return f"{path} is {'no longer' if new is None else 'now'} read"
        return f"{path} is missing" if new == MISSING else f"{path} has changed"
    if old is None or new is None:
        return f"{name} is {'new' if old is None else 'gone'}"
    if name in ("the judge's prompt", "the analyst's prompt"):
        return f"{name} is {new or 'none'}, was {old or 'none'}"
    (part, options), (was, earlier) = _taken_apart(new), _taken_apart(old)
    if part != was or options == earlier:
        return f"{name} is {_short(part or new)}, was {_short(was or old)}"
    keys = [key for key in sorted({*options, *earlier}) if options.get(key) != earlier.get(key)]
    return "; ".join(_option(f"{name}.{key}", options.get(key), earlier.get(key)) for key in keys)


def _taken_apart(value: str) -> tuple[str, Mapping[str, object]]:
    """Return the name of a part, with its options; a table is options without a name."""
    name, brace, rest = value.partition("{") if value.startswith("{") else value.partition(" {")
    if brace:
        with contextlib.suppress(ValueError):
            options, end = json.JSONDecoder().raw_decode("{" + rest)
            return name + rest[end - 1 :], options
    return value, {}


def _option(name: str, new: object, old: object) -> str:
    if any(isinstance(value, str) and value.startswith(_HASH) for value in (new, old)):
        return f"the file that {name} names has changed, or is missing"
    shown = ["not set" if value is None else _short(json.dumps(value)) for value in (new, old)]
    return f"{name} is {shown[0]}, was {shown[1]}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
