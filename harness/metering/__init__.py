"""The budget unit, the meter of an attempt and its append-only journal."""

from harness.metering.call import call_cost
from harness.metering.journal import Journal, JournalEntry, read_journal
from harness.metering.meter import Meter

__all__ = ["Journal", "JournalEntry", "Meter", "call_cost", "read_journal"]
