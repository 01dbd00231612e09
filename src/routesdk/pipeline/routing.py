"""Many queries routed as a stage: a file of queries in, a file of decisions out, on whatever machine."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import attrs
from attrs.validators import ge, le, optional

from routesdk.errors import ConfigError, DatasetError, InvalidQueryError
from routesdk.pipeline.inquiry import QUERY_KEYS, query_of_line, query_of_row
from routesdk.pretrained import bundled_names, load_router
from routesdk.record import decision_to_dict
from routesdk.router import Router
from routesdk.structure import structure, unstructure
from routesdk.types import Decision, Query

STAGE = "routesdk.pipeline.routing:route_file"
"""The stage's name: names and files cross machines, never closures."""

CHECKPOINTS_ENV = "ROUTESDK_CHECKPOINTS"
"""Environment variable that names a folder of checkpoints: a folder in it goes by its own name."""

JOB, QUERIES, CHECKPOINT = "job.json", "queries.jsonl", "checkpoint"
"""What a packed job holds: its settings, its queries, and the folder of a checkpoint that came along."""

_KEYS = QUERY_KEYS | {"large_share", "explain"}
# Enough for full speed, few enough for flat memory.
_CHUNK = 1024


@attrs.frozen(kw_only=True)
class RoutingJob:
    """How queries are to be routed.

    Attributes:
        checkpoint: A bundled router, the name of a folder in `ROUTESDK_CHECKPOINTS`, a folder, or a Hub id;
            unused where the job brings its checkpoint along.
        medium: Model that serves the lower tier; None for the checkpoint's own.
        large: Model that serves the upper tier; None for the checkpoint's own.
        large_share: Share of calls meant to go up; None for the checkpoint's own operating point.
        explain: Whether the policy model writes its reasons as well.
    """

    checkpoint: str = "default"
    medium: str | None = None
    large: str | None = None
    large_share: float | None = attrs.field(default=None, validator=optional([ge(0), le(1)]))
    explain: bool = False


def shelved(name: str) -> str:
    """Find a checkpoint by its name on the shelf of `ROUTESDK_CHECKPOINTS`; other names stay as they are."""
    shelf = os.environ.get(CHECKPOINTS_ENV)
    if not shelf or name in bundled_names():
        return name
    folder = (Path(shelf) / name).resolve()
    # A name is no path: what lies outside of the shelf is not on it.
    inside = Path(shelf).resolve() in folder.parents
    return str(folder) if inside and folder.is_dir() else name


def pack_job(file: Path, queries: Path, job: RoutingJob) -> Path:
    """Write queries and settings into one file, with the checkpoint where it is a folder on this machine.

    Args:
        file: The file to write, whose name must end with `.zip`.
        queries: A file of queries, one a line, as `routesdk route --file` reads it.
        job: The settings.

    Returns:
        The file.

    Raises:
        ConfigError: The name has another ending, or the queries cannot be read.
    """
    if file.suffix != ".zip":
        raise ConfigError("file", str(file), "does not end with .zip", "Name it like job.zip.")
    folder = Path(job.checkpoint)
    carried = job.checkpoint not in bundled_names() and folder.is_dir()
    settings = attrs.evolve(job, checkpoint=folder.resolve().name) if carried else job
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            _add(packed, JOB, json.dumps(unstructure(settings)).encode())
            _add(packed, QUERIES, queries.read_bytes())
            for each in sorted(folder.rglob("*")) if carried else ():
                if each.is_file():
                    _add(packed, f"{CHECKPOINT}/{each.relative_to(folder).as_posix()}", each.read_bytes())
    except OSError as error:
        raise ConfigError(
            "queries", str(queries), f"cannot be packed ({error})", "Check the paths."
        ) from error
    return file


def _add(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    # Without the time of day, the same job is the same file: an executor knows it again by its hash.
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    packed.writestr(entry, content)


def route_file(shard: Path) -> Path:
    """Decide every query of a file: the stage behind batch routing.

    Args:
        shard: What `pack_job` wrote; or a file of queries alone, one a line, for the bundled router.

    Returns:
        A JSONL file beside it, `NAME.decisions.jsonl`: the records that `routesdk route --json` writes, in
        the order of the queries.

    Raises:
        DatasetError: A line is no query; file and line are named.
        ConfigError: The job's settings cannot be read, or there is no query.
        RouteSDKError: The router cannot be loaded, or cannot decide.
    """
    output = shard.with_name(f"{shard.stem}.decisions.jsonl")
    with tempfile.TemporaryDirectory(prefix="routesdk-routing-") as name:
        job, queries, router = _open(shard, Path(name))
        written = Path(name) / output.name
        with queries.open("rb") as stream, written.open("w", encoding="ascii") as lines:
            for decision in _decide(router, job, _queries(stream, shard.name)):
                lines.write(json.dumps(decision_to_dict(decision)) + "\n")
        # Whole or not at all: a file that breaks off would pass for all the decisions.
        partial = output.with_name(f".{output.name}.partial")
        shutil.copyfile(written, partial)
        partial.replace(output)
    return output


def _open(shard: Path, folder: Path) -> tuple[RoutingJob, Path, Router]:
    if shard.suffix != ".zip":
        return RoutingJob(), shard, load_router("default")
    try:
        with zipfile.ZipFile(shard) as packed:
            packed.extractall(folder)
        job = structure(json.loads((folder / JOB).read_bytes()), RoutingJob, where="job", source=shard.name)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        problem = f"is no packed job ({type(error).__name__}: {error})"
        raise ConfigError("shard", shard.name, problem, "Pack it with `pack_job`.") from error
    carried = folder / CHECKPOINT
    checkpoint = carried if carried.is_dir() else shelved(job.checkpoint)
    return job, folder / QUERIES, load_router(checkpoint, medium=job.medium, large=job.large)


def _decide(router: Router, job: RoutingJob, queries: Iterator[Query]) -> Iterator[Decision]:
    while chunk := tuple(itertools.islice(queries, _CHUNK)):
        yield from router.route_batch(chunk, large_share=job.large_share, explain=job.explain)


def _queries(stream: BinaryIO, source: str) -> Iterator[Query]:
    found = False
    for number, raw in enumerate(stream, 1):
        # A byte that is no UTF-8 is routed like any other.
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors="surrogateescape").strip()
        if not text:
            continue
        try:
            yield query_of_line(text)
        except (InvalidQueryError, ValueError, RecursionError) as error:
            raise DatasetError(source, number, str(error).rstrip(".")) from error
        found = True
    if not found:
        raise ConfigError("query", source, "holds no query", "Write one a line.")


def decide_row(router: Router, row: object) -> dict[str, object]:
    """Decide one query that came as plain data, as over a wire.

    Args:
        router: Decides.
        row: An object with `query` or `messages`, and optionally `id`, `tags`, `large_share` and `explain`.

    Returns:
        The record of the decision.

    Raises:
        InvalidQueryError: It is no query.
        ConfigError: A key is unknown, or a value out of range.
        RouteSDKError: The router cannot decide.
    """
    query = query_of_row(row)
    assert isinstance(row, Mapping)  # or it would be no query
    for key in row:
        if key not in _KEYS:
            fix = f"Known: {', '.join(sorted(_KEYS))}."
            raise ConfigError(str(key), repr(row[key])[:40], "no such key", fix)
    given = {key: row[key] for key in ("large_share", "explain") if row.get(key) is not None}
    job = structure(given, RoutingJob, where="request")
    return decision_to_dict(router.route(query, large_share=job.large_share, explain=job.explain))
