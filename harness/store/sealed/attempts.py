"""Attempts at a claimed run: one try each, ending in a result or void."""

import math

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from harness.errors import InfrastructureError
from harness.records import IntArray, RunSummary, Status, Verdict
from harness.store.sealed.noise import measure_noise
from harness.store.sealed.queue import LEASE_EXPIRED, WITH_CONTEXT, back_to_queue, claimed_run, hold, log_run
from harness.store.sealed.schema import AttemptRow, PredictionRow, RunRow
from harness.store.sealed.settling import settle_submission
from harness.store.sealed.store import Transaction
from harness.store.sealed.submissions import count_in_quota
from harness.store.values import TERMINAL, ClaimedRun, LeaseLost

__all__ = ["MAX_INTERNAL_ERRORS", "finish_run", "note_metered", "start_attempt", "start_scoring", "void_attempt"]

MAX_INTERNAL_ERRORS = 2
"""Internal errors in a row that hold a run."""

_WITH_RUN = (joinedload(AttemptRow.run).options(*WITH_CONTEXT),)

_NEVER_SCORED = frozenset(
    {
        Verdict.RUNTIME_ERROR,
        Verdict.PROTOCOL_VIOLATION,
        Verdict.SANDBOX_VIOLATION,
        Verdict.INVALID_SUBMISSION,
        Verdict.ABORTED,
    }
)


def start_attempt(tx: Transaction, claim: ClaimedRun) -> int:
    """Open an attempt of a claimed run and return its row number.

    Raises:
        LeaseLost: the run no longer belongs to this worker.
        InfrastructureError: an attempt of the run is open.
    """
    run = claimed_run(tx, claim)
    n_open, last = tx.session.execute(
        select(func.count().filter(AttemptRow.ended_at.is_(None)), func.max(AttemptRow.number)).where(
            AttemptRow.run_id == run.id
        )
    ).one()
    if n_open:
        raise InfrastructureError(f"run {run.id} has an open attempt; end it before another starts")
    number = 1 + (last or 0)
    attempt = AttemptRow(
        run_id=run.id, number=number, claim_number=claim.claim_number, worker=claim.worker, started_at=tx.now
    )
    tx.session.add(attempt)
    tx.session.flush()
    log_run(tx, run, "attempt started", attempt_id=attempt.id, detail={"number": number})
    return attempt.id


def note_metered(tx: Transaction, attempt_id: int) -> None:
    """Record that an attempt was charged its first call: from now on a cancelled submission counts. Idempotent.

    Raises:
        LeaseLost: the attempt has ended already.
    """
    attempt, _ = _open_attempt(tx, attempt_id)
    if attempt.metered_at is None:
        attempt.metered_at = tx.now


def start_scoring(tx: Transaction, attempt_id: int) -> None:
    """Record, before the first test row is read, that an attempt's test rows will be. Idempotent.

    From now on a cancelled submission counts.

    Raises:
        LeaseLost: the attempt has ended already.
    """
    attempt, run = _open_attempt(tx, attempt_id)
    if run.status is Status.SCORING:
        return
    run.status = Status.SCORING
    run.submission.revision += 1
    if attempt.metered_at is None:
        attempt.metered_at = tx.now
    log_run(tx, run, "scoring started", attempt_id=attempt.id, detail={"task": run.task, "rows": "all"})


def void_attempt(tx: Transaction, attempt_id: int, reason: str) -> bool:
    """End an attempt after an internal error: no charges remain, and the run waits again.

    Returns:
        True if this was the second in a row, so that the run is held for the organizer.

    Raises:
        LeaseLost: the attempt has ended already.
    """
    attempt, run = _open_attempt(tx, attempt_id)
    attempt.ended_at = tx.now
    attempt.void_reason = reason
    run.n_internal_errors += 1
    if run.n_internal_errors >= MAX_INTERNAL_ERRORS:
        hold(run, f"{run.n_internal_errors} platform errors in a row")
    back_to_queue(run)
    detail = {"reason": reason, "is_held": run.is_held}
    log_run(tx, run, "attempt void", attempt_id=attempt.id, detail=detail)
    return run.is_held


