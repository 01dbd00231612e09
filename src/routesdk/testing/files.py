"""What a saved policy model may consist of, and what loading must refuse."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from routesdk.errors import CheckpointError
from routesdk.protocols import PolicyModel
from routesdk.testing.verdict import must_raise, require

_PROMISE = "a policy model is saved as safetensors, JSON, ONNX and text, never as pickle or code"


def check_files(part: object, folder: Path) -> None:
    """Check that a folder holds safetensors, JSON, ONNX and a tokenizer's files alone, and no path.

    Raises:
        AssertionError: A file is of another kind, or holds a local path.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    require(bool(files), part, "saves no file", _PROMISE)
    for file in files:
        name = file.relative_to(folder).as_posix()
        good = _KINDS.get(file.suffix.lower())
        require(good is not None, part, f"saves {name}", _PROMISE)
        # The name proves nothing: a pickle may be called model.safetensors.
        require(
            good is not None and good(file), part, f"saves {name}, which is not what it is called", _PROMISE
        )
        content = file.read_bytes()
        local = str(folder).encode() in content
        require(not local, part, f"writes a local path into {name}", "checkpoints hold no local path")


def _is_text(file: Path) -> bool:
    try:
        return "\0" not in file.read_text(encoding="utf-8")
    except ValueError:
        return False


def _is_tokenizer(file: Path) -> bool:
    # SentencePiece writes a protocol buffer, whose first field is its list of pieces. A pickle begins
    # with its protocol (0x80), or in protocol 0 with printable text; an archive with PK.
    return file.read_bytes()[:1] == b"\x0a"


def _is_onnx(file: Path) -> bool:
    # A protocol buffer, too; its first field is a version, a small number.
    return file.read_bytes()[:1] == b"\x08"


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _is_safetensors(file: Path) -> bool:
    content = file.read_bytes()
    if len(content) < 8:
        return False
    (length,) = struct.unpack("<Q", content[:8])
    try:
        header = json.loads(content[8 : 8 + length])
    except ValueError:
        return False
    return isinstance(header, dict)


_KINDS: Mapping[str, Callable[[Path], bool]] = {
    ".json": _is_json,
    ".safetensors": _is_safetensors,
    ".txt": _is_text,
    ".jinja": _is_text,
    ".md": _is_text,
    ".model": _is_tokenizer,
    ".onnx": _is_onnx,
}
"""Suffix of a file that a checkpoint may hold → whether the content is what the suffix says."""

# Vocabularies and templates have no end of their own, and a card says nothing that loading needs.
_MAY_BE_CUT = (".txt", ".jinja", ".md")


def check_loading(model: PolicyModel, folder: Path) -> None:
    """Check that damage is refused: a folder without files, and each file missing or cut in half.

    Text files are left alone: loading may do without them, and half a text is a text.

    Args:
        model: The policy model whose `load` is asked.
        folder: What its `save` wrote.

    Raises:
        AssertionError: Damage is loaded, or raises anything but `CheckpointError`.
    """
    with tempfile.TemporaryDirectory(prefix="routesdk-check-") as name:
        must_raise(model, "on loading an empty folder", CheckpointError, model.load, Path(name))
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        for damage in () if file.suffix.lower() in _MAY_BE_CUT else ("missing", "cut in half"):
            with tempfile.TemporaryDirectory(prefix="routesdk-check-") as name:
                copy = Path(shutil.copytree(folder, Path(name) / "copy"))
                harmed = copy / file.relative_to(folder)
                content = harmed.read_bytes()
                harmed.unlink()
                if damage != "missing":
                    harmed.write_bytes(content[: len(content) // 2])
                about = f"on loading a folder whose {harmed.name} is {damage}"
                must_raise(model, about, CheckpointError, model.load, copy)
