"""What a saved policy model may consist of, and what loading must refuse."""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from pathlib import Path

from routesdk.errors import CheckpointError
from routesdk.protocols import PolicyModel
from routesdk.testing.verdict import must_raise, require

_PROMISE = "a policy model is saved as safetensors and JSON, never as pickle or code"


def check_files(part: object, folder: Path) -> None:
    """Check that a folder holds safetensors and JSON alone, and tells nothing of the machine.

    Raises:
        AssertionError: A file is of another kind, or holds a local path.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    require(bool(files), part, "saves no file", _PROMISE)
    for file in files:
        name = file.relative_to(folder).as_posix()
        good = {".json": _is_json, ".safetensors": _is_safetensors}.get(file.suffix)
        require(good is not None, part, f"saves {name}", _PROMISE)
        # The name proves nothing: a pickle may be called model.safetensors.
        require(
            good is not None and good(file), part, f"saves {name}, which is not what it is called", _PROMISE
        )
        content = file.read_bytes()
        local = str(folder).encode() in content
        require(not local, part, f"writes a local path into {name}", "checkpoints hold no local path")


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


def check_loading(model: PolicyModel, folder: Path) -> None:
    """Check that damage is refused: a folder without files, and each file missing or cut in half.

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
        for damage in ("missing", "cut in half"):
            with tempfile.TemporaryDirectory(prefix="routesdk-check-") as name:
                copy = Path(shutil.copytree(folder, Path(name) / "copy"))
                harmed = copy / file.relative_to(folder)
                content = harmed.read_bytes()
                harmed.unlink()
                if damage != "missing":
                    harmed.write_bytes(content[: len(content) // 2])
                about = f"on loading a folder whose {harmed.name} is {damage}"
                must_raise(model, about, CheckpointError, model.load, copy)
