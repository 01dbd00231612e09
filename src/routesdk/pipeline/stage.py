"""One stage on one file, wherever it is run: what it raises becomes the error of its result.

Every executor runs stages with these functions, so that a stage that works on this machine works on another.
A stage is a function that takes the path of a file and returns the path of a file; it is named by text.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from routesdk.errors import RouteSDKError, StageError
from routesdk.types import ShardResult


def resolve(stage_name: str) -> Callable[[Path], object]:
    """Find the function of a stage.

    Args:
        stage_name: `package.module:function`.

    Raises:
        ValueError: The name has another form, or there is no such module or function.
        Exception: What the module itself raises when it is imported.
    """
    module_name, separator, function_name = stage_name.partition(":")
    if not separator or not all(part.isidentifier() for part in [*module_name.split("."), function_name]):
        raise ValueError("its name is not of the form package.module:function")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the stage's own module lacks is another matter than a misspelt stage.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"there is no module {error.name!r}") from error
    function = getattr(module, function_name, None)
    if function is None:
        raise ValueError(f"module {module_name!r} has no {function_name!r}")
    if not callable(function):
        raise ValueError(f"{function_name!r} of module {module_name!r} is no function")
    return function  # type: ignore[no-any-return]


def check_stage(stage_name: str, *, elsewhere: bool = False) -> None:
    """See that a stage exists, before any shard is paid for.

    Args:
        stage_name: `package.module:function`.
        elsewhere: Whether it will run on another machine, which may have packages that are missing here.

    Raises:
        StageError: There is no such module or function, or the module cannot be imported here.
    """
    # In a thread, where a stage's module that exits does not take the process with it.
    with ThreadPoolExecutor(1) as thread:
        error = thread.submit(resolve, stage_name).exception()
    if error is None or (elsewhere and isinstance(error, ImportError)):
        return
    problem = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    raise StageError(stage_name, "every shard", problem) from error


def run_shard(stage_name: str, shard: Path) -> ShardResult:
    """Run a stage on one file.

    Args:
        stage_name: `package.module:function`.
        shard: The file.

    Returns:
        The file that the stage wrote, or why there is none.
    """
    # Errors leave a process as text, for not every exception can be pickled and read again.
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(_run, stage_name, shard)
        error = future.exception()
    if error is None:
        return ShardResult(shard, future.result())
    return ShardResult(shard, None, _describe(error))


def _run(stage_name: str, shard: Path) -> Path:
    output = resolve(stage_name)(shard)
    if not isinstance(output, Path):
        raise TypeError(f"the stage returned {type(output).__name__}, not the path that it wrote")
    if not output.exists():
        raise FileNotFoundError(f"the stage returned {output}, which does not exist")
    return output


def _describe(error: BaseException) -> str:
    if isinstance(error, RouteSDKError):
        # It says what was wrong and what to do; where it was raised is of no use to anyone.
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
