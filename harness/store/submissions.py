"""Submissions in the sealed store: functions of an open session."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from harness.errors import UsageError
from harness.records import Status, Verdict
from harness.store.events import append_event
from harness.store.queue import CANCELLED, give_turns
from harness.store.sealed_schema import RoundRow, RunRow, SubmissionRow, TeamRow
from harness.store.seeds import solver_seed
from harness.store.values import TERMINAL, StoredRun, StoredSubmission

__all__ = [
    "BACKGROUND_PRIORITY",
    "BASELINE_PRIORITY",
    "PARTICIPANT_PRIORITY",
    "TERMINAL",
    "add_submission",
    "cancel_submission",
    "charge",
    "find_by_upload",
    "find_submission",
    "list_submissions",
    "to_stored_submission",
]

PARTICIPANT_PRIORITY = 0
BASELINE_PRIORITY = 10
BACKGROUND_PRIORITY = 20
"""Smaller goes first: reference methods wait for participants, rejudges and repeats for everybody."""


def add_submission(
    session: Session,
    round_row: RoundRow,
    team: TeamRow,
    now: datetime,
    *,
    name: str,
    digest: str,
    path: str,
    description: str,
    is_baseline: bool,
    is_example: bool,
    repeat: int = 0,
    original: SubmissionRow | None = None,
    rejudge_id: int | None = None,
    spool_number: str | None = None,
) -> SubmissionRow:
    """Store a submission and queue its runs: one per task and few-shot seed."""
    if is_baseline != team.is_baseline_owner:
        owner = "owns the baselines" if team.is_baseline_owner else "is a competing team"
        raise UsageError(f"team {team.name} {owner}; it cannot hand in {name} with is_baseline={is_baseline}")
    priority = PARTICIPANT_PRIORITY
    if is_baseline:
        priority = BASELINE_PRIORITY
    if repeat or rejudge_id is not None:
        priority = BACKGROUND_PRIORITY
    row = SubmissionRow(
        round=round_row,
        team=team,
        name=name,
        description=description,
        digest=digest,
        path=path,
        is_baseline=is_baseline,
        is_example=is_example,
        status=Status.QUEUED,
        submitted_at=now,
        repeat=repeat,
        original_id=None if original is None else original.id,
        rejudge_id=rejudge_id,
        spool_number=spool_number,
        # The seed is the outer loop: after the first fifth of the work every task has a score.
        runs=[
            RunRow(
                task=task,
                kshot_seed=task.kshot_seeds[number],
                solver_seed=solver_seed(round_row.digest, task.name, task.kshot_seeds[number], repeat),
                status=Status.QUEUED,
                priority=priority,
            )
            for number in range(max(len(task.kshot_seeds) for task in round_row.tasks))
            for task in round_row.tasks
            if number < len(task.kshot_seeds)
        ],
    )
    if priority == PARTICIPANT_PRIORITY:
        give_turns(session, team, row.runs)
    session.add(row)
    session.flush()
    append_event(
        session,
        now,
        "submission added",
        round_id=round_row.id,
        submission_id=row.id,
        detail={"team": team.name, "name": name, "digest": digest, "runs": len(row.runs)},
    )
    return row


def find_by_upload(session: Session, spool_number: str) -> SubmissionRow | None:
    """Return the submission that came by an upload of the web, if it was taken in before."""
    return session.scalar(select(SubmissionRow).where(SubmissionRow.spool_number == spool_number))


def find_submission(session: Session, submission_id: int) -> SubmissionRow:
    """Return a submission.

    Raises:
        UsageError: there is none of that number.
    """
    row = session.get(SubmissionRow, submission_id)
    if row is None:
        raise UsageError(f"no submission {submission_id} in this arena")
    return row


def list_submissions(
    session: Session,
    round_row: RoundRow | None = None,
    team: TeamRow | None = None,
    *,
    is_everything: bool = False,
) -> list[SubmissionRow]:
    """Return submissions with their runs, oldest first; staged copies and repeats only with `is_everything`."""
    query = (
        select(SubmissionRow)
        .options(selectinload(SubmissionRow.runs).selectinload(RunRow.attempts))
        .order_by(SubmissionRow.id)
    )
    if round_row is not None:
        query = query.where(SubmissionRow.round_id == round_row.id)
    if not is_everything:
        query = query.where(SubmissionRow.is_shown)
    if team is not None:
        query = query.where(SubmissionRow.team_id == team.id)
    return list(session.scalars(query))


def cancel_submission(session: Session, row: SubmissionRow, reason: str, now: datetime) -> None:
    """End every run that has not ended; workers that hold one learn it from their heartbeat.

    Raises:
        UsageError: the submission has already ended.
    """
    if row.status in TERMINAL:
        raise UsageError(f"submission {row.id} is {row.status}; only one that waits or runs can be cancelled")
    for run in row.runs:
        if run.status in TERMINAL:
            continue
        run.message = CANCELLED
        for attempt in run.attempts:
            if attempt.ended_at is None:
                if attempt.metered_at is not None:
                    charge(session, row, now)
                    run.message = f"{CANCELLED} after its first query, so it counts"
                attempt.ended_at = now
                attempt.void_reason = CANCELLED
        run.status = Status.CANCELLED
        run.verdict = Verdict.ABORTED
        run.is_held = False
        run.hold_reason = ""
        run.worker = None
        run.lease_expires_at = None
        run.ended_at = now
    row.status = Status.CANCELLED
    row.verdict = Verdict.ABORTED
    row.finished_at = now
    row.revision += 1
    append_event(
        session,
        now,
        "submission cancelled",
        round_id=row.round_id,
        submission_id=row.id,
        detail={"reason": reason},
    )


def charge(session: Session, row: SubmissionRow, now: datetime) -> None:
    """Let a submission count against its team's quota from now on, if it does not yet."""
    if row.charged_at is None:
        row.charged_at = now
        append_event(session, now, "quota charged", round_id=row.round_id, submission_id=row.id)


def to_stored_submission(row: SubmissionRow) -> StoredSubmission:
    """Return the row and its runs as frozen values, private scores included."""
    ordered = sorted(row.runs, key=lambda run: (run.task.position, run.id))
    return StoredSubmission(
        submission_id=row.id,
        round_name=row.round.name,
        round_version=row.round.version,
        team=row.team.name,
        name=row.name,
        description=row.description,
        digest=row.digest,
        path=row.path,
        is_baseline=row.is_baseline,
        is_example=row.is_example,
        status=row.status,
        verdict=row.verdict,
        submitted_at=row.submitted_at,
        finished_at=row.finished_at,
        runs=tuple(_to_stored_run(run) for run in ordered),
    )


def _to_stored_run(run: RunRow) -> StoredRun:
    return StoredRun(
        run_id=run.id,
        task=run.task.name,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        status=run.status,
        is_held=run.is_held,
        hold_reason=run.hold_reason,
        verdict=run.verdict,
        is_flagged=run.is_flagged,
        score_public=run.score_public,
        score_private=run.score_private,
        calls=run.calls,
        budget_calls=run.task.budget_calls,
        n_attempts=len(run.attempts),
        message=run.message,
        artifact_path=run.artifact_path,
        artifact_sha256=run.artifact_sha256,
        hashes=run.hashes or {},
        wall_s=run.wall_s,
        is_official=run.is_official,
    )
