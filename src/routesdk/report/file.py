"""Writes a report into a file."""

from __future__ import annotations

import os
from pathlib import Path

from routesdk.dataset import replacing


def write_text(text: str, file: str | os.PathLike[str]) -> Path:
    """Write a text into a file, whole or not at all.

    Args:
        text: The text.
        file: Where to; its folder is made, and what stood there is replaced.

    Raises:
        OSError: The file cannot be written.
    """
    target = Path(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as raw:
        raw.write(text.encode("utf-8"))
    return target
