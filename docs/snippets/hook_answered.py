"""A plugin that adds up what answers cost."""

from __future__ import annotations

import threading
from decimal import Decimal

from routesdk import PluginHost, Query, hookimpl
from routesdk.testing import check_observer, make_decision
from routesdk.types import Answer, Usage


class Bill:
    """Add up known costs, and count unknown ones."""

    def __init__(self) -> None:
        self.total_usd = Decimal()
        self.unknown = 0
        self._lock = threading.Lock()

    @hookimpl
    def routesdk_answered(self, answer: Answer) -> None:
        """Take note of one answer; a hook names the arguments that it wants, and gets no others."""
        with self._lock:
            if answer.usage.cost_usd is None:
                self.unknown += 1
            else:
                self.total_usd += answer.usage.cost_usd


check_observer(Bill())
bill = Bill()
answer = Answer(text="384,400 km", model="medium-model", usage=Usage(output_tokens=5, cost_usd="0.00002"))
query = Query("How far is the Moon?")
PluginHost([bill]).answered(make_decision(query), query, answer)
print(bill.total_usd, "USD,", bill.unknown, "unknown")
