"""An analyst that reasons from the query's length."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from routesdk import Component, PluginHost, Query, hookimpl
from routesdk.protocols import Analyst
from routesdk.testing import check_analyst


class Length:
    """Long questions ask for more."""

    async def reason(self, query: Query) -> str:
        """Write the reason; no answer, grade or model name is known here."""
        words = len(query.text.split())
        return f"The question has {words} words, which is {'long' if words > 30 else 'short'}."


class LengthPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_analysts(self) -> Iterable[Component[Analyst]]:
        """Offer `words`."""
        yield Component(name="words", factory=Length, summary="Reasons from the number of words.")


analyst = PluginHost([LengthPlugin()]).analyst("words")
check_analyst(analyst)
print(asyncio.run(analyst.reason(Query("How far is the Moon?"))))
