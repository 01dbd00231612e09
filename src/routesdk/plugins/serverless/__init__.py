"""Offers the executor `modal`: stages on Modal's machines, with or without a GPU."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.hookspecs import hookimpl
from routesdk.plugins.serverless.config import ModalConfig
from routesdk.protocols import Component, Executor


def _modal(config: ModalConfig) -> Executor:
    from routesdk.plugins.serverless.executor import ModalExecutor

    return ModalExecutor(config)


@hookimpl
def routesdk_executors() -> Iterable[Component[Executor]]:
    """Offer stages on Modal."""
    yield Component(
        name="modal",
        factory=_modal,
        config=ModalConfig,
        summary="Runs stages on Modal: many containers at once, with a GPU where one is named.",
        install='pip install "routesdk[modal]"',
    )
