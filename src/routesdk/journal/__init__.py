"""The journal of a run: one SQLite file that survives any kill, and never lets a call be paid for twice."""

from __future__ import annotations

from routesdk.journal.key import call_key, names_a_path, provider_id
from routesdk.journal.merge import merge, occupied, partition, parts_in, remove
from routesdk.journal.record import Call, Ledger, Row, TierOutcome, Work
from routesdk.journal.schema import is_journal
from routesdk.journal.store import Journal
from routesdk.journal.view import Attempt, Bill, JournalView

__all__ = [
    "Attempt",
    "Bill",
    "Call",
    "Journal",
    "JournalView",
    "Ledger",
    "Row",
    "TierOutcome",
    "Work",
    "call_key",
    "is_journal",
    "merge",
    "names_a_path",
    "occupied",
    "partition",
    "parts_in",
    "provider_id",
    "remove",
]
