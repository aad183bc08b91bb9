"""Attempts at a claimed run: one try each, ending in a result or void, as functions of an open session."""

from dataclasses import asdict
from datetime import datetime

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from harness.errors import InfrastructureError
from harness.records import Status
from harness.store.queue import LEASE_RAN_OUT, WITH_CONTEXT, back_to_queue, claimed_run, hold, trace
from harness.store.run_result import RunResult
from harness.store.sealed_schema import AttemptRow, PredictionRow, RunRow
from harness.store.settling import settle_parent
from harness.store.submissions import charge
from harness.store.values import TERMINAL, ClaimedRun, LeaseLost

__all__ = [
    "MAX_INTERNAL_ERRORS",
    "finish_run",
    "note_metered",
    "start_attempt",
    "start_scoring",
    "void_attempt",
]

MAX_INTERNAL_ERRORS = 2
"""Internal errors in a row that hold a run."""


_WITH_RUN = (joinedload(AttemptRow.run).options(*WITH_CONTEXT),)


def start_attempt(session: Session, claim: ClaimedRun, now: datetime) -> AttemptRow:
    """Open an attempt of a claimed run.

    Raises:
        LeaseLost: the run is no longer this worker's.
        InfrastructureError: an attempt is open under this claim.
    """
    run = claimed_run(session, claim)
    n_open, last = session.execute(
        select(func.count().filter(AttemptRow.ended_at.is_(None)), func.max(AttemptRow.number)).where(
            AttemptRow.run_id == run.id
        )
    ).one()
    if n_open:
        raise InfrastructureError(f"run {run.id} has an open attempt; end it before another starts")
    number = 1 + (last or 0)
    attempt = AttemptRow(
        run_id=run.id,
        number=number,
        claim_number=claim.claim_number,
        worker=claim.worker,
        started_at=now,
    )
    session.add(attempt)
    session.flush()
    trace(session, run, now, "attempt started", attempt_id=attempt.id, detail={"number": number})
    return attempt


def note_metered(session: Session, attempt_id: int, now: datetime) -> None:
    """Remember that an attempt was charged its first call: cancelled from now on, it counts."""
    attempt, _ = _open_attempt(session, attempt_id)
    if attempt.metered_at is None:
        attempt.metered_at = now


def start_scoring(session: Session, attempt_id: int, now: datetime) -> None:
    """Note, before the first test row is read, that an attempt's are; cancelled from now on, it counts."""
    attempt, run = _open_attempt(session, attempt_id)
    if run.status is Status.SCORING:
        return
    run.status = Status.SCORING
    run.submission.revision += 1
    if attempt.metered_at is None:
        attempt.metered_at = now
    trace(
        session,
        run,
        now,
        "scoring started",
        attempt_id=attempt.id,
        detail={"task": run.task.name, "rows": "all"},
    )


def void_attempt(session: Session, attempt_id: int, reason: str, now: datetime) -> bool:
    """End an attempt after an internal error; the run waits again. True says that it is held now.

    Raises:
        LeaseLost: the run has gone to another worker, or was cancelled.
    """
    attempt, run = _open_attempt(session, attempt_id)
    attempt.ended_at = now
    attempt.void_reason = reason
    run.n_internal_errors += 1
    if run.n_internal_errors >= MAX_INTERNAL_ERRORS:
        hold(run, f"{run.n_internal_errors} faults of ours in a row")
    back_to_queue(run)
    trace(
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

    The lease may have run out meanwhile, as long as nobody has claimed the run since.

    Raises:
        LeaseLost: the run has gone to another worker, or was cancelled.
        InfrastructureError: the attempt is not one of this run, or a score is missing.
    """
    known = session.get(AttemptRow, attempt_id, options=_WITH_RUN)
    if known is None or known.run_id != claim.run_id:
        raise InfrastructureError(f"attempt {attempt_id} is not one of run {claim.run_id}")
    if _is_stored(known, result):
        return
    if _is_taken_back(known, claim):
        attempt, run = known, known.run
        attempt.void_reason = None
        run.is_held = False
        run.hold_reason = ""
    else:
        run = claimed_run(session, claim)
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
    run.test_curve = [list(point) for point in result.test_curve]
    run.wall_s = result.wall_s
    run.is_official = result.is_official
    run.started_at = result.started_at
    run.ended_at = result.ended_at
    # A `predict` that fails on purpose has seen test rows too, and its reason code tells of them.
    has_read_test_rows = result.usage.test_examples > 0 or result.score_public is not None
    if attempt.metered_at is not None or result.usage.calls > 0 or has_read_test_rows:
        charge(session, run.submission, now)
    if result.usage.test_examples > 0:
        trace(
            session,
            run,
            now,
            "test rows read",
            attempt_id=attempt.id,
            detail={
                "task": run.task.name,
                "rows": "all",
                "member_rows": result.usage.test_examples,
                "n_incumbents": len(result.test_curve),
            },
        )
    if result.predictions is not None:
        classes = np.ascontiguousarray(result.predictions, dtype="<i8").tobytes()
        session.merge(PredictionRow(run_id=run.id, classes=classes))
    trace(
        session,
        run,
        now,
        "run ended",
        attempt_id=attempt.id,
        detail={
            "verdict": result.verdict,
            "calls": result.usage.calls,
            "artifact": result.artifact_sha256,
            "is_official": result.is_official,
        },
    )
    settle_parent(session, run.submission, now)


def _is_taken_back(attempt: AttemptRow, claim: ClaimedRun) -> bool:
    """Say whether an attempt's run waits again for its worker's silence alone, and nobody has claimed it."""
    run = attempt.run
    return (
        run.status is Status.QUEUED
        and run.claim_number == claim.claim_number == attempt.claim_number
        and attempt.void_reason == LEASE_RAN_OUT
    )


def _open_attempt(session: Session, attempt_id: int) -> tuple[AttemptRow, RunRow]:
    attempt = session.get(AttemptRow, attempt_id, options=_WITH_RUN)
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
