"""The two stores of an arena: the worker's sealed one, and the public one derived from it."""

from harness.metrics.ranking import ScoringRule
from harness.records import Phase
from harness.store.board import Board, BoardRound, BoardTask, Curve, Entry, RunLine, SubmissionPage, Upload
from harness.store.database import StoreUnavailable
from harness.store.events import Event
from harness.store.paths import ArenaPaths
from harness.store.publisher import Publisher
from harness.store.queries import PublicStore
from harness.store.run_result import RunResult
from harness.store.teams import BASELINE_TEAM
from harness.store.values import (
    ClaimedRun,
    LeaseLost,
    RoundFacts,
    StoredRejudge,
    StoredRound,
    StoredRun,
    StoredSubmission,
    TaskFacts,
)
from harness.store.writer import SealedStore

__all__ = [
    "BASELINE_TEAM",
    "ArenaPaths",
    "Board",
    "BoardRound",
    "BoardTask",
    "ClaimedRun",
    "Curve",
    "Entry",
    "Event",
    "LeaseLost",
    "Phase",
    "PublicStore",
    "Publisher",
    "RoundFacts",
    "RunLine",
    "RunResult",
    "ScoringRule",
    "SealedStore",
    "StoreUnavailable",
    "StoredRejudge",
    "StoredRound",
    "StoredRun",
    "StoredSubmission",
    "SubmissionPage",
    "TaskFacts",
    "Upload",
]
