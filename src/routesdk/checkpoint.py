"""The files of a trained router: what they hold, how they are written, and how they are trusted.

A checkpoint is a folder with `router.json` (the manifest), `README.md` (its
model card), and a folder `model-…` with what the policy model wrote and with
the hashes of its training queries. The manifest names every file with its SHA-256 and is
replaced last and at once, so that a write that breaks off leaves the old
checkpoint whole. Nothing is pickled, and no code is ever loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import CheckpointError, ConfigError
from routesdk.manifest import SCHEMA_VERSION, FileRecord, Manifest
from routesdk.structure import structure, unstructure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MANIFEST = "router.json"
CARD = "README.md"
HASHES = "training_hashes.safetensors"

_SCRATCH = ".writing-"
_MODEL_FOLDER = re.compile(r"model-[0-9a-f]{12}")
_CODE_SUFFIXES = (
    *(".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt", ".npy", ".npz"),
    *(".py", ".pyc", ".so", ".dll"),
)
"""Files that are pickles, may hold pickles, or are code: loading one could run anything."""


@attrs.frozen(kw_only=True)
class Checkpoint:
    """A checkpoint on disk, its manifest read and its files found whole.

    Attributes:
        folder: Where it lies.
        manifest: What it says.
    """

    folder: Path
    manifest: Manifest

    @property
    def model_folder(self) -> Path:
        """The folder that the policy model loads itself from."""
        return self.folder / self.manifest.model_folder

    def training_hashes(self) -> NDArray[np.uint64]:
        """Return the sorted 64-bit hashes of the normalised queries that the router learned from."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = self.model_folder / HASHES
        try:
            hashes: NDArray[np.uint64] = load_file(file)["hashes"]
        except (OSError, SafetensorError, KeyError) as error:
            raise CheckpointError(str(file), f"holds no training hashes ({error})") from error
        return hashes


def write_checkpoint(
    folder: str | os.PathLike[str],
    manifest: Manifest,
    save_model: Callable[[Path], None],
    card: Callable[[Manifest], str],
    training_hashes: Sequence[int] | NDArray[np.uint64] = (),
) -> Checkpoint:
    """Write a checkpoint; an older one in the same folder stays whole until the new one is.

    Args:
        folder: Where to; made if it is missing.
        manifest: What to say; files, checksum and model folder are filled in.
        save_model: Called with an empty folder for the policy model's files.
        card: Renders the model card of the finished manifest.
        training_hashes: Hashes of the normalised training queries.

    Raises:
        CheckpointError: The folder cannot be written to, or holds something else.
    """
    target = Path(folder)
    try:
        _refuse_foreign(target)
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=target) as scratch:
            return _write(target, Path(scratch), manifest, save_model, card, training_hashes)
    except OSError as error:
        fix = "Nothing was replaced. Check space and permissions, and save again."
        raise CheckpointError(str(target), f"cannot be written ({error})", fix) from error


def _write(  # noqa: PLR0917 - the arguments of its one caller
    target: Path,
    scratch: Path,
    manifest: Manifest,
    save_model: Callable[[Path], None],
    card: Callable[[Manifest], str],
    training_hashes: Sequence[int] | NDArray[np.uint64],
) -> Checkpoint:
    import numpy as np
    from safetensors.numpy import save

    model = scratch / "model"
    model.mkdir()
    save_model(model)
    if not any(model.iterdir()):
        raise CheckpointError(str(target), "the policy model wrote no file", "Mend its `save`.")
    hashes = np.unique(np.asarray(training_hashes, dtype=np.uint64))
    _write_whole(model / HASHES, save({"hashes": hashes}))
    _refuse_code(model)
    _sync(model)
    records = _records(model)
    contents = json.dumps({path: record.sha256 for path, record in records.items()})
    # Named after its contents, the new folder never overwrites the one that the old manifest names.
    name = f"model-{hashlib.sha256(contents.encode()).hexdigest()[:12]}"
    files = {f"{name}/{path}": record for path, record in records.items()}
    finished = attrs.evolve(manifest, model_folder=name, files=files, checksum="")
    finished = attrs.evolve(finished, checksum=_checksum(unstructure(finished)))
    # A model's name may be any text, and a card with a replacement character is still a card.
    _write_whole(scratch / CARD, card(finished).encode("utf-8", "replace"))
    _write_whole(scratch / MANIFEST, (json.dumps(unstructure(finished), indent=1) + "\n").encode())
    # A folder of this name with these very files may be the old checkpoint's: it is kept, never rewritten.
    if _records(target / name) != records:
        if (target / name).exists():
            shutil.rmtree(target / name)
        model.rename(target / name)
    (scratch / CARD).replace(target / CARD)
    # This last step makes the new checkpoint the one that readers see.
    (scratch / MANIFEST).replace(target / MANIFEST)
    for stale in target.iterdir():
        if _MODEL_FOLDER.fullmatch(stale.name) and stale.name != name:
            # The new checkpoint is in place; a leftover that cannot be removed harms nobody.
            shutil.rmtree(stale, ignore_errors=True)
    return Checkpoint(folder=target, manifest=finished)


