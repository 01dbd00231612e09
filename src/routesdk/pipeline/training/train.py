"""From an oracle to a checkpoint: divided, trained, calibrated, compared on validation rows, saved."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import attrs
import numpy as np

from routesdk.config import TrainConfig
from routesdk.dataset import read_examples
from routesdk.errors import RouteSDKError, TrainingError
from routesdk.host import PluginHost
from routesdk.manifest import Calibration, Detail, Evidence, PartRecord, SourceRecord
from routesdk.pipeline.oracle.plan import build_matrix
from routesdk.pipeline.payoff import (
    Candidate,
    Failure,
    Payoff,
    Verdict,
    checkpoint_bytes,
    grade_chances,
    measure,
    metric_records,
    to_record,
    verdict,
)
from routesdk.pipeline.shift import learn_shift_of
from routesdk.pipeline.training.chain import Link, links
from routesdk.pipeline.training.data import TrainingData, divide_data, manifest_tiers
from routesdk.pretrained import assemble_router
from routesdk.protocols import Matrix, PolicyModel
from routesdk.router import Router
from routesdk.types import Grade, PartConfig, TrainJob, TrainProgress

_T = TypeVar("_T")

Listener = Callable[[TrainProgress], None]

PAYOFF = "payoff.json"
"""Where a training writes how its routers do, within its work folder."""


@attrs.frozen(kw_only=True, eq=False)
class Trained:
    """What a training brought.

    Attributes:
        router: The router that was saved.
        folder: Its checkpoint.
        payoff: How it and the others do on validation rows.
        verdict: Which one to ship, and why.
        candidates: All routers that were trained, with their sizes.
    """

    router: Router
    folder: Path
    payoff: Payoff
    verdict: Verdict
    candidates: tuple[Candidate, ...]


def train_router(
    config: TrainConfig, *, host: PluginHost | None = None, listen: Listener | None = None
) -> Trained:
    """Train the router that a config describes, on this machine.

    Killed and started again with the same config, it goes on: trainers that are done
    are not run again, and one that was under way goes on from its last saved step.
    A trainer to compare with that fails is named among the table's failures.

    Args:
        config: `[train]`.
        host: Where parts are found; None loads built-in and installed ones.
        listen: Is told where training stands.

    Raises:
        ConfigError: The config names no data, or not which models stand for the tiers.
        DatasetError: A row cannot be used.
        LeakError: A reason gives an answer away, or a question is on both sides.
        TrainingError: Nothing can be learned, or training broke off.
        CheckpointError: The checkpoint cannot be written.
    """
    host = host or PluginHost()
    matrix = matrix_of(config, host)
    data = divide_data(config, matrix, config.work / "data")

    def load(link: Link) -> Candidate:
        folder = folders[link.name]
        router = assemble(link, folder, data, config=config, matrix=matrix, host=host)
        return Candidate(name=link.title, router=router, bytes=_bytes(router, folder))

    chain, asked = links(config, host), config.trainer.name
    # Loaded when all are trained: a router of some gigabytes would stand beside the next training.
    folders, untrained = _run_all(chain, asked, lambda link: _train(link, config, data, listen))
    found, unloaded = _run_all([link for link in chain if link.name in folders], asked, load)
    failures = (*untrained, *unloaded)
    candidates = tuple(found.values())
    payoff = measure(candidates, tuple(read_examples(data.validation.path)), seed=config.seed)
    payoff = attrs.evolve(payoff, failures=(*failures, *payoff.failures))
    said = verdict(payoff)
    trained = found[config.trainer.name].router
    evidence = _evidence(config, data, payoff, trained.policy_model)
    # Not of the candidates: a table that compares them has no use for it, and their times would differ.
    shift = learn_shift_of((data.train, data.validation), seed=config.seed)
    finished = attrs.evolve(trained, evidence=evidence, training_hashes=data.hashes, shift=shift)
    saved = finished.save_pretrained(config.output)
    record = json.dumps(to_record(payoff, said), indent=1)
    (config.work / PAYOFF).write_text(record + "\n", encoding="utf-8")
    return Trained(router=finished, folder=saved, payoff=payoff, verdict=said, candidates=candidates)


def _run_all(
    chain: Sequence[Link], asked: str, run: Callable[[Link], _T]
) -> tuple[dict[str, _T], tuple[Failure, ...]]:
    """Do something for each trainer: the one that is asked for, then others, which may fail.

    Raises:
        RouteSDKError: What the one that is asked for raises, or one that it starts from.
    """
    found: dict[str, _T] = {}
    failures: dict[str, Failure] = {}
    for link in chain:
        if link.start in failures:
            problem = f"{failures[link.start].name}, which it starts from, failed"
            failures[link.name] = Failure(name=link.title, problem=problem)
            continue
        try:
            found[link.name] = run(link)
        except RouteSDKError as error:
            if asked not in found:
                raise
            problem = f"its training failed: {type(error).__name__}: {error}"
            failures[link.name] = Failure(name=link.title, problem=problem)
    return found, tuple(failures.values())


def _bytes(router: Router, folder: Path) -> int:
    """Return what a router holds in memory where it says so, base model included; else its files' bytes."""
    held = getattr(router.policy_model, "held_bytes", None)
    return held if isinstance(held, int) else checkpoint_bytes(folder)


