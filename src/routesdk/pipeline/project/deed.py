"""What each stage does: the work of other modules, with its files made apart from those of earlier runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from routesdk.config import Config, TrainConfig
from routesdk.dataset import read_examples, write_examples
from routesdk.errors import ConfigError
from routesdk.journal import JournalView
from routesdk.pipeline.division import TEST, TRAIN, divide, write_parts
from routesdk.pipeline.oracle import Halt, generate
from routesdk.pipeline.oracle.export import export
from routesdk.pipeline.oracle.held_out import HeldOut
from routesdk.pipeline.oracle.run import Listener as OracleListener
from routesdk.pipeline.project import plan
from routesdk.pipeline.project.layout import PREPARED
from routesdk.pipeline.project.plan import Project
from routesdk.structure import structure, unstructure
from routesdk.tuning import DPOConfig, SFTConfig
from routesdk.types import Example, PartConfig, TrainProgress


@attrs.frozen(kw_only=True)
class Ears:
    """Who is told of what goes on within a stage, and who may ask it to stop.

    Attributes:
        oracle: Is told after every row of an oracle or of test answers; None for nobody.
        training: Is told where training stands; None for nobody.
        halt: Asks calls to stop; None lets nobody ask.
    """

    oracle: OracleListener | None = None
    training: Callable[[TrainProgress], None] | None = None
    halt: Halt | None = None


@attrs.frozen(kw_only=True)
class Work:
    """One stage under way.

    Attributes:
        project: The project.
        folder: Where its files are made; they are moved when all of them are whole.
        ears: Who listens.
        command: The command that does all of it again.
        retry_unscored: Whether rows without a grade are tried again.
    """

    project: Project
    folder: Path
    ears: Ears = attrs.field(factory=Ears)
    command: str = ""
    retry_unscored: bool = False

    def call(self, config: Config) -> None:
        """Have the rows of an oracle answered, graded and analysed, into its journal."""
        generate(
            config,
            host=self.project.host,
            listen=self.ears.oracle,
            halt=self.ears.halt,
            retry_unscored=self.retry_unscored,
        )

    def made(self, place: Path) -> Path:
        """Return where a file is made that belongs to a place."""
        return self.folder / place.name


@attrs.frozen
class Rows:
    """A file of rows with whatever outcomes they have, as a benchmark."""

    path: Path

    def examples(self) -> Iterator[Example]:
        """Yield the rows; see `read_examples`."""
        return read_examples(self.path)


def download(work: Work) -> str:
    """Write all questions of the benchmark into a file.

    Raises:
        RouteSDKError: The benchmark cannot be had, or a row cannot be used.
        OSError: The file cannot be written.
    """
    part, layout = work.project.config.oracle.benchmark, work.project.layout
    benchmark = work.project.host.benchmark(part.name, **part.options)
    count = write_examples(work.made(layout.benchmark), benchmark.examples())
    if not count:
        raise ConfigError("oracle.benchmark", repr(part.name), "has no rows", "Give one that has some.")
    return "1 question" if count == 1 else f"{count:,} questions"


def split(work: Work) -> str:
    """Divide the questions, near duplicates together; or take a test part that was made beforehand.

    Raises:
        LeakError: Questions of that test part stand among the others.
        RouteSDKError: A row cannot be used.
        OSError: A file cannot be written.
    """
    oracle, layout = work.project.config.oracle, work.project.layout
    rows = Rows(layout.benchmark)
    if oracle.held_out is not None:
        train = write_examples(work.made(layout.train), HeldOut.read(oracle.held_out).select(rows, TRAIN))
        test = write_examples(work.made(layout.test), read_examples(oracle.held_out))
        return f"{train:,} train, {test:,} test as {oracle.held_out.name} has them"
    models = [tier.model for tier in oracle.tiers]
    division = divide(rows, test_share=oracle.test_share, seed=oracle.split_seed, tiers=models)
    for part in (TRAIN, TEST):
        if not division.size(part):
            fix = "Give more rows, or another oracle.test_share."
            raise ConfigError(
                "oracle.test_share", str(oracle.test_share), f"leaves the {part} part empty", fix
            )
    write_parts(rows, division, work.folder / layout.name)
    return f"{division.size(TRAIN):,} train, {division.size(TEST):,} test, balanced by {division.strata}"


def oracle(work: Work) -> str:
    """Answer, grade and label the train questions; the journal makes sure that no call is paid twice.

    Raises:
        RunStoppedError: It cannot go on; what is settled is kept.
        RouteSDKError: A part cannot be built, or a price is not known.
        OSError: A file cannot be written.
    """
    config, layout = work.project.config, work.project.layout
    settings = oracle_config(config, layout.train, layout.test)
    settings.oracle.journal.parent.mkdir(parents=True, exist_ok=True)
    host = work.project.host
    work.call(settings)
    with JournalView.open(settings.oracle.journal) as view:
        done = export(view, work.made(layout.oracle), host=host)
    if not done.rows:
        fix = f"Look at their reasons with `routesdk oracle show {settings.oracle.journal}`."
        raise ConfigError("oracle", f"{done.rows_kept_out:,} rows", "none of them has a label", fix)
    return f"{done.rows:,} labelled rows" + (
        f", {done.rows_kept_out:,} kept out" if done.rows_kept_out else ""
    )


def oracle_config(config: Config, train: Path, test: Path) -> Config:
    """Return a config whose oracle asks the rows of one file, and none that stands in the other."""
    part = PartConfig("jsonl", {"path": str(train)})
    return attrs.evolve(config, oracle=attrs.evolve(config.oracle, benchmark=part, held_out=test))


def prepare(work: Work) -> str:
    """Write the SFT rows and DPO pairs that the trainer makes of the same oracle.

    Raises:
        RouteSDKError: A row cannot be used, or nothing can be learned.
        OSError: A file cannot be written.
    """
    from routesdk.pipeline.prepare import prepare as prepare_rows
    from routesdk.pipeline.prepare import write_preparation
    from routesdk.pipeline.training import divide_data
    from routesdk.pipeline.training.train import matrix_of

    host, train = work.project.host, _learning(work.project)
    matrix = matrix_of(train, host)
    sft, dpo = _tuned(train)
    divided = divide_data(train, matrix, work.folder / "divided")
    found = prepare_rows(
        (divided.train,),
        (divided.validation,),
        matrix=matrix,
        analyst=host.analyst("heuristic"),
        order=sft.order,
        balance=sft.balance,
        rejected=dpo.rejected,
        seed=train.seed,
    )
    write_preparation(found, work.folder)
    assert all((work.folder / name).is_file() for name in PREPARED)
    return f"{len(found.sft):,} SFT rows, {len(found.dpo):,} DPO pairs"


def _tuned(train: TrainConfig) -> tuple[SFTConfig, DPOConfig]:
    """Return the settings of both trainers, with what stands beside the trainer's name."""
    given = train.trainer.options
    sft, dpo = unstructure(train.sft), unstructure(train.dpo)
    if train.trainer.name == plan.QLORA_SFT:
        sft |= given
    if train.trainer.name == plan.QLORA_DPO:
        dpo |= given
    where = "train.trainer.options"
    return structure(sft, SFTConfig, where=where), structure(dpo, DPOConfig, where=where)


def train(work: Work) -> str:
    """Train the router that the config asks for, and say whether it was worth it.

    Raises:
        RouteSDKError: A row cannot be used, nothing can be learned, or training broke off.
    """
    return _train(work, _learning(work.project), work.project.layout.router)


def sft(work: Work) -> str:
    """Train by SFT alone; its model is kept where DPO finds it."""
    config, layout = _learning(work.project), work.project.layout
    if config.trainer.name == plan.QLORA_SFT:
        return _train(work, config, layout.router)
    alone = attrs.evolve(config, trainer=PartConfig(plan.QLORA_SFT), compare=(), options={})
    return _train(work, alone, layout.sft_router)


def _learning(project: Project) -> TrainConfig:
    return attrs.evolve(project.config.train, data=(project.layout.oracle,))


def _train(work: Work, config: TrainConfig, place: Path) -> str:
    from routesdk.pipeline.training import train as train_anywhere

    output = work.made(place)
    config = attrs.evolve(config, output=output)
    done = train_anywhere(config, host=work.project.host, listen=work.ears.training)
    return done.verdict.sentences[0].rstrip(".")
