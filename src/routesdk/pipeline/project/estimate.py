"""What a run would do, and what it would cost, before anything is paid."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import attrs

from routesdk.dataset import read_examples, write_examples
from routesdk.pipeline.oracle.forecast import Forecast, forecast
from routesdk.pipeline.project import deed, plan
from routesdk.pipeline.project.answer import answer_config, unanswered
from routesdk.pipeline.project.deed import Work
from routesdk.pipeline.project.edit import REFUSE, REPLACE, refuse_edits
from routesdk.pipeline.project.layout import Layout
from routesdk.pipeline.project.plan import Project, Stage, require_earlier
from routesdk.pipeline.project.standing import Standing, State, status
from routesdk.types import EXACT


@attrs.frozen(kw_only=True)
class Estimate:
    """What a run would do with one stage.

    Attributes:
        standing: How the stage stands.
        runs: Whether it would be run; None where that shows only when earlier ones have been run.
        calls: The calls that it would make; None for a stage that makes none.
        note: What a reader should know of its cost.
    """

    standing: Standing
    runs: bool | None
    calls: Forecast | None = None
    note: str = ""


def estimate(
    project: Project,
    *,
    start: str | None = None,
    until: str | None = None,
    force: bool = False,
    edits: str = REFUSE,
) -> tuple[Estimate, ...]:
    """Say what a run would do, and estimate its calls; no call is made, and nothing in the folder changes.

    To know how many questions there are, the benchmark is read and divided, in a
    folder that goes away; a benchmark that is downloaded once may be downloaded for it.

    Args:
        project: The project.
        start: As for `run`.
        until: As for `run`.
        force: As for `run`.
        edits: As for `run`.

    Raises:
        EditedFilesError: As for `run`.
        ConfigError: As for `run`.
        RouteSDKError: What the run itself would raise before it makes a call.
        OSError: A file cannot be read.
    """
    found = []
    span = project.span(start, until)
    if not project.memory.moving():
        # What was on its way when a run was killed, the next run puts into place before it looks.
        require_earlier(span)
    if edits == REFUSE:
        refuse_edits(project, span)
    with tempfile.TemporaryDirectory(prefix="routesdk-dry-run-") as scratch:
        files = _Files(project, Path(scratch))
        for standing in status(project, span):
            runs = _runs(standing, force, edits)
            calls, note = _calls(project, standing.stage, files) if runs is not False else (None, "")
            found.append(Estimate(standing=standing, runs=runs, calls=calls, note=note))
    return tuple(found)


def total_usd(estimates: tuple[Estimate, ...]) -> tuple[Decimal | None, Decimal | None]:
    """Return what all calls would cost in US dollars, estimated and at the most; None where unknown."""
    calls = [each.calls for each in estimates if each.calls is not None]
    return _sum([each.cost_usd for each in calls]), _sum([each.at_most_usd for each in calls])


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total = EXACT.add(total, amount)
    return total


def _runs(standing: Standing, force: bool, edits: str) -> bool | None:
    if standing.state is State.EDITED:
        return edits == REPLACE
    if standing.state is State.WAITING and not force:
        return None
    return force or standing.must_run


class _Files:
    """The two parts of the benchmark: those of the project where they hold, else made in a scratch folder."""

    def __init__(self, project: Project, scratch: Path) -> None:
        self._project = project
        self.scratch = scratch
        self._parts: tuple[Path, Path] | None = None

    def parts(self) -> tuple[Path, Path]:
        """Return the files of train and test."""
        if self._parts is None:
            self._parts = self._find()
        return self._parts

    def _find(self) -> tuple[Path, Path]:
        project, layout = self._project, self._project.layout
        standings = status(project)
        if all(each.state is State.DONE for each in standings[:2]):
            return layout.train, layout.test
        # The same names, so that the same functions serve; in another folder, so that nothing changes.
        layout = _Elsewhere(**attrs.asdict(layout), root=self.scratch)
        there = attrs.evolve(project, layout=layout)
        work = Work(project=there, folder=self.scratch)
        deed.download(work)
        deed.split(work)
        return layout.train, layout.test


@attrs.frozen(kw_only=True)
class _Elsewhere(Layout):
    """A layout whose first files all lie in one folder."""

    root: Path

    @property
    def benchmark(self) -> Path:
        return self.root / super().benchmark.name

    @property
    def train(self) -> Path:
        return self.root / super().train.name

    @property
    def test(self) -> Path:
        return self.root / super().test.name


def _calls(project: Project, stage: Stage, files: _Files) -> tuple[Forecast | None, str]:
    if stage.name == plan.ORACLE:
        train, test = files.parts()
        return forecast(deed.oracle_config(project.config, train, test), host=project.host), ""
    if stage.name == plan.EVALUATE:
        return _test_calls(project, files)
    train_config = project.config.train
    if stage.name in (plan.TRAIN, plan.SFT, plan.DPO) and train_config.executor.name != "local":
        return (
            None,
            f"what the executor {train_config.executor.name!r} bills for its machines is not estimated",
        )
    return None, ""


def _test_calls(project: Project, files: _Files) -> tuple[Forecast | None, str]:
    """Forecast answers and verdicts of the test rows whose outcomes the benchmark does not bring."""
    train, test = files.parts()
    models = [tier.model for tier in project.config.oracle.tiers]
    lacking = unanswered(list(read_examples(test)), models)
    if not lacking:
        return None, "the benchmark brings the outcomes of the test rows: no call is made"
    file = files.scratch / "unanswered.jsonl"
    write_examples(file, lacking)
    config = answer_config(project.config, project.layout, file)
    config = attrs.evolve(config, oracle=attrs.evolve(config.oracle, held_out=train))
    return forecast(config, host=project.host), "answers and verdicts for test rows"
