"""The queue of runs: claims, leases, attempts and results, as functions of an open session.

Theory of operation
-------------------
A run waits as `queued`. A worker claims it: the run is `running` under a lease that the worker
renews. Each claim has a number, and whatever a worker writes must name the run's present claim; so
a worker that was thought dead cannot write over the one that took its place.

An attempt is one try. It ends in a result, or void. A void attempt leaves no charges, no score and no
prediction: the run starts again from zero under the same seeds. Two internal errors in a row, or three
lost leases, hold the run for the organizer; a held run waits, so its submission has not ended.
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from harness.errors import InfrastructureError, UsageError
from harness.records import Status
from harness.store.events import append_event
from harness.store.sealed_schema import AttemptRow, PredictionRow, RunRow, SubmissionRow
from harness.store.submissions import TERMINAL, settle_parent
from harness.store.values import ClaimedRun, LeaseLost, RunResult

__all__ = [
    "MAX_INTERNAL_ERRORS",
    "MAX_LOST_LEASES",
    "claim_run",
    "finish_run",
    "has_waiting_runs",
    "heartbeat",
    "release_hold",
    "release_run",
    "start_attempt",
    "sweep_expired",
    "void_attempt",
]

MAX_INTERNAL_ERRORS = 2
"""Internal errors in a row that hold a run."""

MAX_LOST_LEASES = 3
"""Leases that ran out, without a result between them, that hold a run."""

_HELD_BY_WORKER = (Status.RUNNING, Status.SCORING)


def claim_run(
    session: Session, worker: str, lease_s: float, now: datetime, round_id: int | None = None
) -> RunRow | None:
    """Take the first waiting run, or None if nothing waits. Leases that ran out are swept first."""
    sweep_expired(session, now)
    first = select(RunRow.id).where(RunRow.status == Status.QUEUED, RunRow.is_held.is_(False))
    if round_id is not None:
        first = first.join(SubmissionRow).where(SubmissionRow.round_id == round_id)
    # SKIP LOCKED lets workers on PostgreSQL claim side by side; SQLite has one writer anyway.
    first = first.order_by(RunRow.priority, RunRow.id).limit(1).with_for_update(skip_locked=True)
    run_id = session.scalar(
        update(RunRow)
        .where(RunRow.id == first.scalar_subquery())
        .values(
            status=Status.RUNNING,
            worker=worker,
            claim_number=RunRow.claim_number + 1,
            lease_expires_at=now + timedelta(seconds=lease_s),
        )
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    if run_id is None:
        return None
    run = session.get_one(RunRow, run_id, populate_existing=True)
    if run.submission.status is not Status.RUNNING:
        run.submission.status = Status.RUNNING
    run.submission.revision += 1
    _trace(session, run, now, "run claimed", detail={"worker": worker, "claim": run.claim_number})
    return run


def has_waiting_runs(session: Session, round_id: int | None = None) -> bool:
    """Say whether a run is queued or held by a worker; runs on hold wait for the organizer instead."""
    waiting = select(RunRow.id).where(
        RunRow.status.in_((Status.QUEUED, *_HELD_BY_WORKER)), RunRow.is_held.is_(False)
    )
    if round_id is not None:
        waiting = waiting.join(SubmissionRow).where(SubmissionRow.round_id == round_id)
    return session.scalar(waiting.limit(1)) is not None


def heartbeat(session: Session, claim: ClaimedRun, lease_s: float, now: datetime) -> bool:
    """Renew the lease; False says that the run is no longer this worker's."""
    result = session.execute(
        update(RunRow)
        .where(
            RunRow.id == claim.run_id,
            RunRow.claim_number == claim.claim_number,
            RunRow.status.in_(_HELD_BY_WORKER),
        )
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
    )
    return cast("CursorResult[Any]", result).rowcount == 1


def start_attempt(session: Session, claim: ClaimedRun, now: datetime) -> AttemptRow:
    """Open an attempt of a claimed run.

    Raises:
        LeaseLost: the run is no longer this worker's.
        InfrastructureError: an attempt is open under this claim.
    """
    run = _claimed(session, claim)
    if any(attempt.ended_at is None for attempt in run.attempts):
        raise InfrastructureError(f"run {run.id} has an open attempt; end it before another starts")
    number = 1 + (session.scalar(select(func.max(AttemptRow.number)).where(AttemptRow.run_id == run.id)) or 0)
    attempt = AttemptRow(
        run_id=run.id,
        number=number,
        claim_number=claim.claim_number,
        worker=claim.worker,
        started_at=now,
    )
    session.add(attempt)
    session.flush()
    _trace(session, run, now, "attempt started", attempt_id=attempt.id, detail={"number": number})
    return attempt


def void_attempt(session: Session, attempt_id: int, reason: str, now: datetime) -> bool:
    """End an attempt after an internal error; the run waits again. True says that it is held now.

    Raises:
        LeaseLost: the run has gone to another worker, or was cancelled.
    """
    attempt, run = _open_attempt(session, attempt_id)
    attempt.ended_at = now
    attempt.void_reason = reason
    run.n_internal_errors += 1
    run.is_held = run.n_internal_errors >= MAX_INTERNAL_ERRORS
    _back_to_queue(run)
    _trace(
        session,
        run,
        now,
        "attempt void",
        attempt_id=attempt.id,
        detail={"reason": reason, "is_held": run.is_held},
    )
    return run.is_held


