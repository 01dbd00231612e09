"""A journal as files: labelled rows, rows that were kept out, and a manifest of where all came from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections import Counter
from pathlib import Path

import attrs

import routesdk
from routesdk.config import OracleConfig
from routesdk.dataset import example_to_row, replacing
from routesdk.errors import ConfigError, JournalError
from routesdk.host import PluginHost
from routesdk.journal import JournalView, Work, names_a_path
from routesdk.pipeline.oracle.label import cell_name, label, usable
from routesdk.pipeline.oracle.plan import build_matrix
from routesdk.protocols import Matrix
from routesdk.structure import structure, unstructure
from routesdk.types import Outcome, PartConfig, Usage, from_nano

_MANIFEST_VERSION = 1


@attrs.frozen(kw_only=True)
class Exported:
    """What was written.

    Attributes:
        dataset: The labelled rows.
        kept_out: The rows without a label, or without a reason that may be used.
        manifest: Where all came from.
        rows: Labelled rows.
        rows_kept_out: Rows kept out.
    """

    dataset: Path
    kept_out: Path
    manifest: Path
    rows: int
    rows_kept_out: int


def stored_config(view: JournalView) -> OracleConfig:
    """Return the config that a journal's run was begun with.

    Raises:
        JournalError: No run was begun on it.
    """
    about = view.about()
    if "config" not in about:
        raise JournalError(
            str(view.path), "no run was begun on it", "Run `routesdk oracle generate` with it first."
        )
    return structure(json.loads(about["config"]), OracleConfig, source=str(view.path))


def stored_matrix(view: JournalView, host: PluginHost, part: PartConfig | None = None) -> Matrix:
    """Build the matrix of a journal's run, or another one for its tiers."""
    config = stored_config(view)
    return build_matrix(part or config.matrix, host, tuple(tier.name for tier in config.tiers))


def export(
    view: JournalView,
    dataset: str | os.PathLike[str],
    *,
    host: PluginHost | None = None,
    matrix: PartConfig | None = None,
) -> Exported:
    """Write the finished rows of a journal.

    A labelled row is one that the benchmark `recorded` reads, with `label`
    (policy, cell, reason) and `analysis` beside it. Rows that a tier has no
    grade for, and rows whose reason may not be used, go to a file of their own
    with the problem: no row is lost. The manifest names hashes, models,
    prompts, judge, matrix, versions and cost. The same journal gives the same
    bytes.

    Args:
        view: The journal.
        dataset: The file of labelled rows, ending in `.jsonl`; the two others
            are written beside it.
        host: Where the matrix is found; None loads built-in and installed parts.
        matrix: Another matrix than the run's.

    Raises:
        ConfigError: The file's name does not end in `.jsonl`, or it cannot be written.
        JournalError: The journal has no run.
    """
    file = Path(dataset)
    if file.suffix != ".jsonl":
        raise ConfigError("output", str(file), "does not end in .jsonl", "Write oracle_dataset.jsonl.")
    host = host or PluginHost()
    config = stored_config(view)
    part = matrix or config.matrix
    built = stored_matrix(view, host, part)
    other, manifest = file.with_suffix(".kept_out.jsonl"), file.with_suffix(".manifest.json")
    tally = _Tally()
    try:
        with view.snapshot(), replacing(file) as rows, replacing(other) as kept_out:
            for work in view.work():
                problem = usable(work)
                tally.count(work, built, problem)
                (kept_out if problem else rows).write(_line(work, built, problem))
            about = _manifest(view, attrs.evolve(config, matrix=part), built, tally)
        about["files"] = {name.name: _file(name) for name in (file, other)}
        with replacing(manifest) as text:
            text.write(json.dumps(about, indent=1).encode("ascii") + b"\n")
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise ConfigError("output", str(file), problem, "Choose another place, or make room.") from error
    return Exported(
        dataset=file,
        kept_out=other,
        manifest=manifest,
        rows=tally.labelled,
        rows_kept_out=tally.total - tally.labelled,
    )


def oracle_row(work: Work, matrix: Matrix) -> dict[str, object]:
    """Return a row as it is exported: question, reference, outcomes, and the label where it has one."""
    outcomes = {
        each.model: Outcome(
            model=each.model,
            grade=each.grade,
            answer=None if answer is None else answer.text,
            usage=None if answer is None or answer.usage == Usage() else answer.usage,
            reason=each.reason,
        )
        for each, answer in zip(work.outcomes, work.answers, strict=True)
        if each.grade is not None
    }
    row = example_to_row(attrs.evolve(work.row.example, outcomes=outcomes))
    found = label(work, matrix)
    if found is not None:
        row["label"] = {"policy": found.policy, "cell": cell_name(found.grades), "reason": found.reason}
    row["analysis"] = work.analysis
    return row


