"""Read-only questions of the organizer to the sealed store: private scores, holds, the audit.

The one reader of private scores beside the worker. The public board never imports this module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from harness.records import Phase, Status, phase_at
from harness.store.database import SEALED
from harness.store.events import Event, to_event
from harness.store.reader import Reader
from harness.store.rounds import find_round, list_rounds
from harness.store.sealed_schema import EventRow, RunRow, SubmissionRow
from harness.store.standings import SealedEntry, standings
from harness.store.submissions import find_submission, to_stored_submission
from harness.store.transactions import utc_now
from harness.store.values import StoredSubmission

__all__ = [
    "AttemptLine",
    "HeldRun",
    "OrganizerRound",
    "OrganizerStore",
    "OrganizerSubmission",
    "SealedEntry",
]


@dataclass(frozen=True, slots=True)
class OrganizerRound:
    """A round, and how many of its runs are in each state; staged copies and repeats count too."""

    name: str
    version: str
    title: str
    phase: Phase
    frozen_at: datetime | None
    closes: datetime | None
    runs: Mapping[Status, int]
    n_held: int


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One try at a run; `void_reason` says which fault of ours ended it, None if none did."""

    run_id: int
    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    void_reason: str | None


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run that waits for the organizer, and the faults that brought it there, oldest first."""

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
    """A submission with private scores, every attempt at its runs, and its part of the audit."""

    submission: StoredSubmission
    attempts: tuple[AttemptLine, ...]
    events: tuple[Event, ...]


class OrganizerStore(Reader):
    """The sealed store, open for reading."""

    schema = SEALED

    def rounds(self) -> tuple[OrganizerRound, ...]:
        """Return every round, newest first."""
        with self._session() as session:
            counts: dict[int, dict[Status, int]] = {}
            held: dict[int, int] = {}
            for round_id, status, n_runs, n_held in session.execute(
                select(
                    SubmissionRow.round_id, RunRow.status, func.count(), func.count().filter(RunRow.is_held)
                )
                .join(RunRow)
                .group_by(SubmissionRow.round_id, RunRow.status)
            ):
                counts.setdefault(round_id, {})[status] = n_runs
                held[round_id] = held.get(round_id, 0) + n_held
            return tuple(
                OrganizerRound(
                    name=row.name,
                    version=row.version,
                    title=row.title,
                    phase=phase_at(row.phase, row.opens, row.closes, utc_now()),
                    frozen_at=row.frozen_at,
                    closes=row.closes,
                    runs=counts.get(row.id, {}),
                    n_held=held.get(row.id, 0),
                )
                for row in reversed(list_rounds(session))
            )

    def held(self, name: str) -> tuple[HeldRun, ...]:
        """Return the runs of a round that wait for the organizer.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            rows = session.scalars(
                select(RunRow)
                .join(SubmissionRow)
                .where(SubmissionRow.round_id == find_round(session, name).id, RunRow.is_held)
                .options(selectinload(RunRow.attempts))
                .order_by(RunRow.id)
            )
            return tuple(
                HeldRun(
                    run_id=run.id,
                    submission_id=run.submission_id,
                    team=run.submission.team.name,
                    name=run.submission.name,
                    task=run.task.name,
                    kshot_seed=run.kshot_seed,
                    reason=run.hold_reason,
                    faults=tuple(attempt.void_reason for attempt in run.attempts if attempt.void_reason),
                )
                for run in rows
            )

    def standings(self, name: str) -> tuple[SealedEntry, ...]:
        """Return the entries of a round that count, in the order that publication would give now.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            return standings(session, find_round(session, name))

    def submission(self, submission_id: int) -> OrganizerSubmission:
        """Return a submission, staged copies and repeats too.

        Raises:
            UsageError: there is none of that number.
        """
        with self._session() as session:
            row = find_submission(session, submission_id)
            return OrganizerSubmission(
                submission=to_stored_submission(row),
                attempts=tuple(
                    AttemptLine(
                        run.id,
                        attempt.number,
                        attempt.worker,
                        attempt.started_at,
                        attempt.ended_at,
                        attempt.void_reason,
                    )
                    for run in row.runs
                    for attempt in run.attempts
                ),
                events=tuple(
                    to_event(each)
                    for each in session.scalars(
                        select(EventRow).where(EventRow.submission_id == submission_id).order_by(EventRow.id)
                    )
                ),
            )

    def events(self, offset: int = 0, limit: int = 100) -> tuple[Sequence[Event], int]:
        """Return a part of the audit, newest first, and how many lines it has in all."""
        with self._session() as session:
            rows = session.scalars(select(EventRow).order_by(EventRow.id.desc()).offset(offset).limit(limit))
            return [to_event(row) for row in rows], session.scalar(select(func.count(EventRow.id))) or 0
