"""The meter: the budget unit, the per-attempt budget and its append-only journal."""

from harness.metering.call import call_cost
from harness.metering.journal import Journal, JournalEntry, read_journal
from harness.metering.meter import Meter

__all__ = ["Journal", "JournalEntry", "Meter", "call_cost", "read_journal"]
