"""Contract checks of what runs and watches: executors and observers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import attrs

from routesdk.errors import RouteSDKError
from routesdk.host import attempt
from routesdk.offers import accepted
from routesdk.protocols import Executor
from routesdk.testing.fakes import make_decision
from routesdk.testing.samples import odd_queries, script_queries
from routesdk.testing.stages import FAILS
from routesdk.testing.verdict import call, require, sentence
from routesdk.types import Answer, Query, ShardResult

STAGE = "routesdk.testing.stages:shout"
"""A stage that writes the shard's text in capitals, and fails where the shard asks for it."""

_RESULTS = "map yields one ShardResult a shard, failed ones too"


def check_executor(executor: Executor) -> None:
    """Check that an executor keeps its contract.

    It must run a stage, named by text, on every shard; report a shard that
    fails, or is missing, without losing the others; and say clearly that a
    stage does not exist.

    Args:
        executor: The executor; the machines that it runs on need routesdk.

    Raises:
        AssertionError: A promise is broken; the text says which, and on what shard.
    """
    with tempfile.TemporaryDirectory(prefix="routesdk-check-") as name:
        folder = Path(name)
        texts = {folder / f"shard-{index}.txt": f"text {index}: ß, 月" for index in range(5)}
        failing, missing = folder / "failing.txt", folder / "missing.txt"
        for shard, text in {**texts, failing: FAILS}.items():
            shard.write_text(text, encoding="utf-8")
        results = _map(executor, [*texts, failing, missing])
        for shard, text in texts.items():
            _check_done(executor, results[shard], text)
        _check_failed(executor, results[failing], FAILS)
        _check_failed(executor, results[missing], "")
        require(not _map(executor, []), executor, "gives results for no shards", _RESULTS)
        for stage in ("routesdk.testing.stages:whisper", "no_such_package.stages:run", "no colon at all"):
            _check_unknown(executor, stage, next(iter(texts)))


def _map(executor: Executor, shards: Sequence[Path]) -> dict[Path, ShardResult]:
    about = f"from map on {len(shards)} shards, of which one fails and one is missing"
    results = call(executor, about, _RESULTS, lambda: list(executor.map(STAGE, shards)))
    for result in results:
        good = isinstance(result, ShardResult)
        require(good, executor, f"yields {type(result).__name__} {about}", _RESULTS)
    named = sorted(str(result.shard) for result in results)
    wanted = sorted(str(shard) for shard in shards)
    require(
        named == wanted,
        executor,
        f"yields {len(named)} results for {len(wanted)} shards, or others",
        _RESULTS,
    )
    return {result.shard: result for result in results}


def _check_done(executor: Executor, result: ShardResult, text: str) -> None:
    about = f"on {result.shard.name}"
    require(
        not result.error, executor, f"reports {result.error!r} {about}", "a stage that works has no error"
    )
    output = result.output
    require(
        output is not None and output.is_file() and output.read_text(encoding="utf-8") == text.upper(),
        executor,
        f"gives the output {output} {about}, which is not what the stage wrote",
        "output is the file that the stage wrote, readable here",
    )


def _check_failed(executor: Executor, result: ShardResult, why: str) -> None:
    require(
        result.output is None and sentence(result.error) and why in result.error,
        executor,
        f"reports output {result.output} and error {result.error!r} on {result.shard.name}, which fails",
        "a shard whose stage raised has no output, and an error that says why",
    )


def _check_unknown(executor: Executor, stage: str, shard: Path) -> None:
    results, error = attempt(lambda: list(executor.map(stage, [shard])))
    if error is None:
        said = " ".join(result.error for result in results or [])
    else:
        said = str(error) if isinstance(error, RouteSDKError) else f"{type(error).__name__} instead"
    require(
        stage in said,
        executor,
        f"says {said!r} of the stage {stage!r}, which does not exist",
        "an unknown stage is named in a RouteSDKError, or in the error of each shard",
    )


def check_observer(observer: object) -> None:
    """Check that an observer keeps its contract.

    It must implement `routesdk_routed`, `routesdk_answered` or both, take any
    decision without raising, from several threads too, and leave it as it is.
    It is passed the arguments that it names, as the host does.

    Args:
        observer: What an observer's factory built, or a plugin with the hooks.

    Raises:
        AssertionError: A promise is broken; the text says which.
    """
    hooks = [
        name for name in ("routesdk_routed", "routesdk_answered") if callable(getattr(observer, name, None))
    ]
    require(
        bool(hooks),
        observer,
        "has neither routesdk_routed(decision, query) nor routesdk_answered(decision, query, answer)",
        "an observer implements at least one of them",
    )
    queries = (*script_queries(), *odd_queries())
    with ThreadPoolExecutor(4) as threads:
        told = [threads.submit(_tell, observer, hooks, index, query) for index, query in enumerate(queries)]
        for each in told:
            each.result()


def _tell(observer: object, hooks: Sequence[str], index: int, query: Query) -> None:
    policy = "Complex_Query" if index % 2 else "Standard_Query"
    cost = None if index % 3 else "0.000000001"
    decision = make_decision(query, policy=policy, estimated_cost_usd=cost, notices=("a notice",))
    before = attrs.asdict(decision, recurse=False)
    given = {"decision": decision, "query": query}
    answer = {"answer": Answer(text=query.text, model=decision.model)}
    promise = "an observer takes every decision and answer, by keyword, and returns nothing"
    for hook in hooks:
        tell = getattr(observer, hook)
        told = accepted(tell, given | answer if hook == "routesdk_answered" else given)
        said = call(observer, f"from {hook}", promise, partial(tell, **told))
        require(said is None, observer, f"returns {type(said).__name__} from {hook}", promise)
    unchanged = attrs.asdict(decision, recurse=False) == before
    require(unchanged, observer, "changes a decision", "a decision stays as it is: others read it too")
