"""Fixtures for the tests of plugins; pytest finds them by entry point.

Everything is imported inside the fixtures: every pytest of an environment with
routesdk loads this module, and most of them never ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from routesdk.host import PluginHost
    from routesdk.types import RouteContext


@pytest.fixture
def routesdk_host() -> PluginHost:
    """A host with the built-in plugins alone, whatever is installed."""
    from routesdk.testing import make_host

    return make_host()


@pytest.fixture
def routesdk_installed_host() -> PluginHost:
    """A host with every installed plugin: for testing one's own entry point."""
    from routesdk.host import PluginHost

    return PluginHost()


@pytest.fixture
def routesdk_context() -> Callable[..., RouteContext]:
    """The function `make_context`, which builds what a rule is shown."""
    from routesdk.testing import make_context

    return make_context


@pytest.fixture
def routesdk_offline() -> Iterator[None]:
    """Fail a test that reaches for the network from its own thread."""
    from routesdk.testing.watch import NETWORK, watching

    with watching(NETWORK) as seen:
        yield
    if seen:
        pytest.fail(f"the test reached for the network: {'; '.join(seen[:3])}", pytrace=False)
