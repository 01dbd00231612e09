"""`routesdk init`, `run` and `status`: the pipeline in one command."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer

from routesdk.cli.bar import clock, run_bar
from routesdk.cli.console import console, errors, printable
from routesdk.cli.interrupt import STOPPED_BY_HAND, at_first_interrupt
from routesdk.cli.training import training_bar
from routesdk.config import load_config
from routesdk.errors import ConfigError, RunStoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from routesdk.pipeline.oracle import Progress
    from routesdk.pipeline.project import Project, Step
    from routesdk.types import TrainProgress

_FILE = Path("routesdk.toml")
_CONFIG = typer.Option(_FILE, "--config", "-c", help="The project's config.")
_JSON = typer.Option(False, "--json", help="One JSON object, for machines.")


def init(
    file: Path = typer.Argument(_FILE, help="Where the config goes."),
) -> None:
    """Write a commented config to begin with; one that is there is left as it is."""
    from routesdk.pipeline.project import write_starter

    write_starter(file)
    out = console()
    out.print(f"written: {printable(str(file))}", soft_wrap=True)
    out.print("Next: edit it, then `routesdk run --dry-run` says what a run would do and cost.")


def run(
    config: Path = _CONFIG,
    start: str | None = typer.Option(None, "--from", help="First stage; earlier ones are taken as they are."),
    until: str | None = typer.Option(None, help="Last stage."),
    force: bool = typer.Option(False, "--force", help="Run stages even where nothing has changed."),
    keep_edits: bool = typer.Option(
        False, "--keep-edits", help="Take files that were changed by hand as they are."
    ),
    replace_edits: bool = typer.Option(
        False, "--replace-edits", help="Put files that were changed by hand aside, and make them anew."
    ),
    retry_unscored: bool = typer.Option(
        False, "--retry-unscored", help="Try rows that ended without a grade or a reason again."
    ),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Say what would be done, and estimate its cost; make no call."
    ),
    as_json: bool = _JSON,
) -> None:
    """Go from questions to a report, each stage only where something has changed; run again, it goes on."""
    from routesdk.pipeline.project import KEEP, REFUSE, REPLACE

    if keep_edits and replace_edits:
        raise ConfigError("--keep-edits", "given", "was given beside --replace-edits", "Give one of them.")
    if dry_run and retry_unscored:
        problem = "is not estimated: which calls fail to bring a grade again shows when they are made"
        raise ConfigError("--retry-unscored", "given", problem, "Leave out one of it and --dry-run.")
    edits = KEEP if keep_edits else REPLACE if replace_edits else REFUSE
    project = _project(config)
    if dry_run:
        from routesdk.cli.project_table import print_estimates
        from routesdk.pipeline.project import estimate

        found = estimate(project, start=start, until=until, force=force, edits=edits)
        print_estimates(found, project.config.oracle.max_usd, as_json)
        return
    wish = _Wish(
        start=start,
        until=until,
        force=force,
        edits=edits,
        command=_again(config),
        retry_unscored=retry_unscored,
    )
    _run(project, wish, as_json=as_json)


def status(config: Path = _CONFIG, as_json: bool = _JSON) -> None:
    """Say of each stage whether it is done, stale, or not needed, and why; nothing is run."""
    from routesdk.cli.project_table import print_standings
    from routesdk.pipeline.project import status as look

    project = _project(config)
    print_standings(look(project), project.config.train.trainer.name, as_json)


def _project(config: Path) -> Project:
    from routesdk.pipeline.project import Project

    if not config.exists():
        fix = "Write one with `routesdk init`, or name another by --config."
        raise ConfigError("--config", str(config), "is not there", fix)
    return Project.of(load_config(config))


@attrs.frozen(kw_only=True)
class _Wish:
    """What the command line asks a run for."""

    start: str | None
    until: str | None
    force: bool
    edits: str
    command: str
    retry_unscored: bool


def _again(config: Path) -> str:
    """Return the command that does all of it again."""
    return "routesdk run" if config == _FILE else shlex.join(["routesdk", "run", "--config", str(config)])


def _run(project: Project, wish: _Wish, *, as_json: bool) -> None:
    from routesdk.pipeline.oracle import Halt
    from routesdk.pipeline.project import Ears
    from routesdk.pipeline.project import run as run_stages

    halt = Halt()
    with _Telling(quiet=as_json) as telling, at_first_interrupt(halt, telling.calling):
        ears = Ears(oracle=telling.calls, training=telling.training, halt=halt)
        try:
            steps = run_stages(project, listen=telling.step, ears=ears, **attrs.asdict(wish))
        except (RunStoppedError, KeyboardInterrupt) as error:
            if isinstance(error, RunStoppedError) and not halt.wanted:
                raise
            telling.close()
            errors().print("[yellow]Stopped by hand. Run the same command, and it goes on.[/]")
            raise typer.Exit(STOPPED_BY_HAND) from error
    if as_json:
        typer.echo(json.dumps({"stages": [_record(step) for step in steps]}))
        return
    last = steps[-1]
    console().print(f"\n{last.stage}: {printable(', '.join(map(str, last.outputs)))}", soft_wrap=True)


def _record(step: Step) -> dict[str, object]:
    record = attrs.asdict(step)
    return record | {key: [path.as_posix() for path in record[key]] for key in ("outputs", "aside")}


class _Telling:
    """Tells people what goes on: a line a stage on standard output, bars on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar = ExitStack()
        self._stage = ""
        self._calls: Callable[[Progress], None] | None = None
        self._training: Callable[[TrainProgress], None] | None = None

    def __enter__(self) -> _Telling:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take a bar away."""
        self._bar.close()
        self._calls = self._training = None

    def calling(self) -> bool:
        """Tell whether calls may be under way."""
        return self._stage in ("oracle", "evaluate")

    def calls(self, progress: Progress) -> None:
        """Show where calls stand."""
        if self._calls is None:
            # A bar begins with the first row: two of them cannot share a terminal.
            self._calls = self._bar.enter_context(run_bar())
        self._calls(progress)

    def training(self, progress: TrainProgress) -> None:
        """Show where training stands."""
        if self._training is None:
            self._training = self._bar.enter_context(training_bar())
        self._training(progress)

    def step(self, step: Step) -> None:
        """Tell of a stage that begins, on standard error, or that has ended."""
        if step.what == "begun":
            self._stage = step.stage
            since = f", since {'; '.join(step.reasons)}" if step.reasons else ""
            errors().print(f"[dim]{step.stage}{printable(since)}[/]", soft_wrap=True)
            return
        self.close()
        for path in step.aside:
            errors().print(f"[yellow]yours was put aside: {printable(str(path))}[/]", soft_wrap=True)
        if not self._quiet:
            took = f" ({clock(step.seconds)})" if step.seconds >= 1 else ""
            line = f"{step.what:5} {step.stage:9} {step.summary}{took}"
            console().print(printable(line), soft_wrap=True)
