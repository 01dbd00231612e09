"""Offers the executor `local`: stages on this machine, in this process or in several."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import ge

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Executor


@attrs.frozen(kw_only=True)
class LocalConfig:
    """How many shards run at once.

    Attributes:
        workers: Processes; with 1, shards run in this one, one after the other.
    """

    workers: int = attrs.field(default=1, validator=ge(1))


def _local(config: LocalConfig) -> Executor:
    from routesdk.plugins.local.executor import LocalExecutor

    return LocalExecutor(config.workers)


@hookimpl
def routesdk_executors() -> Iterable[Component[Executor]]:
    """Offer stages on this machine."""
    yield Component(
        name="local",
        factory=_local,
        config=LocalConfig,
        summary="Runs stages on this machine, in one process or several.",
    )
