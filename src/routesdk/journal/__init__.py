"""The journal of a run: one SQLite file that survives any kill, and never lets a call be paid for twice."""

from __future__ import annotations

from routesdk.journal.key import call_key, provider_id
from routesdk.journal.merge import merge, partition
from routesdk.journal.record import Call, Ledger, Row, TierOutcome, Work
from routesdk.journal.store import Journal
from routesdk.journal.view import JournalView

__all__ = [
    "Call",
    "Journal",
    "JournalView",
    "Ledger",
    "Row",
    "TierOutcome",
    "Work",
    "call_key",
    "merge",
    "partition",
    "provider_id",
]
