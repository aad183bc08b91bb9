"""The queue of runs: leases and holds, as functions of an open session; `claims` takes the next run.

Theory of operation
-------------------
A run waits as `queued`. A worker claims it: the run is `running` under a lease that the worker
renews. Each claim has a number, and whatever a worker writes must name the run's present claim; so
a worker that was thought dead cannot write over the one that took its place.

An attempt (see `attempts`) ends in a result, or void. A void attempt leaves no charges, no score and no
prediction: the run starts again from zero under the same seeds. The result of a worker that could not
renew its lease is taken all the same while nobody else has claimed the run. Two internal errors in a row, or three
lost leases, hold the run for the organizer; a held run waits, so its submission has not ended.

Whose run is next: every run of a participant gets a turn when it is queued, one more than the last one of its
team, and never less than the clock, which is the turn of the run claimed last. The lowest turn goes first. So
a team that queues a hundred submissions has turns far ahead, and another team's first run comes next; and
a team that was away gains nothing from it. A submission that was cancelled before a worker took any of it costs none.
Reference methods, repeats and rejudges have no turns: they wait behind everybody, in their own order. A
worker that serves one round alone leaves the clock as it is, for the others' sake.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from harness.errors import UsageError
from harness.records import Status
from harness.store.events import append_event
from harness.store.sealed_schema import AttemptRow, ClockRow, RunRow, SubmissionRow, TeamRow
from harness.store.settling import settle_parent
from harness.store.values import TERMINAL, ClaimedRun, LeaseLost

__all__ = [
    "CANCELLED",
    "HELD_BY_WORKER",
    "LEASE_RAN_OUT",
    "MAX_LOST_LEASES",
    "PLAIN_REASONS",
    "WITH_CONTEXT",
    "back_to_queue",
    "claimed_run",
    "give_turns",
    "heartbeat",
    "hold",
    "release_hold",
    "release_run",
    "sweep",
    "sweep_expired",
    "take_back_everything",
    "trace",
]

MAX_LOST_LEASES = 3
"""Leases that ran out, without a result between them, that hold a run."""

CANCELLED = "cancelled"
RELEASED = "released by the worker"
LEASE_RAN_OUT = "the worker's lease ran out"
ORPHANED = "no worker holds it"
PLAIN_REASONS = frozenset({CANCELLED, RELEASED, LEASE_RAN_OUT, ORPHANED})
"""Why an attempt is void, in words that everybody may read. Any other reason is the text of an error."""

WITH_CONTEXT = (
    joinedload(RunRow.task),
    joinedload(RunRow.submission).options(joinedload(SubmissionRow.round), joinedload(SubmissionRow.team)),
)
"""What a worker needs with a run, in one query: the queue must stay quick when it is long."""

HELD_BY_WORKER = (Status.RUNNING, Status.SCORING)
"""States of a run that stands under a lease."""


def give_turns(session: Session, team: TeamRow, runs: Sequence[RunRow]) -> None:
    """Queue runs of a team, in the order given, fairly among those of other teams."""
    has_turns = (
        select(RunRow.id)
        .where(RunRow.submission_id == SubmissionRow.id, RunRow.turn > 0)
        .where((RunRow.status != Status.CANCELLED) | (RunRow.claim_number > 0))
    )
    # Turns of a team rise: the newest submission that used any has the last one.
    newest = (
        select(SubmissionRow.id)
        .where(SubmissionRow.team_id == team.id, has_turns.exists())
        .order_by(SubmissionRow.id.desc())
        .limit(1)
    )
    last = session.scalar(
        select(func.max(RunRow.turn)).where(RunRow.submission_id == newest.scalar_subquery())
    )
    first = max((last or 0) + 1, session.scalar(select(ClockRow.turn)) or 0)
    for turn, run in enumerate(runs, start=first):
        run.turn = turn


def heartbeat(session: Session, claim: ClaimedRun, lease_s: float, now: datetime) -> bool:
    """Renew the lease; False says that the run is no longer this worker's."""
    result = session.execute(
        update(RunRow)
        .where(
            RunRow.id == claim.run_id,
            RunRow.claim_number == claim.claim_number,
            RunRow.status.in_(HELD_BY_WORKER),
        )
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", result).rowcount == 1


def release_run(session: Session, claim: ClaimedRun, now: datetime) -> None:
    """Give a run back unharmed, as a worker does that is told to stop; nothing counts against it.

    Raises:
        LeaseLost: the run is no longer this worker's.
    """
    run = claimed_run(session, claim)
    _void_open(run, RELEASED, now)
    back_to_queue(run)
    trace(session, run, now, "run released", detail={"worker": claim.worker})


def release_hold(session: Session, run_id: int, now: datetime) -> None:
    """Let a held run wait in the queue again, as the organizer does after mending the cause.

    Raises:
        UsageError: the run does not exist or is not held.
    """
    run = session.get(RunRow, run_id)
    if run is None or not run.is_held:
        raise UsageError(f"run {run_id} is not held")
    run.is_held = False
    run.hold_reason = ""
    run.n_internal_errors = 0
    run.n_lost_leases = 0
    run.submission.revision += 1
    trace(session, run, now, "hold released")


def hold(run: RunRow, reason: str) -> None:
    """Keep a run from the queue until the organizer releases it.

    Args:
        run: the run.
        reason: in words that everybody may read; never the text of an error, which may quote data.
    """
    run.is_held = True
    run.hold_reason = f"{reason}; the organizer was told, and it counts against nobody's quota"


def sweep_expired(session: Session, now: datetime, at_work: Collection[ClaimedRun] = ()) -> int:
    """Take back every run whose lease ran out, but those that the caller is at work on; return how many."""
    ran_out = or_(RunRow.lease_expires_at.is_(None), RunRow.lease_expires_at < now)
    is_expired = (RunRow.status.in_(HELD_BY_WORKER), ran_out)
    # Asked at every claim, and nearly always answered with no: so without the rows themselves.
    if session.scalar(select(RunRow.id).where(*is_expired).limit(1)) is None:
        return 0
    alive = {(claim.run_id, claim.claim_number) for claim in at_work}
    expired = [
        run
        for run in session.scalars(select(RunRow).where(*is_expired))
        if (run.id, run.claim_number) not in alive
    ]
    for run in expired:
        _void_open(run, LEASE_RAN_OUT, now)
        run.n_lost_leases += 1
        if run.n_lost_leases >= MAX_LOST_LEASES:
            hold(run, f"the worker was lost {run.n_lost_leases} times during this run")
        detail = {"worker": run.worker, "is_held": run.is_held}
        back_to_queue(run)
        trace(session, run, now, "lease ran out", detail=detail)
    session.flush()
    return len(expired)


def sweep(session: Session, now: datetime) -> int:
    """Mend every state that nothing would leave by itself; return how much was mended.

    Each of these takes a process that died between two commits, or a store that was changed by hand: runs
    whose lease ran out, open attempts that no claim stands behind, and submissions whose runs have all
    ended.
    """
    n_mended = sweep_expired(session, now)
    orphans = session.scalars(
        select(AttemptRow)
        .join(RunRow)
        .where(
            AttemptRow.ended_at.is_(None),
            or_(RunRow.status.not_in(HELD_BY_WORKER), RunRow.claim_number != AttemptRow.claim_number),
        )
    ).all()
    for attempt in orphans:
        attempt.ended_at = now
        attempt.void_reason = ORPHANED
    has_waiting = select(RunRow.id).where(
        RunRow.submission_id == SubmissionRow.id, RunRow.status.not_in(TERMINAL)
    )
    unsettled = session.scalars(
        select(SubmissionRow).where(SubmissionRow.status.not_in(TERMINAL), ~has_waiting.exists())
    ).all()
    for row in unsettled:
        settle_parent(session, row, now)
    return n_mended + len(orphans) + len(unsettled)


def take_back_everything(session: Session, reason: str, now: datetime) -> int:
    """Queue again every run that a worker held; it counts against nobody. Return how many there were."""
    held = session.scalars(select(RunRow).where(RunRow.status.in_(HELD_BY_WORKER))).all()
    for run in held:
        _void_open(run, reason, now)
        detail = {"worker": run.worker, "reason": reason}
        # Whoever believes to hold it must not write any more.
        run.claim_number += 1
        back_to_queue(run)
        trace(session, run, now, "run taken back", detail=detail)
    return len(held)


def claimed_run(session: Session, claim: ClaimedRun) -> RunRow:
    """Return the row of a run that the worker still holds.

    Raises:
        LeaseLost: it does not.
    """
    run = session.get(RunRow, claim.run_id, options=WITH_CONTEXT)
    if run is None or run.claim_number != claim.claim_number or run.status not in HELD_BY_WORKER:
        raise LeaseLost(
            f"run {claim.run_id} is no longer held by {claim.worker} (claim {claim.claim_number}): "
            "its lease ran out or the submission was cancelled; the attempt is dropped"
        )
    return run


def _void_open(run: RunRow, reason: str, now: datetime) -> None:
    for attempt in run.attempts:
        if attempt.ended_at is None:
            attempt.ended_at = now
            attempt.void_reason = reason


def back_to_queue(run: RunRow) -> None:
    """Let a run wait for the next claim."""
    run.status = Status.QUEUED
    run.worker = None
    run.lease_expires_at = None
    run.submission.revision += 1


def trace(
    session: Session,
    run: RunRow,
    now: datetime,
    kind: str,
    *,
    attempt_id: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Leave an event about a run."""
    append_event(
        session,
        now,
        kind,
        round_id=run.submission.round_id,
        submission_id=run.submission_id,
        run_id=run.id,
        attempt_id=attempt_id,
        detail=detail,
    )