def _train(link: Link, config: TrainConfig, data: TrainingData, listen: Listener | None) -> Path:
    """Train into a folder of its own, which appears when it is whole; one that is there is kept."""
    place = config.work / "models"
    job = TrainJob(
        train=(data.train,),
        validation=(data.validation,),
        output=place / f".{link.name}.partial",
        matrix=config.matrix,
        tiers=tuple(tier.name for tier in data.tiers),
        seed=config.seed,
        start=place / link.start if link.start else None,
        work=config.work / "runs",
        listen=listen,
    )
    target, note = place / link.name, place / f"{link.name}.json"
    described = _described(link, config, job)
    if target.is_dir() and note.is_file() and note.read_text(encoding="utf-8") == described:
        return target
    for leftover in (target, job.output):
        shutil.rmtree(leftover, ignore_errors=True)
    note.unlink(missing_ok=True)
    job.output.mkdir(parents=True)
    link.trainer.train(job)
    job.output.rename(target)
    note.write_text(described, encoding="utf-8")
    return target


def _described(link: Link, config: TrainConfig, job: TrainJob) -> str:
    """Return what a trained model depends on: another trainer, config or row makes another one."""

    def digest(file: Path) -> str:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    files = [digest(dataset.path) for dataset in (*job.train, *job.validation)]
    start = ""
    if job.start is not None:
        start = job.start.with_name(f"{job.start.name}.json").read_text(encoding="utf-8")
    return json.dumps([link.name, repr(link.trainer), files, config.matrix, config.seed, job.tiers, start])


def assemble(
    link: Link, folder: Path, data: TrainingData, *, config: TrainConfig, matrix: Matrix, host: PluginHost
) -> Router:
    """Load a trained policy model, and put a router around it that is bound to the oracle's models."""
    model = link.build_model(host).load(folder)
    return assemble_router(
        policy_model=model,
        policy_model_record=PartRecord(kind="policy model", name=link.policy_model),
        matrix_record=_matrix_record(config, matrix, host),
        tiers=data.tiers,
        calibration=Calibration(policy_gains=policy_gains(data, matrix)),
        training_hashes=data.learned,
        host=host,
    )


def _matrix_record(config: TrainConfig, matrix: Matrix, host: PluginHost) -> PartRecord:
    """Name the matrix, with its tiers where it has others by itself: the router builds it from that alone."""
    usual = tuple(host.matrix(config.matrix).tiers) == tuple(matrix.tiers)
    options = {} if usual else {"tiers": tuple(matrix.tiers)}
    return PartRecord(kind="matrix", name=config.matrix, options=options)


def policy_gains(data: TrainingData, matrix: Matrix) -> dict[str, tuple[float, ...]]:
    """Return each policy's mean gain of each step: what escalation bought on its rows.

    It depends on outcomes and matrix alone, not on what a model predicts, so that all
    rows of the training serve. A policy that no row has gains nothing.

    Raises:
        TrainingError: No row has outcomes of all tiers.
    """
    models = [tier.model for tier in data.tiers]
    steps = len(models) - 1
    sums = {policy.name: np.zeros(steps) for policy in matrix.policies}
    weights = dict.fromkeys(sums, 0.0)
    for part in (data.train, data.validation):
        for example in read_examples(part.path):
            if not all(model in example.outcomes for model in models):
                continue
            for cell in itertools.product(*(grade_chances(example.outcomes[model]) for model in models)):
                grades = tuple(grade for grade, _ in cell)
                policy, weight = matrix.policy(grades).name, math.prod(chance for _, chance in cell)
                sums[policy] += weight * np.diff([float(grade is Grade.CORRECT) for grade in grades])
                weights[policy] += weight
    if not any(weights.values()):
        raise TrainingError("train", "no row has outcomes of all tiers", "Check `train.tiers`.")
    return {
        name: tuple((total / weights[name]).tolist()) if weights[name] else (0.0,) * steps
        for name, total in sums.items()
    }


def matrix_of(config: TrainConfig, host: PluginHost) -> Matrix:
    """Build the matrix of a training, for the tiers that its config or the oracle's manifest names.

    Where neither names any, they are medium and large, or `tier-1`, `tier-2`, and so on.
    """
    known = () if config.tiers else manifest_tiers(config.data)
    tiers = config.tier_names or tuple(tier.name for tier in known)
    if not tiers:
        count = len(config.tiers) or 2
        tiers = ("medium", "large") if count == 2 else tuple(f"tier-{at}" for at in range(1, count + 1))
    return build_matrix(PartConfig(config.matrix), host, tiers)


def _evidence(config: TrainConfig, data: TrainingData, payoff: Payoff, model: PolicyModel) -> Evidence:
    models = tuple(tier.model for tier in data.tiers)
    details = getattr(model, "details", None)
    names = " ".join(file.name for file in config.data)
    return Evidence(
        summary=f"A router trained by `{config.trainer.name}` on {data.rows:,} rows of an oracle.",
        command=f"routesdk train {names} --trainer {config.trainer.name}",
        sources=(SourceRecord(name=names, rows=data.rows, tiers=models),),
        metrics=tuple(metric_records(payoff, "validation")),
        limits=(
            "Its figures are of validation rows, on which training stopped and calibration was fitted: they "
            "flatter it. Evaluate it on the test part.",
        ),
        training=tuple(Detail(name, text) for name, text in (details() if details else {}).items()),
    )
