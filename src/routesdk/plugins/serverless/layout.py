"""Where things lie on the volumes, for both ends: this machine, and the containers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import routesdk

ROOT = "/routesdk"
DATA = f"{ROOT}/data"
"""Where the data volume is mounted."""

CHECKPOINTS = f"{ROOT}/checkpoints"
"""Where the checkpoint volume is mounted."""

DATA_VOLUME_ENV = "ROUTESDK_DATA_VOLUME"
CHECKPOINT_VOLUME_ENV = "ROUTESDK_CHECKPOINT_VOLUME"
ENDPOINT_ENV = "ROUTESDK_ENDPOINT_CHECKPOINT"
EXPLAIN_ENV = "ROUTESDK_ENDPOINT_EXPLAIN"
"""Variables of the images: the volumes' names, what the endpoint routes with, and whether it explains."""

RUNS, IN, OUT, KEPT, REPORT = "runs", "in", "out", "kept", "report.json"
"""`runs/RUN/in/NAME` is what went in; `out` has what the stage wrote elsewhere, `kept` the latest copy of a
database, and `report.json` says that the stage came to its end."""

_BLOCK = 1 << 20


def fingerprint(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    for block in _blocks(file):
        digest.update(block)
    return digest.hexdigest()


def run_of(stage_name: str, shard: Path) -> str:
    """Name the run of a stage on a shard: the same for the same stage, routesdk, name and content."""
    digest = hashlib.sha256("\0".join((stage_name, routesdk.__version__, shard.name, "")).encode())
    for block in _blocks(shard):
        digest.update(block)
    return digest.hexdigest()[:32]


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        yield from iter(lambda: stream.read(_BLOCK), b"")
