"""Training as a stage that an executor runs: one file goes out, one comes back, and a killed one goes on."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from routesdk.config import TrainConfig
from routesdk.errors import ConfigError, StageError
from routesdk.host import PluginHost
from routesdk.pipeline.payoff import Payoff, Verdict, from_record, verdict
from routesdk.pipeline.training.train import PAYOFF, Listener, train_router
from routesdk.structure import structure, unstructure
from routesdk.types import PartConfig

STAGE = "routesdk.pipeline.training.stage:run_job"
"""The stage's name: names and files cross machines, never closures."""

_CONFIG = "train.json"
_ROUTER, _WORK = "router", "work"
# The earliest date that a zip file knows: the same job is the same bytes, and has the same hash.
_DATE = (1980, 1, 1, 0, 0, 0)


@attrs.frozen(kw_only=True)
class Finished:
    """A training that came to its end, here or elsewhere.

    Attributes:
        folder: The checkpoint.
        payoff: How its routers do on validation rows.
        verdict: Which one to ship, and why.
    """

    folder: Path
    payoff: Payoff
    verdict: Verdict


def train(config: TrainConfig, *, host: PluginHost | None = None, listen: Listener | None = None) -> Finished:
    """Train where the config says: in this process, or through an executor on another machine.

    Args:
        config: `[train]`.
        host: Where parts are found; None loads built-in and installed ones.
        listen: Is told where training stands; only of one in this process.

    Raises:
        StageError: The executor's machine could not finish it; the reason is named.
        ConfigError: The config cannot be trained with, or names files of this machine for another one.
        RouteSDKError: What `train_router` raises.
    """
    host = host or PluginHost()
    if config.executor.name == "local":
        trained = train_router(config, host=host, listen=listen)
        return Finished(folder=trained.folder, payoff=trained.payoff, verdict=trained.verdict)
    config.work.mkdir(parents=True, exist_ok=True)
    job = pack_job(config, config.work / "job.zip")
    executor = host.executor(config.executor.name, **config.executor.options)
    for result in executor.map(STAGE, [job]):
        if result.output is None:
            raise StageError(STAGE, job.name, result.error)
        return unpack_result(result.output, config)
    raise StageError(STAGE, job.name, "the executor gave no result")


def pack_job(config: TrainConfig, file: Path) -> Path:
    """Write everything that a training needs into one file; the same job gives the same bytes.

    Raises:
        ConfigError: A base model or an option names a folder of this machine.
    """
    named = {"base_model": config.base_model, "sft.base_model": config.sft.base_model}
    named |= {"dpo.base_model": config.dpo.base_model}
    for table, options in {"trainer.options": config.trainer.options, **_tables(config)}.items():
        named |= {f"{table}.{key}": value for key, value in options.items() if isinstance(value, str)}
    for name, value in named.items():
        if value and Path(value).expanduser().is_dir():
            problem = "is a folder of this machine, where the executor's machine cannot read it"
            raise ConfigError(
                f"train.{name}", value, problem, "Name a Hub id, or train with executor = 'local'."
            )
    groups = {"data": config.data, "validation": config.validation}
    names = {
        group: [f"{group}/{place}-{path.name}" for place, path in enumerate(paths)]
        for group, paths in groups.items()
    }
    described = unstructure(
        attrs.evolve(config, executor=PartConfig("local"), output=Path(_ROUTER), work=Path(_WORK))
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        _add(packed, _CONFIG, json.dumps(described | names, sort_keys=True).encode())
        for group, paths in groups.items():
            for path, name in zip(paths, names[group], strict=True):
                _add(packed, name, _read(path))
                manifest = path.with_suffix(".manifest.json")
                if manifest.is_file():
                    _add(packed, str(Path(name).with_suffix(".manifest.json")), manifest.read_bytes())
    return file


def run_job(job: Path) -> Path:
    """Train what `pack_job` packed, and pack the checkpoint and the table.

    Its state lies beside the file, in `<file>.work`: run again after a kill, it goes on.

    Args:
        job: The file of a job.

    Returns:
        A zip file beside it: the checkpoint, and beside its manifest `payoff.json`.

    Raises:
        ConfigError: It is no packed job.
        RouteSDKError: What `train_router` raises.
    """
    place = job.with_name(f"{job.name}.work")
    try:
        with zipfile.ZipFile(job) as packed:
            _extract(packed, place)
        described = json.loads((place / _CONFIG).read_text(encoding="utf-8"))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        problem = f"is no packed job ({type(error).__name__}: {error})"
        raise ConfigError("job", job.name, problem, "Pack it with `pack_job`.") from error
    for group in ("data", "validation"):
        described[group] = [str(place / name) for name in described[group]]
    described |= {"output": str(place / _ROUTER), "work": str(place / _WORK)}
    train_router(structure(described, TrainConfig, source=str(job)))
    output = job.with_name(f"{job.stem}.trained.zip")
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((place / _ROUTER).rglob("*")):
            if path.is_file() and not path.relative_to(place / _ROUTER).name.startswith("."):
                _add(packed, path.relative_to(place / _ROUTER).as_posix(), path.read_bytes())
        _add(packed, PAYOFF, (place / _WORK / PAYOFF).read_bytes())
    return output


def unpack_result(file: Path, config: TrainConfig) -> Finished:
    """Put what `run_job` wrote where the config wants it.

    Raises:
        ConfigError: The folder of the checkpoint holds something else, or it is no such file.
    """
    from routesdk.checkpoint import MANIFEST, read_checkpoint

    fresh = config.work / "unpacked"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with zipfile.ZipFile(file) as packed:
            _extract(packed, fresh)
        record = json.loads((fresh / PAYOFF).read_text(encoding="utf-8"))
    except (zipfile.BadZipFile, FileNotFoundError, ValueError) as error:
        problem = f"is not what a training packs ({error})"
        raise ConfigError("result", str(file), problem, "Train again.") from error
    (fresh / PAYOFF).replace(config.work / PAYOFF)
    read_checkpoint(fresh)
    old = config.output
    if old.exists() and not (old / MANIFEST).is_file() and (not old.is_dir() or any(old.iterdir())):
        problem = "holds something that is no checkpoint"
        raise ConfigError("train.output", str(old), problem, f"Name another folder; it lies in {fresh}.")
    shutil.rmtree(old, ignore_errors=True)
    old.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(str(fresh), old)
    payoff = from_record(record)
    return Finished(folder=old, payoff=payoff, verdict=verdict(payoff))


def _tables(config: TrainConfig) -> Mapping[str, Mapping[str, object]]:
    """Return options of the trainers to compare with, by the tables that they stand in."""
    return {f"options.{name}": options for name, options in config.options.items()}


def _add(packed: zipfile.ZipFile, name: str, data: bytes) -> None:
    packed.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ConfigError("train.data", str(path), problem, "Check the path.") from error


def _extract(packed: zipfile.ZipFile, folder: Path) -> None:
    names: Sequence[str] = packed.namelist()
    for name in names:
        parts = Path(name).parts
        if Path(name).is_absolute() or ".." in parts:
            raise ConfigError("job", name, "leads out of its folder", "Do not trust this file.")
    packed.extractall(folder)
