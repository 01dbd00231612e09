"""A plugin that hears of every decision, without a config."""

from __future__ import annotations

import logging

from routesdk import Decision, PluginHost, hookimpl
from routesdk.testing import check_observer, make_decision

logger = logging.getLogger("my_app.routing")


class Reporter:
    """Log where a query goes."""

    @hookimpl
    def routesdk_routed(self, decision: Decision) -> None:
        """Log one line; what is raised here is logged as well, and fails nothing."""
        logger.info("%s goes to %s", decision.query_id, decision.model)


check_observer(Reporter())
PluginHost([Reporter()]).routed(make_decision("How far is the Moon?"))
