"""An observer with a config: it counts decisions by model, up to a limit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

import attrs
from attrs.validators import ge

from routesdk import Component, Decision, PluginHost, Query, hookimpl
from routesdk.protocols import Observer
from routesdk.testing import check_observer, make_decision


@attrs.frozen(kw_only=True)
class TallyConfig:
    """What the tally takes."""

    limit: int = attrs.field(default=1_000_000, validator=ge(1))


class Tally:
    """Count decisions by model."""

    def __init__(self, config: TallyConfig) -> None:
        self.models: Counter[str] = Counter()
        self._limit = config.limit
        self._lock = threading.Lock()

    def routesdk_routed(self, decision: Decision, query: Query) -> None:
        """Count one."""
        with self._lock:
            if self.models.total() < self._limit:
                self.models[decision.model] += 1


class TallyPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_observers(self) -> Iterable[Component[Observer]]:
        """Offer `tally`."""
        yield Component(name="tally", factory=Tally, config=TallyConfig, summary="Counts by model.")


host = PluginHost([TallyPlugin()])
check_observer(host.observer("tally"))
tally = host.observer("tally", limit=10)
query = Query("How far is the Moon?")
host.routed(make_decision(query), query, [tally])
print(tally.models)