def read_checkpoint(folder: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint's manifest and check every file that it names.

    Raises:
        CheckpointError: The manifest or a file is missing, truncated, edited,
            foreign, or written by a newer routesdk; file and reason are named.
    """
    target = Path(folder)
    manifest = _read_manifest(target / MANIFEST)
    _check_places(target, manifest)
    for path, record in manifest.files.items():
        file = target / path
        try:
            found = _record(file)
        except OSError as error:
            raise CheckpointError(str(file), f"cannot be read ({error.strerror})") from error
        if found.bytes != record.bytes:
            raise CheckpointError(str(file), f"has {found.bytes} bytes where {record.bytes} were written")
        if found.sha256 != record.sha256:
            raise CheckpointError(str(file), "was changed since it was written: its SHA-256 differs")
    return Checkpoint(folder=target, manifest=manifest)


def _check_places(target: Path, manifest: Manifest) -> None:
    """Refuse a manifest that would have other files read than those of its own model folder.

    By name, not by where links lead: the Hub's cache keeps each file as a link.
    """
    folder = manifest.model_folder
    fix = "Do not trust this checkpoint."
    if not _MODEL_FOLDER.fullmatch(folder):
        raise CheckpointError(
            str(target / MANIFEST), f"names {folder!r}, which is no model folder of a checkpoint", fix
        )
    for path in manifest.files:
        parts = path.split("/")
        if parts[0] != folder or len(parts) < 2 or {"", ".", ".."} & set(parts) or "\\" in path:
            raise CheckpointError(str(target / path), "lies outside the checkpoint", fix)
    if f"{folder}/{HASHES}" not in manifest.files:
        raise CheckpointError(str(target / MANIFEST), f"does not vouch for {folder}/{HASHES}", fix)


def _read_manifest(file: Path) -> Manifest:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(str(file), f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(str(file), f"is no JSON, or was cut off ({error})") from error
    version = _version(data)
    if version is None:
        raise CheckpointError(str(file), "is not the manifest of a routesdk checkpoint")
    if version > SCHEMA_VERSION:
        fix = "Upgrade: pip install -U routesdk"
        raise CheckpointError(
            str(file), f"has schema version {version}; this routesdk reads {SCHEMA_VERSION}", fix
        )
    if data.get("checksum") != _checksum({**data, "checksum": ""}):
        raise CheckpointError(str(file), "was changed since it was written: its checksum differs")
    try:
        return structure(data, Manifest)
    except ConfigError as error:
        raise CheckpointError(str(file), str(error)) from error


def _version(data: object) -> int | None:
    """Return the schema version of a manifest, or None where the data is none."""
    if not isinstance(data, dict) or "policy_model" not in data:
        return None
    version = data.get("schema_version")
    return version if type(version) is int and version >= 1 else None


def _checksum(data: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _records(folder: Path) -> dict[str, FileRecord]:
    return {
        path.relative_to(folder).as_posix(): _record(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _record(file: Path) -> FileRecord:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(bytes=file.stat().st_size, sha256=digest)


def _write_whole(file: Path, data: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Have every file on the disk before a manifest vouches for it, readable to whom files here are."""
    mode = (folder / HASHES).stat().st_mode & 0o777
    for path in folder.rglob("*"):
        if path.is_file():
            # Some writers, safetensors' among them, leave files that nobody else may read.
            path.chmod(mode)
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _refuse_code(model: Path) -> None:
    """Refuse what a policy model must not write: pickles and code."""
    for path in model.rglob("*"):
        if path.suffix.lower() in _CODE_SUFFIXES:
            raise CheckpointError(
                path.name, "may hold code, as pickles do", "Let the policy model write safetensors and JSON."
            )


def _refuse_foreign(target: Path) -> None:
    """Refuse a folder with other things in it: saving removes files that it takes for its own."""
    if target.exists() and not target.is_dir():
        raise CheckpointError(str(target), "is a file", "Name a folder.")
    if not target.is_dir() or _is_ours(target):
        return
    raise CheckpointError(
        str(target),
        "is not empty and holds no checkpoint",
        "Name a new folder, or one that holds a checkpoint.",
    )


def _is_ours(target: Path) -> bool:
    """Tell whether a folder is empty, holds a checkpoint, or what a write left that broke off."""
    names = {path.name for path in target.iterdir() if not path.name.startswith(_SCRATCH)}
    models = {name for name in names if _MODEL_FOLDER.fullmatch(name)}
    if MANIFEST not in names:
        return not names - models - ({CARD} if models else set())
    try:
        return _version(json.loads((target / MANIFEST).read_text(encoding="utf-8"))) is not None
    except (ValueError, RecursionError):
        # A damaged manifest may be replaced where a model folder shows whose it was.
        return bool(models)