def finish_run(
    session: Session, claim: ClaimedRun, attempt_id: int, result: RunResult, now: datetime
) -> None:
    """Store the result of a run; storing the same result of the same attempt again changes nothing.

    Raises:
        LeaseLost: the run has gone to another worker, or was cancelled.
        InfrastructureError: the attempt is not one of this run, or a score is missing.
    """
    known = session.get(AttemptRow, attempt_id)
    if known is None or known.run_id != claim.run_id:
        raise InfrastructureError(f"attempt {attempt_id} is not one of run {claim.run_id}")
    if _is_stored(known, result):
        return
    run = _claimed(session, claim)
    attempt, _ = _open_attempt(session, attempt_id)
    _check_scores(run, result)
    attempt.ended_at = now
    run.status = Status.FAILED if result.score_public is None else Status.FINISHED
    run.worker = None
    run.lease_expires_at = None
    run.n_internal_errors = 0
    run.n_lost_leases = 0
    run.verdict = result.verdict
    run.is_flagged = result.is_flagged
    run.score_public = result.score_public
    run.score_private = result.score_private
    run.calls = result.usage.calls
    run.usage = asdict(result.usage)
    run.message = result.message
    run.artifact_path = result.artifact_path
    run.artifact_sha256 = result.artifact_sha256
    run.hashes = dict(result.hashes)
    run.train_loss_curve = [[calls, loss] for calls, loss in result.train_loss_curve if np.isfinite(loss)]
    run.wall_s = result.wall_s
    run.started_at = result.started_at
    run.ended_at = result.ended_at
    if result.predictions is not None:
        classes = np.ascontiguousarray(result.predictions, dtype="<i8").tobytes()
        session.merge(PredictionRow(run_id=run.id, classes=classes))
    _trace(
        session,
        run,
        now,
        "run ended",
        attempt_id=attempt.id,
        detail={"verdict": result.verdict, "calls": result.usage.calls, "artifact": result.artifact_sha256},
    )
    settle_parent(session, run.submission, now)


def release_run(session: Session, claim: ClaimedRun, now: datetime) -> None:
    """Give a run back unharmed, as a worker does that is told to stop; nothing counts against it.

    Raises:
        LeaseLost: the run is no longer this worker's.
    """
    run = _claimed(session, claim)
    _void_open(run, "released by the worker", now)
    _back_to_queue(run)
    _trace(session, run, now, "run released", detail={"worker": claim.worker})


def release_hold(session: Session, run_id: int, now: datetime) -> None:
    """Let a held run wait in the queue again, as the organizer does after mending the cause.

    Raises:
        UsageError: the run does not exist or is not held.
    """
    run = session.get(RunRow, run_id)
    if run is None or not run.is_held:
        raise UsageError(f"run {run_id} is not held")
    run.is_held = False
    run.n_internal_errors = 0
    run.n_lost_leases = 0
    run.submission.revision += 1
    _trace(session, run, now, "hold released")


def sweep_expired(session: Session, now: datetime) -> int:
    """Take back every run whose lease ran out; return how many there were."""
    expired = session.scalars(
        select(RunRow).where(RunRow.status.in_(_HELD_BY_WORKER), RunRow.lease_expires_at < now)
    ).all()
    for run in expired:
        _void_open(run, "the worker's lease ran out", now)
        run.n_lost_leases += 1
        run.is_held = run.n_lost_leases >= MAX_LOST_LEASES
        detail = {"worker": run.worker, "is_held": run.is_held}
        _back_to_queue(run)
        _trace(session, run, now, "lease ran out", detail=detail)
    session.flush()
    return len(expired)


def _claimed(session: Session, claim: ClaimedRun) -> RunRow:
    run = session.get(RunRow, claim.run_id)
    if run is None or run.claim_number != claim.claim_number or run.status not in _HELD_BY_WORKER:
        raise LeaseLost(
            f"run {claim.run_id} is no longer held by {claim.worker} (claim {claim.claim_number}): "
            "its lease ran out or the submission was cancelled; the attempt is dropped"
        )
    return run


def _open_attempt(session: Session, attempt_id: int) -> tuple[AttemptRow, RunRow]:
    attempt = session.get(AttemptRow, attempt_id)
    if attempt is None:
        raise InfrastructureError(f"no attempt {attempt_id}")
    run = attempt.run
    if attempt.ended_at is not None or run.claim_number != attempt.claim_number or run.status in TERMINAL:
        raise LeaseLost(f"attempt {attempt_id} has ended ({attempt.void_reason or 'with a result'})")
    return attempt, run


def _check_scores(run: RunRow, result: RunResult) -> None:
    """A missing private score would show itself only when the round is published, far too late."""
    has_private_score = result.score_private is not None
    if result.score_public is not None and has_private_score is not run.task.has_private_rows:
        expected = "a private score" if run.task.has_private_rows else "no private score"
        raise InfrastructureError(
            f"run {run.id} of task {run.task.name} came with score_private={result.score_private}; "
            f"expected {expected}, since has_private_rows={run.task.has_private_rows}"
        )


def _is_stored(attempt: AttemptRow, result: RunResult) -> bool:
    """A crash after the commit makes the worker store again what is stored."""
    return (
        attempt.ended_at is not None
        and attempt.void_reason is None
        and attempt.run.status in TERMINAL
        and attempt.run.artifact_sha256 == result.artifact_sha256
        and attempt.run.verdict is result.verdict
    )


def _void_open(run: RunRow, reason: str, now: datetime) -> None:
    for attempt in run.attempts:
        if attempt.ended_at is None:
            attempt.ended_at = now
            attempt.void_reason = reason


def _back_to_queue(run: RunRow) -> None:
    run.status = Status.QUEUED
    run.worker = None
    run.lease_expires_at = None
    run.submission.revision += 1


def _trace(
    session: Session,
    run: RunRow,
    now: datetime,
    kind: str,
    *,
    attempt_id: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
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
