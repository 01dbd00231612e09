"""`routesdk prepare`, `train` and `compare`: from an oracle to a checkpoint, and whether it was worth it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from routesdk.cli.bar import clock
from routesdk.cli.console import console, errors, printable
from routesdk.cli.option import named_tiers
from routesdk.cli.part import part_options
from routesdk.config import Config, TrainConfig, load_config
from routesdk.errors import ConfigError
from routesdk.structure import structure, unstructure
from routesdk.types import PartConfig

if TYPE_CHECKING:
    from routesdk.pipeline.payoff import Payoff, Verdict
    from routesdk.types import TrainProgress

_DATA = typer.Argument(None, help="Rows with outcomes, as `routesdk oracle export` writes them.")
_CONFIG = typer.Option(None, "--config", "-c", help="routesdk.toml with [train].")
_TIER = typer.Option(None, help="NAME=MODEL, cheapest first: the models that stand for the tiers.")
_TRAINER = typer.Option(None, help="Trainer by name: linear, encoder, qlora-sft, qlora-dpo.")
_OPTION = typer.Option(None, help="KEY=VALUE for the trainer; repeat it.")
_BASE = typer.Option(None, help="Folder or Hub id of the base model.")
_VALIDATION = typer.Option(None, help="Rows to stop and calibrate on; without, a part is held out.")
_OUTPUT = typer.Option(None, "--output", "-o", help="Folder of the checkpoint.")
_WORK = typer.Option(None, help="Folder of training state: a killed run goes on from there.")
_COMPARE = typer.Option(None, help="A trainer to compare with; repeat it. `none` for no other.")
_SEED = typer.Option(None, help="Seed of every random choice.")
_EXECUTOR = typer.Option(None, help="Where it is trained: local or modal.")
_EXECUTOR_OPTION = typer.Option(None, help="KEY=VALUE for the executor, such as gpu=L4; repeat it.")
_JSON = typer.Option(False, "--json", help="One JSON object, for machines.")


def prepare(
    data: list[Path] = _DATA,
    config: Path | None = _CONFIG,
    tier: list[str] = _TIER,
    output: Path = typer.Option(Path("data/training"), "--output", "-o", help="Folder of the files."),
    order: str | None = typer.Option(None, help="decision-first or reason-first."),
    balance: str | None = typer.Option(None, help="How rare policies are repeated: none, sqrt or full."),
    rejected: str | None = typer.Option(None, help="How wrong policies are drawn: uniform or prior."),
    seed: int | None = _SEED,
) -> None:
    """Write an oracle as SFT rows and DPO pairs, and say what there is how often."""
    from routesdk.host import PluginHost
    from routesdk.pipeline.prepare import BALANCES, ORDERS, REJECTED, write_preparation
    from routesdk.pipeline.prepare import prepare as prepare_rows
    from routesdk.pipeline.training import divide_data
    from routesdk.pipeline.training.train import matrix_of

    for flag, value, known in (
        ("--order", order, ORDERS),
        ("--balance", balance, BALANCES),
        ("--rejected", rejected, REJECTED),
    ):
        if value is not None and value not in known:
            raise ConfigError(flag, repr(value), "no such choice", f"Write one of {', '.join(known)}.")
    settings = _settings(config, data, tier, {"seed": seed})
    host = PluginHost()
    matrix = matrix_of(settings, host)
    with tempfile.TemporaryDirectory(prefix="routesdk-prepare-") as scratch:
        divided = divide_data(settings, matrix, Path(scratch))
        prepared = prepare_rows(
            (divided.train,),
            (divided.validation,),
            matrix=matrix,
            analyst=host.analyst("heuristic"),
            order=order or settings.sft.order,
            balance=balance or settings.sft.balance,
            rejected=rejected or settings.dpo.rejected,
            seed=settings.seed,
        )
    stored = write_preparation(prepared, output)
    console().print_json(json.dumps(prepared.statistics()))
    console().print(f"written to {printable(str(stored.sft_train.parent))}", soft_wrap=True)


def train(
    data: list[Path] = _DATA,
    config: Path | None = _CONFIG,
    tier: list[str] = _TIER,
    trainer: str | None = _TRAINER,
    option: list[str] = _OPTION,
    base_model: str | None = _BASE,
    validation: list[Path] = _VALIDATION,
    output: Path | None = _OUTPUT,
    work: Path | None = _WORK,
    compare: list[str] = _COMPARE,
    seed: int | None = _SEED,
    executor: str | None = _EXECUTOR,
    executor_option: list[str] = _EXECUTOR_OPTION,
    as_json: bool = _JSON,
) -> None:
    """Train a router on an oracle, and say on validation rows whether it was worth it."""
    from routesdk.pipeline.training import train as train_anywhere

    given = {
        "trainer": _part(trainer, option, "--trainer", "--option"),
        "base_model": base_model,
        "validation": [str(path) for path in validation or ()] or None,
        "output": None if output is None else str(output),
        "work": None if work is None else str(work),
        "compare": None if not compare else [name for name in compare if name != "none"],
        "seed": seed,
        "executor": _part(executor, executor_option, "--executor", "--executor-option"),
    }
    settings = _settings(config, data, tier, given)
    with training_bar() as listen:
        done = train_anywhere(settings, listen=listen)
    _show(done.payoff, done.verdict, as_json, checkpoint=str(done.folder))


def compare(
    data: list[Path] = _DATA,
    base_model: list[str] = typer.Option(..., help="Folder or Hub id of a base model; repeat it."),
    config: Path | None = _CONFIG,
    tier: list[str] = _TIER,
    trainer: str | None = typer.Option(None, help="Trainer by name: qlora-sft where nothing says another."),
    validation: list[Path] = _VALIDATION,
    work: Path | None = _WORK,
    compare: list[str] = _COMPARE,
    seed: int | None = _SEED,
    as_json: bool = _JSON,
) -> None:
    """Train several base models on one oracle, and put them side by side."""
    from routesdk.pipeline.training import compare_bases

    given = {
        "trainer": trainer,
        "validation": [str(path) for path in validation or ()] or None,
        "work": None if work is None else str(work),
        "compare": None if not compare else [name for name in compare if name != "none"],
        "seed": seed,
    }
    settings = _settings(config, data, tier, given)
    if trainer is None and settings.trainer.name == TrainConfig().trainer.name:
        # What trains where nobody says has no base model that could be compared.
        settings = attrs.evolve(settings, trainer=PartConfig("qlora-sft"))
    with training_bar() as listen:
        found = compare_bases(settings, base_model, listen=listen)
    _show(found.payoff, found.verdict, as_json, checkpoint=str(settings.work))


def _settings(
    file: Path | None, data: list[Path] | None, tier: list[str] | None, given: Mapping[str, object]
) -> TrainConfig:
    settings = load_config(file) if file is not None else Config()
    described = unstructure(settings.train) | {
        key: value for key, value in given.items() if value is not None
    }
    if data:
        described["data"] = [str(path) for path in data]
    if tier:
        described["tier_names"], described["tiers"] = _tiers(tier)
    source = "" if file is None else str(file)
    return structure(described, TrainConfig, where="train", source=source)


def _tiers(given: list[str]) -> tuple[list[str], list[str]]:
    """Return the tiers' names and models; medium and large may stand in any order, others as they cost."""
    found = named_tiers(given)
    usual = ("medium", "large")
    names = list(usual) if set(found) == set(usual) else list(found)
    return names, [found[name] for name in names]


