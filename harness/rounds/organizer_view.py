"""Data of the organizer's view: private scores, held runs, the audit. Read-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from harness.records import Phase, Status
from harness.store.sealed.events import newest_events, read_events
from harness.store.sealed.rounds import find_round, list_rounds
from harness.store.sealed.schema import AttemptRow, EventRow, RunRow, SubmissionRow
from harness.store.sealed.standings import SealedEntry, standings
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import find_submission, to_stored_submission
from harness.store.values import StoredSubmission

__all__ = ["HeldRun", "OrganizerRound", "OrganizerStore", "OrganizerSubmission"]


@dataclass(frozen=True, slots=True)
class OrganizerRound:
    """A round with its number of runs in each state, including staged copies and repeats."""

    name: str
    version: str
    full_name: str
    title: str
    phase: Phase
    frozen_at: datetime | None
    closes: datetime | None
    runs: Mapping[Status, int]
    n_held: int


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run on hold, and the platform errors that caused the hold, oldest first."""

    run_id: int
    submission_id: int
    team: str
    name: str
    task: str
    kshot_seed: int
    reason: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrganizerSubmission:
    """A submission with private scores, every attempt of its runs, and its part of the audit."""

    submission: StoredSubmission
    attempts: tuple[AttemptRow, ...]
    events: tuple[EventRow, ...]


class OrganizerStore:
    """Queries of the organizer's view on the sealed store, each in one read transaction."""

    def __init__(self, store: SealedStore) -> None:
        """Use a store opened with `SealedStore.open_to_read`."""
        self._store = store

    def rounds(self) -> tuple[OrganizerRound, ...]:
        """Return every round, newest first."""
        with self._store.read() as tx:
            counts: dict[int, dict[Status, int]] = {}
            held: dict[int, int] = {}
            for round_id, status, n_runs, n_held in tx.session.execute(
                select(SubmissionRow.round_id, RunRow.status, func.count(), func.count().filter(RunRow.is_held))
                .join(RunRow)
                .group_by(SubmissionRow.round_id, RunRow.status)
            ):
                counts.setdefault(round_id, {})[status] = n_runs
                held[round_id] = held.get(round_id, 0) + n_held
            return tuple(
                OrganizerRound(
                    name=each.config.name,
                    version=each.config.round.version,
                    full_name=each.full_name,
                    title=each.config.round.title,
                    phase=each.phase_at(tx.now),
                    frozen_at=each.frozen_at,
                    closes=each.config.round.closes,
                    runs=counts.get(each.id, {}),
                    n_held=held.get(each.id, 0),
                )
                for each in reversed(list_rounds(tx))
            )

    def held(self, name: str) -> tuple[HeldRun, ...]:
        """Return the runs of a round that are on hold.

        Raises:
            UsageError: there is no such round.
        """
        with self._store.read() as tx:
            rows = tx.session.scalars(
                select(RunRow)
                .join(SubmissionRow)
                .where(SubmissionRow.round_id == find_round(tx, name).id, RunRow.is_held)
                .options(selectinload(RunRow.attempts))
                .order_by(RunRow.id)
            )
            return tuple(
                HeldRun(
                    run_id=run.id,
                    submission_id=run.submission_id,
                    team=run.submission.team.name,
                    name=run.submission.name,
                    task=run.task,
                    kshot_seed=run.kshot_seed,
                    reason=run.hold_reason,
                    faults=tuple(attempt.void_reason for attempt in run.attempts if attempt.void_reason),
                )
                for run in rows
            )

    def standings(self, name: str) -> tuple[SealedEntry, ...]:
        """Return the counting entries of a round in the order of a publication now.

        Raises:
            UsageError: there is no such round.
        """
        with self._store.read() as tx:
            return standings(tx, find_round(tx, name))

    def submission(self, submission_id: int) -> OrganizerSubmission:
        """Return a submission, which may be a staged copy or a repeat.

        Raises:
            UsageError: no submission has that number.
        """
        with self._store.read() as tx:
            row = find_submission(tx, submission_id)
            return OrganizerSubmission(
                submission=to_stored_submission(row),
                attempts=tuple(attempt for run in row.runs for attempt in run.attempts),
                events=read_events(tx, submission_id),
            )

    def events(self, offset: int = 0, limit: int = 100) -> tuple[tuple[EventRow, ...], int]:
        """Return a page of the audit, newest first, and the total number of events."""
        with self._store.read() as tx:
            return newest_events(tx, offset, limit)
