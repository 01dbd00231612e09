"""The stages of a project, in order: what each reads and writes, and whether its trainer needs it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import attrs

from routesdk.config import Config
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.pipeline.oracle.plan import build_matrix
from routesdk.pipeline.project.layout import PREPARED, REPORTS, RESULTS, Layout
from routesdk.pipeline.project.record import Memory
from routesdk.types import Grade, PartConfig

DOWNLOAD, SPLIT, ORACLE, PREPARE, TRAIN = "download", "split", "oracle", "prepare", "train"
SFT, DPO, EVALUATE, REPORT = "sft", "dpo", "evaluate", "report"
STAGES = (DOWNLOAD, SPLIT, ORACLE, PREPARE, TRAIN, SFT, DPO, EVALUATE, REPORT)
"""All stages; a trainer needs some of them."""

QLORA_SFT, QLORA_DPO = "qlora-sft", "qlora-dpo"
_LOCAL = "local"


@attrs.frozen(kw_only=True)
class Stage:
    """One stage.

    Attributes:
        name: Its name.
        outputs: The files and folders that it writes.
        needs: The files and folders of earlier stages that it reads.
        idle: Why the configured trainer does without it; empty where it is needed.
    """

    name: str
    outputs: tuple[Path, ...] = ()
    needs: tuple[Path, ...] = ()
    idle: str = ""


@attrs.frozen(kw_only=True)
class Project:
    """A config, and the folder that its pipeline works in: the current one.

    Attributes:
        config: All of `routesdk.toml`.
        host: Where parts are found.
        layout: Where the files lie.
        memory: What earlier runs remember.
        stages: All stages, in order.
        versions: What was found out about the wordings of parts, so that each is built once.
    """

    config: Config
    host: PluginHost
    layout: Layout
    memory: Memory
    stages: tuple[Stage, ...]
    versions: dict[str, str] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    @classmethod
    def of(cls, config: Config, host: PluginHost | None = None) -> Project:
        """Return the project that a config describes.

        Raises:
            ConfigError: `train.data` or `evaluate.data` names other rows than the pipeline's own,
                or `train.output` no folder, or `train.matrix` labels otherwise than `oracle.matrix`.
            UnknownComponentError: There is no trainer of the name.
        """
        host, layout = host or PluginHost(), Layout.of(config)
        for key, files, own, command in (
            ("train.data", config.train.data, layout.oracle, "train"),
            ("evaluate.data", config.evaluate.data, layout.test_outcomes, "evaluate"),
        ):
            if files and files != (own,):
                problem = f"is not what the pipeline has there, which is {own.as_posix()}"
                fix = f"Leave it out, or use your own rows with `routesdk {command}`."
                raise ConfigError(key, ", ".join(map(str, files)), problem, fix)
        if layout.router.name in ("", ".."):
            problem = "names no folder of its own"
            raise ConfigError("train.output", str(layout.router), problem, "Write router_checkpoints/mine.")
        host.find("trainer", config.train.trainer.name)
        _one_matrix(config, host)
        return cls(
            config=config,
            host=host,
            layout=layout,
            memory=Memory(layout.state),
            stages=tuple(_stages(config, layout)),
        )

    def stage(self, name: str, flag: str = "stage") -> Stage:
        """Find a stage that the trainer needs, whatever the case of its name.

        Args:
            name: Its name.
            flag: What errors call it.

        Raises:
            ConfigError: There is no such stage, or the configured trainer does without it.
        """
        found = next((stage for stage in self.stages if stage.name == name.strip().lower()), None)
        if found is None:
            raise ConfigError(flag, repr(name), "is no stage", f"Stages: {', '.join(self.needed)}.")
        if found.idle:
            fix = f"Choose one of {', '.join(self.needed)}."
            raise ConfigError(flag, repr(name), f"is not run: {found.idle}", fix)
        return found

    @property
    def needed(self) -> tuple[str, ...]:
        """The names of the stages that the configured trainer needs."""
        return tuple(stage.name for stage in self.stages if not stage.idle)

    def span(self, start: str | None, until: str | None) -> tuple[Stage, ...]:
        """Return the stages from one to another, both included.

        Raises:
            ConfigError: There is no such stage, or the first comes after the last.
        """
        names = self.needed
        first = 0 if start is None else names.index(self.stage(start, "--from").name)
        last = len(names) - 1 if until is None else names.index(self.stage(until, "--until").name)
        if first > last:
            problem = f"comes after --until {names[last]}"
            raise ConfigError("--from", names[first], problem, f"The order is {', '.join(names)}.")
        return tuple(self.stage(name) for name in names[first : last + 1])


def require_earlier(stages: Sequence[Stage]) -> None:
    """Check that what earlier stages wrote is there, where a run does not begin at the beginning.

    Raises:
        ConfigError: Some of it is missing.
    """
    made = {path for stage in stages for path in stage.outputs}
    gone = [path for stage in stages for path in stage.needs if path not in made and not path.exists()]
    if gone:
        names = ", ".join(dict.fromkeys(path.as_posix() for path in gone))
        problem = f"needs {names}, which {'is' if len(gone) == 1 else 'are'} not there"
        fix = "Leave out --from, and the stages before it are run."
        raise ConfigError("--from", stages[0].name, problem, fix)


def _one_matrix(config: Config, host: PluginHost) -> None:
    """See that training labels as the oracle does: it makes the labels anew, with a matrix of its own.

    Said before anything is paid for.
    """
    part, name = config.oracle.matrix, config.train.matrix
    tiers = tuple(tier.name for tier in config.oracle.tiers)
    oracle = build_matrix(part, host, tiers)
    fix = f"Write the same `matrix` under [oracle] and [train]: a name, for {len(tiers)} tiers."
    problem = f"labels otherwise than oracle.matrix, which is {part.name!r}"
    try:
        learned = build_matrix(PartConfig(name), host, config.train.tier_names or tiers)
    except ConfigError as error:
        problem = f"is not for the tiers of the oracle ({error.problem})"
        raise ConfigError("train.matrix", repr(name), problem, fix) from error
    cells = itertools.product(Grade, repeat=len(tiers))
    if any(oracle.policy(cell).name != learned.policy(cell).name for cell in cells):
        raise ConfigError("train.matrix", repr(name), problem, fix)


def _stages(config: Config, layout: Layout) -> list[Stage]:
    splits = (layout.train, layout.test)
    evidence = (
        layout.oracle,
        layout.oracle.with_suffix(".kept_out.jsonl"),
        layout.oracle.with_suffix(".manifest.json"),
    )
    learned = (layout.oracle, layout.oracle.with_suffix(".manifest.json"))
    prepared = tuple(layout.prepared / name for name in PREPARED)
    idle = _idle(config)

    def stage(name: str, outputs: tuple[Path, ...], needs: tuple[Path, ...]) -> Stage:
        return Stage(name=name, outputs=outputs, needs=needs, idle=idle.get(name, ""))

    last = layout.router if config.train.trainer.name == QLORA_SFT else layout.sft_router
    results = tuple(layout.results / name for name in RESULTS)
    return [
        stage(DOWNLOAD, (layout.benchmark,), ()),
        stage(SPLIT, splits, (layout.benchmark,)),
        stage(ORACLE, evidence, splits),
        stage(PREPARE, prepared, learned),
        stage(TRAIN, (layout.router,), learned),
        stage(SFT, (last,), learned),
        stage(DPO, (layout.router,), learned if SFT in idle else (*learned, layout.sft_router)),
        stage(EVALUATE, (*results, layout.test_outcomes), (layout.router, layout.test)),
        stage(REPORT, tuple(layout.results / name for name in REPORTS), results),
    ]


def _idle(config: Config) -> dict[str, str]:
    """Say of each stage that the configured trainer does without why it does."""
    name, executor = config.train.trainer.name, config.train.executor.name
    if name not in (QLORA_SFT, QLORA_DPO):
        own = f"the trainer {name!r} learns from the oracle's rows themselves"
        return {
            PREPARE: f"{own}, not from SFT rows and DPO pairs",
            SFT: f"{own}: the stage `train` is all of its training",
            DPO: f"{own}: the stage `train` is all of its training",
        }
    idle = {
        TRAIN: f"the trainer {name!r} is trained by " + ("`sft`" if name == QLORA_SFT else "`sft`, `dpo`")
    }
    if name == QLORA_SFT:
        idle[DPO] = "the trainer 'qlora-sft' ends with SFT; 'qlora-dpo' goes on"
    elif executor != _LOCAL:
        # One job is one machine, which keeps its state to itself: SFT would be paid for twice.
        idle[SFT] = f"the executor {executor!r} trains SFT and DPO in one job, which is the stage `dpo`"
        idle[TRAIN] = f"the trainer {name!r} is trained by `dpo`"
    return idle
