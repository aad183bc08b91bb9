"""The queue of runs: leases and holds; `claims` takes the next run.

Theory of operation
-------------------
A run waits as `queued`. A worker claims it: the run is `running` under a lease that the worker renews.
Each claim has a number, and whatever a worker writes must name the run's present claim; so a worker that
was taken for dead cannot overwrite what its successor writes.

An attempt (see `attempts`) ends in a result, or void. A void attempt leaves no charges, no score and no
prediction: the run starts again from zero under the same seeds. The result of a worker whose lease expired
is accepted while nobody else has claimed the run. Two internal errors in a row, or three lost leases, hold
the run for the organizer; a held run waits, so its submission has not ended.

Fair turns: every run of a participant gets a turn when it is queued, one more than the last turn of its
team, and never less than the clock, which is the turn of the run claimed last. The lowest turn goes first.
So the runs of a team that queues a hundred submissions have turns far ahead, another team's first run comes
next, and a team gains nothing from having been away. A submission cancelled before a worker claimed any of
it uses no turns. Baselines, repeats and rejudges have no turns: they wait behind all participants, in order.
A worker that serves one round alone does not move the clock.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, or_, select, update
from sqlalchemy.orm import joinedload

from harness.errors import UsageError
from harness.records import Status
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import CANCELLED, AttemptRow, ClockRow, RunRow, SubmissionRow, TeamRow
from harness.store.sealed.settling import settle_submission
from harness.store.sealed.store import Transaction
from harness.store.values import TERMINAL, ClaimedRun, LeaseLost

__all__ = [
    "HELD_BY_WORKER",
    "LEASE_EXPIRED",
    "MAX_LOST_LEASES",
    "PLAIN_REASONS",
    "WITH_CONTEXT",
    "back_to_queue",
    "claimed_run",
    "give_turns",
    "heartbeat",
    "hold",
    "log_run",
    "release_hold",
    "release_run",
    "sweep",
    "sweep_expired",
    "take_back_everything",
]

MAX_LOST_LEASES = 3
"""Leases that expired, without a result between them, that hold a run."""

RELEASED = "released by the worker"
LEASE_EXPIRED = "the worker's lease expired"
ORPHANED = "no worker holds it"
PLAIN_REASONS = frozenset({CANCELLED, RELEASED, LEASE_EXPIRED, ORPHANED})
"""Reasons of a void attempt that everybody may read. Any other reason is the text of an error."""

WITH_CONTEXT = (joinedload(RunRow.submission).options(joinedload(SubmissionRow.round), joinedload(SubmissionRow.team)),)
"""What a worker needs with a run, in one query: the queue must stay quick when it is long."""

HELD_BY_WORKER = (Status.RUNNING, Status.SCORING)
"""States of a run under a lease."""


def give_turns(tx: Transaction, team: TeamRow, runs: Sequence[RunRow]) -> None:
    """Give runs of a team their turns, in the order given, fairly among those of other teams."""
    has_turns = (
        select(RunRow.id)
        .where(RunRow.submission_id == SubmissionRow.id, RunRow.turn > 0)
        .where((RunRow.status != Status.CANCELLED) | (RunRow.claim_number > 0))
    )
    # Turns of a team rise, so its newest submission with turns has the last one.
    newest = (
        select(SubmissionRow.id)
        .where(SubmissionRow.team_id == team.id, has_turns.exists())
        .order_by(SubmissionRow.id.desc())
        .limit(1)
    )
    last = tx.session.scalar(select(func.max(RunRow.turn)).where(RunRow.submission_id == newest.scalar_subquery()))
    first = max((last or 0) + 1, tx.session.scalar(select(ClockRow.turn)) or 0)
    for turn, run in enumerate(runs, start=first):
        run.turn = turn


def heartbeat(tx: Transaction, claim: ClaimedRun, lease_s: float) -> bool:
    """Renew the lease by `lease_s` from now. False: stop, the run no longer belongs to this worker."""
    result = tx.session.execute(
        update(RunRow)
        .where(RunRow.id == claim.run_id, RunRow.claim_number == claim.claim_number, RunRow.status.in_(HELD_BY_WORKER))
        .values(lease_expires_at=tx.now + timedelta(seconds=lease_s))
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", result).rowcount == 1


def release_run(tx: Transaction, claim: ClaimedRun) -> None:
    """Give a run back to the queue, as a worker does when it is stopped; nothing counts against the run.

    Raises:
        LeaseLost: the run no longer belongs to this worker.
    """
    run = claimed_run(tx, claim)
    _void_open(tx, run, RELEASED)
    back_to_queue(run)
    log_run(tx, run, "run released", detail={"worker": claim.worker})


def release_hold(tx: Transaction, run_id: int) -> None:
    """Queue a held run again, after the organizer has repaired the cause.

    Raises:
        UsageError: the run does not exist or is not held.
    """
    run = tx.session.get(RunRow, run_id)
    if run is None or not run.is_held:
        raise UsageError(f"run {run_id} is not held")
    run.is_held = False
    run.hold_reason = ""
    run.n_internal_errors = 0
    run.n_lost_leases = 0
    run.submission.revision += 1
    log_run(tx, run, "hold released")


def hold(run: RunRow, reason: str) -> None:
    """Keep a run from the queue until the organizer releases it.

    Args:
        run: the run.
        reason: in words that everybody may read; never the text of an error, which may quote data.
    """
    run.is_held = True
    run.hold_reason = f"{reason}; the organizer has been told, quota unaffected"


def sweep_expired(tx: Transaction, at_work: Collection[ClaimedRun] = ()) -> int:
    """Take back every run whose lease expired, except those in `at_work`; return how many."""
    expired = or_(RunRow.lease_expires_at.is_(None), RunRow.lease_expires_at < tx.now)
    is_expired = (RunRow.status.in_(HELD_BY_WORKER), expired)
    # Asked at every claim, and nearly always answered with no: so without the rows themselves.
    if tx.session.scalar(select(RunRow.id).where(*is_expired).limit(1)) is None:
        return 0
    alive = {(claim.run_id, claim.claim_number) for claim in at_work}
    runs = [
        run for run in tx.session.scalars(select(RunRow).where(*is_expired)) if (run.id, run.claim_number) not in alive
    ]
    for run in runs:
        _void_open(tx, run, LEASE_EXPIRED)
        run.n_lost_leases += 1
        if run.n_lost_leases >= MAX_LOST_LEASES:
            hold(run, f"the worker was lost {run.n_lost_leases} times during this run")
        detail = {"worker": run.worker, "is_held": run.is_held}
        back_to_queue(run)
        log_run(tx, run, "lease expired", detail=detail)
    tx.session.flush()
    return len(runs)


def sweep(tx: Transaction) -> int:
    """Repair every state that nothing would leave by itself; return how many were repaired.

    Each takes a process that died between two commits, or a store that was changed by hand: runs whose lease
    expired, open attempts without a claim, and submissions whose runs have all ended.
    """
    n_repaired = sweep_expired(tx)
    orphans = tx.session.scalars(
        select(AttemptRow)
        .join(RunRow)
        .where(
            AttemptRow.ended_at.is_(None),
            or_(RunRow.status.not_in(HELD_BY_WORKER), RunRow.claim_number != AttemptRow.claim_number),
        )
    ).all()
    for attempt in orphans:
        attempt.ended_at = tx.now
        attempt.void_reason = ORPHANED
    has_waiting = select(RunRow.id).where(RunRow.submission_id == SubmissionRow.id, RunRow.status.not_in(TERMINAL))
    unsettled = tx.session.scalars(
        select(SubmissionRow).where(SubmissionRow.status.not_in(TERMINAL), ~has_waiting.exists())
    ).all()
    for row in unsettled:
        settle_submission(tx, row)
    return n_repaired + len(orphans) + len(unsettled)


def take_back_everything(tx: Transaction, reason: str) -> int:
    """Queue again every run that a worker held, as after a restore; return how many there were."""
    held = tx.session.scalars(select(RunRow).where(RunRow.status.in_(HELD_BY_WORKER))).all()
    for run in held:
        _void_open(tx, run, reason)
        detail = {"worker": run.worker, "reason": reason}
        # A worker that still holds the old claim must not write any more.
        run.claim_number += 1
        back_to_queue(run)
        log_run(tx, run, "run taken back", detail=detail)
    return len(held)


def claimed_run(tx: Transaction, claim: ClaimedRun) -> RunRow:
    """Return the row of a run that the worker still holds.

    Raises:
        LeaseLost: it does not.
    """
    run = tx.session.get(RunRow, claim.run_id, options=WITH_CONTEXT)
    if run is None or run.claim_number != claim.claim_number or run.status not in HELD_BY_WORKER:
        raise LeaseLost(
            f"run {claim.run_id} is no longer held by {claim.worker} (claim {claim.claim_number}): "
            "its lease expired or the submission was cancelled; the attempt is dropped"
        )
    return run


def _void_open(tx: Transaction, run: RunRow, reason: str) -> None:
    for attempt in run.attempts:
        if attempt.ended_at is None:
            attempt.ended_at = tx.now
            attempt.void_reason = reason


def back_to_queue(run: RunRow) -> None:
    """Let a run wait for the next claim."""
    run.status = Status.QUEUED
    run.worker = None
    run.lease_expires_at = None
    run.submission.revision += 1


def log_run(
    tx: Transaction, run: RunRow, kind: str, *, attempt_id: int | None = None, detail: dict[str, Any] | None = None
) -> None:
    """Add a line about a run to the audit."""
    append_event(
        tx,
        kind,
        round_id=run.submission.round_id,
        submission_id=run.submission_id,
        run_id=run.id,
        attempt_id=attempt_id,
        detail=detail,
    )
