"""A plugin that hears of every decision, without a config."""

from __future__ import annotations

import logging

from routesdk import Decision, PluginHost, Query, hookimpl
from routesdk.testing import check_observer, make_decision

logger = logging.getLogger("my_app.routing")


class Reporter:
    """Log where a query goes."""

    @hookimpl
    def routesdk_routed(self, decision: Decision, query: Query) -> None:
        """Log one line; what is raised here is logged as well, and fails nothing."""
        logger.info("%d characters go to %s", len(query.text), decision.model)


check_observer(Reporter())
query = Query("How far is the Moon?")
PluginHost([Reporter()]).routed(make_decision(query), query)
