"""An executor that runs one shard after the other, in this process."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from routesdk import Component, PluginHost, hookimpl
from routesdk.errors import StageError
from routesdk.host import attempt
from routesdk.protocols import Executor
from routesdk.testing import check_executor
from routesdk.types import ShardResult


class OneByOne:
    """Run a stage on each file in turn."""

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        """Run it; a shard that fails is reported, and the others go on."""
        module, _, function = stage_name.partition(":")
        try:
            stage = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise StageError(stage_name, "every shard", f"it cannot be imported ({error})") from error
        for shard in shard_files:
            output, error = attempt(stage, shard)
            yield ShardResult(shard, output, "" if error is None else f"{type(error).__name__}: {error}")


class OneByOnePlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_executors(self) -> Iterable[Component[Executor]]:
        """Offer `one-by-one`."""
        yield Component(name="one-by-one", factory=OneByOne, summary="One shard after the other.")


executor = PluginHost([OneByOnePlugin()]).executor("one-by-one")
check_executor(executor)
print("the executor keeps its contract")