def _line(work: Work, matrix: Matrix, problem: str) -> bytes:
    row = oracle_row(work, matrix)
    if problem:
        row["problem"] = _public(problem)
        # What was said is evidence, too: an answer that nobody could grade can be graded later.
        row["ungraded"] = {
            each.model: {"answer": None if answer is None else answer.text, "reason": _public(each.reason)}
            for each, answer in zip(work.outcomes, work.answers, strict=True)
            if each.grade is None
        }
    return json.dumps(row, allow_nan=False).encode("ascii") + b"\n"


class _Tally:
    """Counts what the manifest says of the rows."""

    def __init__(self) -> None:
        self.total = self.labelled = 0
        self.cells: Counter[str] = Counter()
        self.policies: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.questions = hashlib.sha256()

    def count(self, work: Work, matrix: Matrix, problem: str) -> None:
        self.total += 1
        self.questions.update(json.dumps(example_to_row(work.row.example)).encode("ascii"))
        if problem:
            self.problems["no grade" if work.unscored else "the reason may not be used"] += 1
            return
        self.labelled += 1
        self.cells[cell_name(work.grades)] += 1
        self.policies[matrix.policy(work.grades).name] += 1


def _manifest(view: JournalView, config: OracleConfig, matrix: Matrix, tally: _Tally) -> dict[str, object]:
    about = view.about()
    done, total = view.counts()
    described = _without_folders(unstructure(config))
    return {
        "manifest_version": _MANIFEST_VERSION,
        "routesdk": routesdk.__version__,
        "python": platform.python_version(),
        "parts": json.loads(about.get("parts", "{}")),
        "config": described,
        "split": json.loads(about.get("split", "{}")),
        "questions_sha256": tally.questions.hexdigest(),
        "prompts": dict(view.prompts()),
        "policies": {
            policy.name: {"tier": policy.tier, "rows": tally.policies[policy.name]}
            for policy in matrix.policies
        },
        "cells": dict(sorted(tally.cells.items())),
        "rows": {"labelled": tally.labelled, "kept_out": dict(tally.problems), "unfinished": total - done},
        "cost": _cost(view),
    }


# A folder, and what stands before a file's name; what follows `//` or a word is part of an address.
_FOLDERS = re.compile(r"(?<![\w:/.])/(?:[^\s/'\":]+/)+(?=[^\s/'\":])")
_USER = re.compile(r"(?<=//)[^/@\s]+@")
# What people write for models, and models' names, are no paths.
_TEXTS = frozenset({"system", "model", "name"})


def _public(text: str) -> str:
    """Return a text without this machine's folders, and addresses without their users."""
    return _USER.sub("", _FOLDERS.sub("", text))


def _without_folders(config: dict[str, object]) -> dict[str, object]:
    """Return a config without this machine's folders: of files, their names remain."""

    def bare(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {key: bare(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [bare(item, key) for item in value]
        if not isinstance(value, str) or key in _TEXTS:
            return value
        # With blanks in it, no pattern would tell where a path ends.
        is_path = names_a_path(key) and Path(value).is_absolute()
        return Path(value).name if is_path else _public(value)

    return {key: bare(value, key) for key, value in config.items() if key != "journal"}


def _cost(view: JournalView) -> dict[str, object]:
    ledger = view.ledger()
    calls = [
        {
            "role": bill.role,
            "model": bill.model,
            "day": bill.day,
            "state": bill.state,
            "calls": bill.calls,
            "input_tokens": bill.input_tokens,
            "output_tokens": bill.output_tokens,
            "cost_usd": f"{from_nano(bill.cost_nano):f}",
            "unpriced": bill.unpriced,
        }
        for bill in view.bills()
    ]
    return {
        "settled_usd": f"{from_nano(ledger.settled_nano):f}",
        "at_most_usd": f"{from_nano(ledger.total_nano):f}",
        "calls": calls,
    }


def _file(file: Path) -> dict[str, object]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
            size += len(block)
    return {"bytes": size, "sha256": digest.hexdigest()}
