"""The files of a trained router: what they hold, how they are written, and how they are trusted.

A checkpoint is a folder with `router.json` (the manifest), `README.md` (its
model card), and a folder `model-…` with what the policy model wrote, with the
hashes of its training queries, and with what tells queries unlike those. The
manifest names every file with its SHA-256 and is replaced last and at once, so
that a write that breaks off leaves the old checkpoint whole. Writers take
turns; whoever reads beside one starts over. Nothing is pickled, and no code is ever loaded.
"""

from __future__ import annotations

import contextlib
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

from routesdk._lock import sole_writer
from routesdk.errors import CheckpointError, ConfigError
from routesdk.manifest import SCHEMA_VERSION, FileRecord, Manifest, manifest_from_dict, manifest_to_dict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from routesdk.shift import ShiftScore

MANIFEST = "router.json"
CARD = "README.md"
HASHES = "training_hashes.safetensors"
SHIFT = "shift.safetensors"

_SCRATCH = ".writing-"
_LOCK = f"{_SCRATCH}lock"
_MODEL_FOLDER = re.compile(r"model-[0-9a-f]{12}")
_SUFFIXES = (".safetensors", ".json", ".txt", ".jinja", ".model", ".md", ".onnx")
"""What a policy model may write: weights, vocabularies, graphs and text, none of which holds code.

An ONNX file is a protocol buffer: a graph of a closed list of operators on arrays, and the arrays.
Unlike a pickle, reading it calls nothing by name, and none of the operators opens a connection or
starts a program. Arrays may lie in other files, which the graph names: who runs one must refuse it
where it does, as `encoder` does. An operator from elsewhere runs only where the process registers its
library, which routesdk never does. What a hostile graph can do is take time and memory, or be a
fault of onnxruntime away from more: as with a hostile safetensors file, only less far.
"""

_ONNX_START = b"\x08"
"""An ONNX file begins with its first field, the version; a pickle with 0x80 or text, an archive with PK."""

_WAIT_S = 10.0
"""Seconds that a writer waits for another one, which only moves finished files into place."""

_READS = 3
"""Times that a checkpoint is read, where writers replace it meanwhile."""


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

    def shift(self) -> ShiftScore | None:
        """Return what tells unlike queries from others; None for a checkpoint that was saved without it."""
        if f"{self.manifest.model_folder}/{SHIFT}" not in self.manifest.files:
            return None
        from routesdk.shift.store import read_shift

        return read_shift(self.model_folder / SHIFT)


def write_checkpoint(  # noqa: PLR0917 - what a checkpoint consists of, in its order
    folder: str | os.PathLike[str],
    manifest: Manifest,
    save_model: Callable[[Path], None],
    card: Callable[[Manifest], str],
    training_hashes: Sequence[int] | NDArray[np.uint64] = (),
    shift: ShiftScore | None = None,
) -> Checkpoint:
    """Write a checkpoint; an older one in the same folder stays whole until the new one is.

    Args:
        folder: Where to; made if it is missing.
        manifest: What to say; files, checksum and model folder are filled in.
        save_model: Called with an empty folder for the policy model's files.
        card: Renders the model card of the finished manifest.
        training_hashes: Hashes of the normalised training queries.
        shift: What tells queries that look unlike those; None for nothing.

    Raises:
        CheckpointError: The folder cannot be written to, holds something else,
            or another process goes on writing to it; or the policy model
            wrote a file that no checkpoint may hold.
    """
    target = Path(folder)
    try:
        _refuse_foreign(target)
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=target) as scratch:
            return _write(target, Path(scratch), manifest, save_model, card, training_hashes, shift)
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
    shift: ShiftScore | None = None,
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
    if shift is not None:
        from routesdk.shift.store import shift_bytes

        _write_whole(model / SHIFT, shift_bytes(shift))
    for path in model.rglob("*"):
        # The scratch folder is gone when somebody reads of it.
        _check_form(path, path.relative_to(model).as_posix())
    _sync(model)
    records = _records(model)
    contents = json.dumps({path: record.sha256 for path, record in records.items()})
    # Named after its contents, the new folder never overwrites the one that the old manifest names.
    name = f"model-{hashlib.sha256(contents.encode()).hexdigest()[:12]}"
    files = {f"{name}/{path}": record for path, record in records.items()}
    finished = attrs.evolve(manifest, model_folder=name, files=files, checksum="")
    try:
        finished = attrs.evolve(finished, checksum=_checksum(manifest_to_dict(finished)))
    except ValueError as error:
        fix = "Give finite numbers as options, calibration and evidence."
        raise CheckpointError(str(target), f"would hold what JSON has no word for ({error})", fix) from error
    # A model's name may be any text, and a card with a replacement character is still a card.
    _write_whole(scratch / CARD, card(finished).encode("utf-8", "replace"))
    _write_whole(scratch / MANIFEST, (json.dumps(manifest_to_dict(finished), indent=1) + "\n").encode())
    with sole_writer(target / _LOCK, _WAIT_S):
        _put_in_place(target, scratch, name, records)
    return Checkpoint(folder=target, manifest=finished)


