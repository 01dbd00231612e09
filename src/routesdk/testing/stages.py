"""Stages that executors are checked with: importable by name, on any machine."""

from __future__ import annotations

from pathlib import Path

FAILS = "this shard fails"
"""A shard with this text makes `shout` raise."""


def shout(shard: Path) -> Path:
    """Write the shard's text in capitals beside it, and return where.

    Raises:
        ValueError: The shard's text is `FAILS`.
    """
    text = shard.read_text(encoding="utf-8")
    if text == FAILS:
        raise ValueError(FAILS)
    output = shard.with_suffix(".out")
    output.write_text(text.upper(), encoding="utf-8")
    return output
