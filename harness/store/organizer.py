"""Read-only questions of the organizer to the sealed store: private scores, holds, the audit.

The one reader of private scores beside the worker. The public board never imports this module.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, selectinload

from harness.metrics.ranking import Contender, choose, rank, total_score
from harness.records import Status
from harness.store.database import SEALED, database_errors, open_read_only
from harness.store.events import Event, to_event
from harness.store.rounds import find_round, list_rounds
from harness.store.sealed_schema import EventRow, RoundRow, RunRow, SubmissionRow
from harness.store.submissions import find_submission, to_stored_submission
from harness.store.transactions import utc_now
from harness.store.values import Phase, StoredSubmission, phase_at

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
class SealedEntry:
    """A complete submission that counts, with both scores.

    Attributes:
        submission_id: row number.
        team: as written by people: never markup.
        name: of the solver; never markup.
        is_baseline: a reference method.
        is_official: every run was made in a sandbox.
        public: total on the public rows, raw 0-100.
        private: total that publication would show, raw 0-100.
        calls: charged over all runs.
        public_rank: place among competitors by the public total; None if not ranked.
        private_rank: place that publication would give.
    """

    submission_id: int
    team: str
    name: str
    is_baseline: bool
    is_official: bool
    public: float | None
    private: float | None
    calls: int
    public_rank: int | None
    private_rank: int | None


@dataclass(frozen=True, slots=True)
class OrganizerSubmission:
    """A submission with private scores, every attempt at its runs, and its part of the audit."""

    submission: StoredSubmission
    attempts: tuple[AttemptLine, ...]
    events: tuple[Event, ...]


class OrganizerStore:
    """The sealed store, open for reading.

    Every question raises InfrastructureError if the file cannot be read at the moment.
    """

    def __init__(self, engine: Engine) -> None:
        """Read from an engine made by `open_read_only(SEALED, ...)`."""
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file so that nothing can be written through it.

        Raises:
            UsageError: it is missing, not a sealed store, or of another version than this code.
        """
        return cls(open_read_only(SEALED, path))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors("sealed"), Session(self._engine) as session:
            yield session

    def rounds(self) -> tuple[OrganizerRound, ...]:
        """Return every round, newest first."""
        with self._session() as session:
            counts: dict[int, dict[Status, int]] = {}
            held: dict[int, int] = {}
            for round_id, status, n_runs, n_held in session.execute(
                select(SubmissionRow.round_id, RunRow.status, func.count(), func.sum(RunRow.is_held))
                .join(RunRow)
                .group_by(SubmissionRow.round_id, RunRow.status)
            ):
                counts.setdefault(round_id, {})[status] = n_runs
                held[round_id] = held.get(round_id, 0) + int(n_held)
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
            round_row = find_round(session, name)
            rows = {
                row.id: row
                for row in session.scalars(
                    select(SubmissionRow)
                    .where(
                        SubmissionRow.round_id == round_row.id,
                        SubmissionRow.status == Status.FINISHED,
                        SubmissionRow.rejudge_id.is_(None),
                        SubmissionRow.repeat == 0,
                    )
                    .options(selectinload(SubmissionRow.team))
                )
            }
            totals = _totals(session, round_row)
        contenders = [_contender(row, totals[number]) for number, row in rows.items()]
        counted, _ = choose(contenders, round_row.rule)
        in_public = [replace(each, total=each.public_total) for each in counted]
        public_rank = {place.submission_id: place.rank for place in rank(in_public)}
        merits = {each.submission_id: each for each in counted}
        return tuple(
            _entry(rows[place.submission_id], merits[place.submission_id], public_rank, place.rank)
            for place in rank(counted)
        )

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


@dataclass(frozen=True, slots=True)
class _Totals:
    public: float | None
    private: float | None
    calls: int
    is_official: bool


def _totals(session: Session, round_row: RoundRow) -> dict[int, _Totals]:
    """Return submission -> its totals. The means of seeds are taken by the database: 250,000 runs are many."""
    means: dict[int, dict[int, Any]] = {}
    for line in session.execute(
        select(
            RunRow.submission_id,
            RunRow.task_id,
            func.count(),
            func.count(RunRow.score_public),
            func.avg(RunRow.score_public),
            func.count(RunRow.score_private),
            func.avg(RunRow.score_private),
            func.sum(RunRow.calls),
            func.min(RunRow.is_official),
        )
        .join(SubmissionRow)
        .where(SubmissionRow.round_id == round_row.id, SubmissionRow.status == Status.FINISHED)
        .group_by(RunRow.submission_id, RunRow.task_id)
    ):
        means.setdefault(line[0], {})[line[1]] = line[2:]
    totals = {}
    for number, of_task in means.items():
        public: dict[str, float | None] = {}
        private: dict[str, float | None] = {}
        for task in round_row.tasks:
            n_runs, n_public, mean_public, n_private, mean_private, _, _ = of_task[task.id]
            public[task.name] = mean_public if n_public == n_runs else None
            private[task.name] = (
                public[task.name]
                if not task.has_private_rows
                else mean_private
                if n_private == n_runs
                else None
            )
        totals[number] = _Totals(
            total_score(public),
            total_score(private),
            sum(line[5] for line in of_task.values()),
            all(line[6] for line in of_task.values()),
        )
    return totals


def _contender(row: SubmissionRow, totals: _Totals) -> Contender:
    return Contender(
        submission_id=row.id,
        owner=(row.team.name, row.name if row.is_baseline or row.is_example else ""),
        total=totals.private,
        public_total=totals.public,
        calls=totals.calls,
        submitted_at=row.submitted_at,
        is_ranked=not row.is_baseline,
        is_official=totals.is_official,
    )


def _entry(
    row: SubmissionRow, merit: Contender, public_rank: Mapping[int, int | None], private_rank: int | None
) -> SealedEntry:
    return SealedEntry(
        submission_id=row.id,
        team=row.team.name,
        name=row.name,
        is_baseline=row.is_baseline,
        is_official=merit.is_official,
        public=merit.public_total,
        private=merit.total,
        calls=merit.calls,
        public_rank=public_rank[row.id],
        private_rank=private_rank,
    )