def finish_run(
    tx: Transaction, claim: ClaimedRun, attempt_id: int, summary: RunSummary, predictions: IntArray | None = None
) -> None:
    """Store a result, and with the last one the submission's verdict. Idempotent for the same result.

    The lease may have expired meanwhile, as long as nobody has claimed the run since.

    Args:
        tx: writing.
        claim: of the run.
        attempt_id: from `start_attempt`.
        summary: of the attempt's artifact.
        predictions: int64 (B,) class numbers in canonical order, or None.

    Raises:
        LeaseLost: another worker has claimed the run, or it was cancelled; nothing was stored.
        InfrastructureError: the attempt belongs to another run, or the summary contradicts itself.
    """
    known = tx.session.get(AttemptRow, attempt_id, options=_WITH_RUN)
    if known is None or known.run_id != claim.run_id:
        raise InfrastructureError(f"attempt {attempt_id} is not one of run {claim.run_id}")
    if _is_stored(known, summary):
        return
    if _is_reclaimable(known, claim):
        attempt, run = known, known.run
        attempt.void_reason = None
        run.is_held = False
        run.hold_reason = ""
    else:
        run = claimed_run(tx, claim)
        attempt, _ = _open_attempt(tx, attempt_id)
    _check_summary(run, summary)
    attempt.ended_at = tx.now
    run.status = Status.FAILED if summary.score_public is None else Status.FINISHED
    run.worker = None
    run.lease_expires_at = None
    run.n_internal_errors = 0
    run.n_lost_leases = 0
    run.verdict = summary.verdict
    run.score_public = summary.score_public
    run.score_private = summary.score_private
    run.calls = summary.usage.calls
    run.is_official = summary.is_official
    run.ended_at = summary.ended_at
    run.summary = summary
    # A `predict` that fails on purpose has seen test rows too, and its reason code depends on them.
    has_read_test_rows = summary.usage.test_examples > 0 or summary.score_public is not None
    if attempt.metered_at is not None or summary.usage.calls > 0 or has_read_test_rows:
        count_in_quota(tx, run.submission)
    if summary.usage.test_examples > 0:
        detail = {
            "task": run.task,
            "rows": "all",
            "member_rows": summary.usage.test_examples,
            "n_incumbents": len(summary.incumbents),
        }
        log_run(tx, run, "test rows read", attempt_id=attempt.id, detail=detail)
    if predictions is not None:
        classes = np.ascontiguousarray(predictions, dtype="<i8").tobytes()
        tx.session.merge(PredictionRow(run_id=run.id, classes=classes))
    detail = {
        "verdict": summary.verdict,
        "calls": summary.usage.calls,
        "artifact": summary.artifact_sha256,
        "is_official": summary.is_official,
    }
    log_run(tx, run, "run ended", attempt_id=attempt.id, detail=detail)
    settle_submission(tx, run.submission)
    if run.submission.repeat and run.submission.status is Status.FINISHED:
        measure_noise(tx, run.submission)


def _is_reclaimable(attempt: AttemptRow, claim: ClaimedRun) -> bool:
    """Return whether an attempt was voided only by lease expiry, and its run not claimed since."""
    run = attempt.run
    return (
        run.status is Status.QUEUED
        and run.claim_number == claim.claim_number == attempt.claim_number
        and attempt.void_reason == LEASE_EXPIRED
    )


def _open_attempt(tx: Transaction, attempt_id: int) -> tuple[AttemptRow, RunRow]:
    attempt = tx.session.get(AttemptRow, attempt_id, options=_WITH_RUN)
    if attempt is None:
        raise InfrastructureError(f"no attempt {attempt_id}")
    run = attempt.run
    if attempt.ended_at is not None or run.claim_number != attempt.claim_number or run.status in TERMINAL:
        raise LeaseLost(f"attempt {attempt_id} has ended ({attempt.void_reason or 'with a result'})")
    return attempt, run


def _check_summary(run: RunRow, summary: RunSummary) -> None:
    """Refuse a result that contradicts itself or the round: it would show itself at publication, far too late.

    Raises:
        InfrastructureError: naming the run, the field, its value and what was expected.
    """

    def refuse(what: str) -> None:
        raise InfrastructureError(f"result of run {run.id}: {what}")

    if summary.verdict is Verdict.INTERNAL_ERROR:
        refuse("verdict IE; a platform error voids the attempt instead")
    for name, score in (("score_public", summary.score_public), ("score_private", summary.score_private)):
        if score is not None and not (math.isfinite(score) and 0.0 <= score <= 100.0):
            refuse(f"{name} is {score!r}; expected a number from 0 to 100")
    is_scored = summary.score_public is not None
    if summary.verdict is Verdict.OK and not is_scored:
        refuse("verdict OK without score_public; expected a score")
    if summary.verdict in _NEVER_SCORED and is_scored:
        refuse(f"verdict {summary.verdict} with a score; expected none")
    if summary.is_checkpoint and not is_scored:
        refuse("is_checkpoint without a score; expected the score of the checkpoint")
    has_private_rows = run.submission.round.task(run.task).has_private_rows
    expects_private = is_scored and has_private_rows
    if (summary.score_private is not None) is not expects_private:
        refuse(
            f"score_private={summary.score_private}, expected {'a' if expects_private else 'no'} private "
            f"score: task {run.task} has {'some' if has_private_rows else 'no'} private rows"
        )


def _is_stored(attempt: AttemptRow, summary: RunSummary) -> bool:
    """Return whether this result was stored before: after a crash the worker may store it again."""
    return (
        attempt.ended_at is not None
        and attempt.void_reason is None
        and attempt.run.status in TERMINAL
        and attempt.run.summary is not None
        and attempt.run.summary.artifact_sha256 == summary.artifact_sha256
        and attempt.run.verdict is summary.verdict
    )
