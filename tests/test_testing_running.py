"""Contract checks of executors and observers: good parts pass, broken ones do not."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from routesdk.errors import StageError
from routesdk.testing import FakeObserver, check_executor, check_observer
from routesdk.types import Answer, Decision, ShardResult


def broken(fault: str) -> pytest.RaisesExc[AssertionError]:
    return pytest.raises(AssertionError, match=f"(?s){fault}.*The contract: ")


class InProcess:
    """An executor that runs stages here, one after the other."""

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        stage = self.stage(stage_name)
        for shard in shard_files:
            try:
                yield self.done(shard, stage(shard))
            except (OSError, ValueError) as error:
                yield self.failed(shard, error)

    def stage(self, name: str) -> Callable[[Path], Path]:
        module, _, function = name.partition(":")
        try:
            return cast("Callable[[Path], Path]", getattr(importlib.import_module(module), function))
        except (ImportError, AttributeError) as error:
            raise StageError(name, "every shard", "there is no such stage") from error

    def done(self, shard: Path, output: Path) -> ShardResult:
        return ShardResult(shard, output)

    def failed(self, shard: Path, error: Exception) -> ShardResult:
        return ShardResult(shard, None, str(error))


class NamesTheStageInResults(InProcess):
    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        try:
            yield from super().map(stage_name, shard_files)
        except StageError as error:
            yield from (ShardResult(shard, None, str(error)) for shard in shard_files)


class StopsAtAFailure(InProcess):
    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        stage = self.stage(stage_name)
        for shard in shard_files:
            yield ShardResult(shard, stage(shard))


class DropsFailures(InProcess):
    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        yield from (each for each in super().map(stage_name, shard_files) if not each.error)


class GivesNoReason(InProcess):
    def failed(self, shard: Path, error: Exception) -> ShardResult:
        return ShardResult(shard, None, "failed")


class LosesTheOutput(InProcess):
    def done(self, shard: Path, output: Path) -> ShardResult:
        return ShardResult(shard, shard)


class WarnsOfNothing(InProcess):
    def done(self, shard: Path, output: Path) -> ShardResult:
        return ShardResult(shard, output, "a warning")


class YieldsPaths(InProcess):
    def done(self, shard: Path, output: Path) -> ShardResult:
        return cast("ShardResult", output)


class LetsTheImportFail(InProcess):
    def stage(self, name: str) -> Callable[[Path], Path]:
        module, _, function = name.partition(":")
        return cast("Callable[[Path], Path]", getattr(importlib.import_module(module), function))


class InventsShards(InProcess):
    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        yield from super().map(stage_name, shard_files)
        if not shard_files:
            yield ShardResult(Path("x"), None, "no shards")


def test_an_executor_that_keeps_its_contract_passes() -> None:
    check_executor(InProcess())
    check_executor(NamesTheStageInResults())


@pytest.mark.parametrize(
    ("executor", "fault"),
    [
        (StopsAtAFailure(), "raises ValueError .this shard fails. from map"),
        (DropsFailures(), "yields 5 results for 7 shards"),
        (GivesNoReason(), "error 'failed' on failing.txt"),
        (LosesTheOutput(), "which is not what the stage wrote"),
        (WarnsOfNothing(), "reports 'a warning' on shard-0.txt"),
        (YieldsPaths(), "yields PosixPath"),
        (LetsTheImportFail(), "says 'AttributeError instead' of the stage"),
        (InventsShards(), "yields 1 results for 0 shards"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_executor_that_breaks_a_promise_is_caught(executor: InProcess, fault: str) -> None:
    with broken(fault):
        check_executor(executor)


class Notes:
    """An observer that does what a function does."""

    def __init__(self, what: Callable[[Decision], object]) -> None:
        self.what = what

    def routesdk_routed(self, decision: Decision) -> None:
        return cast("None", self.what(decision))


class TakesOneAnswer:
    def routesdk_answered(self, answer: Answer) -> None:
        """Leaves the decision alone, and so is not passed it."""


class WantsTheWeather:
    def routesdk_answered(self, answer: Answer, weather: str) -> None:
        """Wants what no hook has."""


def _rewrite(decision: Decision) -> None:
    object.__setattr__(decision, "model", "another")


def _need_a_cost(decision: Decision) -> None:
    round(cast("Decimal", decision.estimated_cost_usd), 2)


def test_an_observer_that_keeps_its_contract_passes_and_is_told_of_every_query() -> None:
    observer = FakeObserver()
    check_observer(observer)

    assert len(observer.decisions) == len(observer.queries) == len(observer.answers) > 15
    check_observer(TakesOneAnswer())


@pytest.mark.parametrize(
    ("observer", "fault"),
    [
        (object(), "has neither routesdk_routed"),
        (Notes(lambda decision: decision.model), "returns str from routesdk_routed"),
        (Notes(_rewrite), "changes a decision"),
        (Notes(_need_a_cost), "raises TypeError .* from routesdk_routed"),
        (WantsTheWeather(), "raises TypeError .*missing 1 required positional argument: 'weather'"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_observer_that_breaks_a_promise_is_caught(observer: object, fault: str) -> None:
    with broken(fault):
        check_observer(observer)
