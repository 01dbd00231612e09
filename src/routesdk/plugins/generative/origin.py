"""Where a base model comes from: a folder or the Hub, to the commit, and how it is known again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from pathlib import Path

import attrs
import transformers

from routesdk.errors import CheckpointError, TrainingError

BASES_ENV = "ROUTESDK_BASE_MODELS"
"""Environment variable: a folder in which base models lie by name, for checkpoints trained on a folder."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAME = re.compile(r"[^/\\]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAMPLE = 1 << 16
"""Bytes that are read at the beginning and at the end of each file of weights."""


@attrs.frozen(kw_only=True)
class BaseRecord:
    """Which base model a router stands on.

    Attributes:
        name: Hub id, or the name of the folder that it was loaded from.
        revision: Commit on the Hub; empty for a folder.
        hub: Whether `name` is an id of the Hub.
        fingerprint: See `fingerprint`.
        family: The model type, such as `gemma2`.
        parameters: How many weights it has.
    """

    name: str
    revision: str
    hub: bool
    fingerprint: str
    family: str
    parameters: int


@attrs.frozen(kw_only=True)
class Origin:
    """Where the files of a base model are.

    Attributes:
        name: Hub id, or the folder's name.
        place: What transformers loads: the folder, or the Hub id.
        revision: Commit on the Hub; None for a folder.
        folder: The folder of its files: on the Hub's side, that of the cache.
        hub: Whether it comes from the Hub.
    """

    name: str
    place: str
    revision: str | None
    folder: Path
    hub: bool


def find_origin(name: str, revision: str | None) -> Origin:
    """Find a base model, and of one on the Hub the commit that a branch or tag stands for.

    Args:
        name: Folder or Hub id.
        revision: Branch, tag or commit on the Hub; None for the newest.

    Raises:
        TrainingError: It is neither.
        OSError: The Hub cannot deliver it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Origin(name=folder.resolve().name, place=str(folder), revision=None, folder=folder, hub=False)
    if not _HUB_ID.fullmatch(name):
        problem = f"there is no folder {name!r}, and it is no id of the Hub"
        raise TrainingError("generative", problem, "Check base_model; a Hub id reads 'owner/name'.")
    config = transformers.utils.cached_file(name, "config.json", revision=revision)
    cached = Path(str(config)).parent
    commit = cached.name if _COMMIT.fullmatch(cached.name) else revision
    return Origin(name=name, place=name, revision=commit, folder=cached, hub=True)


def find_base(record: BaseRecord, given: str | None) -> tuple[str, str | None]:
    """Return where the base model of a checkpoint is, and its revision.

    A folder that is given comes first, then one of its name in the folder that
    `ROUTESDK_BASE_MODELS` names, then the Hub.

    Raises:
        CheckpointError: It was trained on a folder, and nothing says where that is; or
            the checkpoint names what is no name of a base model.
    """
    if given:
        return given, None
    if not (_HUB_ID if record.hub else _NAME).fullmatch(record.name) or record.name in (".", ".."):
        raise CheckpointError(record.name, "is no name of a base model", "Do not trust this checkpoint.")
    shelf = os.environ.get(BASES_ENV)
    if shelf:
        for here in (Path(shelf) / record.name, Path(shelf) / record.name.rpartition("/")[2]):
            if here.is_dir():
                return str(here), None
    if record.hub:
        return record.name, record.revision or None
    problem = f"needs its base model {record.name!r}, which was a folder when it was trained"
    fix = f"Give model_options={{'base_model': FOLDER}}, set {BASES_ENV}, or merge the checkpoint."
    raise CheckpointError(record.name, problem, fix)


def check_base(record: BaseRecord, found: BaseRecord) -> None:
    """Refuse another base model than the one that the adapter was trained on.

    Raises:
        CheckpointError: Its config or its weights differ.
    """
    if record.fingerprint != found.fingerprint:
        problem = f"is not the base model {record.name!r} that the adapter was trained on: its files differ"
        raise CheckpointError(found.name, problem, "Give the very model, or train again.")


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 over a model's config, and over the beginning and the end of its weights.

    Of each file of weights that the index names, the header (names, types, shapes) and
    64 KiB at either end of the numbers are read: reading gigabytes at each start would
    cost more than it tells. The tokenizer is left out, for a checkpoint has its own.
    """
    digest = hashlib.sha256(_config(folder))
    for name in _weight_files(folder):
        file = folder / name
        if not file.is_file():
            continue
        with file.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            digest.update(stream.read(size))
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(stream.tell(), file.stat().st_size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()


def content_hash(folder: Path) -> str:
    """Return the SHA-256 over all files of a folder, such as an adapter's.

    Raises:
        CheckpointError: A file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise CheckpointError(str(folder), f"cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _config(folder: Path) -> bytes:
    """Return a config without what the library that saved it adds: its version, and where it read it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    added = ("transformers_version", "_name_or_path")
    return json.dumps(
        {key: value for key, value in config.items() if key not in added}, sort_keys=True
    ).encode()


def _weight_files(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    return ["model.safetensors"]