def _put_in_place(target: Path, scratch: Path, name: str, records: Mapping[str, FileRecord]) -> None:
    """Move finished files to where readers see them, and remove what the old manifest named."""
    old = _named_folder(target / MANIFEST)
    # A folder of this name with these very files may be the old checkpoint's: it is kept, never rewritten.
    if _records(target / name) != records:
        if (target / name).exists():
            shutil.rmtree(target / name)
        (scratch / "model").rename(target / name)
    (scratch / CARD).replace(target / CARD)
    _sync_folder(target)
    # This last step makes the new checkpoint the one that readers see.
    (scratch / MANIFEST).replace(target / MANIFEST)
    # The new checkpoint is in place: a leftover that cannot be removed harms nobody.
    with contextlib.suppress(OSError):
        _sync_folder(target)
        # The folder of the replaced manifest and no other one: it alone is known to be nobody's any more.
        if old and old != name:
            shutil.rmtree(target / old, ignore_errors=True)


def _named_folder(file: Path) -> str:
    """Return the model folder that a manifest names; empty where there is none, or it is damaged."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    named = data.get("model_folder") if isinstance(data, dict) else None
    return named if isinstance(named, str) and _MODEL_FOLDER.fullmatch(named) else ""


def read_checkpoint(folder: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint's manifest and check every file that it names.

    Raises:
        CheckpointError: The manifest or a file is missing, truncated, edited,
            foreign, or written by a newer routesdk; file and reason are named.
    """
    target = Path(folder)
    seen = ""
    for _ in range(_READS):
        manifest = _read_manifest(target / MANIFEST)
        try:
            _check_places(target, manifest)
            _check_files(target, manifest)
            return Checkpoint(folder=target, manifest=manifest)
        except CheckpointError:
            # What a writer replaced meanwhile is whole in its new form; what stayed the same is damaged.
            if manifest.checksum == seen:
                raise
            seen = manifest.checksum
    raise CheckpointError(str(target), "was replaced each time that it was read", "Load it again.")


def _check_files(target: Path, manifest: Manifest) -> None:
    """Check that the model folder holds the files that the manifest names, byte for byte, and no others."""
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
        _check_form(file, str(file))
    for file in (target / manifest.model_folder).rglob("*"):
        # A policy model might read whatever lies there, and nobody vouches for it.
        folder = file.is_dir() and not file.is_symlink()
        if not folder and file.relative_to(target).as_posix() not in manifest.files:
            raise CheckpointError(str(file), "is not among the checkpoint's files", "Remove it.")


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
        data = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
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
        return manifest_from_dict(data)
    except ConfigError as error:
        raise CheckpointError(str(file), str(error)) from error


def _version(data: object) -> int | None:
    """Return the schema version of a manifest, or None where the data is none."""
    if not isinstance(data, dict) or "policy_model" not in data:
        return None
    version = data.get("schema_version")
    return version if type(version) is int and version >= 1 else None


def _checksum(data: Mapping[str, object]) -> str:
    text = json.dumps(data, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_constant(name: str) -> object:
    raise ValueError(f"it holds {name}, which other readers of JSON refuse")


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
    """Have every file and its name on the disk, readable as files here are, before a manifest names it."""
    mode = (folder / HASHES).stat().st_mode & 0o777
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            _sync_folder(path)
        elif path.is_file():
            # Some writers, safetensors' among them, leave files that nobody else may read.
            path.chmod(mode)
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; Windows opens no folder, and needs none of this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_form(file: Path, shown: str) -> None:
    """Refuse what a policy model must not write or read: pickles, code, and weights that are none."""
    from safetensors import SafetensorError, safe_open

    if file.is_dir():
        return
    fix = "Let the policy model write safetensors, JSON, ONNX and text."
    if file.suffix.lower() not in _SUFFIXES:
        problem = f"may hold code, as pickles do: its name ends in none of {', '.join(_SUFFIXES)}"
        raise CheckpointError(shown, problem, fix)
    if file.suffix.lower() == ".onnx":
        with file.open("rb") as stream:
            if stream.read(1) != _ONNX_START:
                raise CheckpointError(shown, "is no ONNX file", fix)
    if file.suffix.lower() == ".safetensors":
        try:
            with safe_open(file, framework="numpy"):
                pass
        except SafetensorError as error:
            raise CheckpointError(shown, f"is no safetensors file ({error})", fix) from error


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