def _part(name: str | None, options: list[str] | None, flag: str, option: str) -> dict[str, object] | None:
    if name is None:
        if options:
            raise ConfigError(option, options[0], "was given without a name", f"Give {flag} too.")
        return None
    return {"name": name, "options": part_options(options or (), flag=option)}


def _show(payoff: Payoff, verdict: Verdict, as_json: bool, *, checkpoint: str) -> None:
    from routesdk.cli.payoff_table import print_payoff
    from routesdk.pipeline.payoff import to_record

    if as_json:
        typer.echo(json.dumps({"checkpoint": checkpoint, "payoff": to_record(payoff, verdict)}))
        return
    print_payoff(payoff, verdict)
    console().print(f"\nwritten to {printable(checkpoint)}", soft_wrap=True)


@contextmanager
def training_bar() -> Iterator[Callable[[TrainProgress], None]]:
    """Show steps, losses, speed, memory and time left; nothing where nobody looks."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    bar = Progress(
        *columns, console=errors(), transient=True, disable=not sys.stderr.isatty(), refresh_per_second=4
    )
    with bar as shown:
        task = shown.add_task("reading", total=None, figures="")

        def listen(progress: TrainProgress) -> None:
            shown.update(
                task,
                description=progress.stage,
                completed=progress.step,
                total=progress.steps,
                figures=_figures(progress),
            )

        yield listen


def _figures(progress: TrainProgress) -> str:
    figures = []
    if progress.loss is not None:
        figures.append(f"loss {progress.loss:.3f}")
    if progress.validation_loss is not None:
        figures.append(f"validation {progress.validation_loss:.3f}")
    if progress.tokens_per_s is not None:
        figures.append(f"{progress.tokens_per_s:,.0f} tokens/s")
    if progress.memory_mb is not None:
        figures.append(f"{progress.memory_mb:,.0f} MiB")
    if progress.seconds_left is not None:
        figures.append(f"{clock(progress.seconds_left)} left")
    return ", ".join(figures)
