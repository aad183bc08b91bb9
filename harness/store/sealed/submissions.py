"""Submissions in the sealed store: added, found, cancelled."""

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from harness.errors import UsageError
from harness.records import Status, Verdict
from harness.store.sealed.events import append_event
from harness.store.sealed.queue import give_turns
from harness.store.sealed.schema import CANCELLED, RoundRow, RunRow, SubmissionRow, TeamRow
from harness.store.sealed.seeds import solver_seed
from harness.store.sealed.store import Transaction
from harness.store.sealed.teams import admit, authenticate
from harness.store.values import TERMINAL, StoredRun, StoredSubmission

__all__ = [
    "BACKGROUND_PRIORITY",
    "BASELINE_PRIORITY",
    "PARTICIPANT_PRIORITY",
    "add_submission",
    "cancel_submission",
    "check_admission",
    "count_in_quota",
    "find_submission",
    "get_submission",
    "list_submissions",
    "requeue",
    "submission_of_upload",
    "to_stored_submission",
]

PARTICIPANT_PRIORITY = 0
BASELINE_PRIORITY = 10
BACKGROUND_PRIORITY = 20
"""Smaller goes first: baselines wait for participants, rejudges and repeats for both."""


def check_admission(
    tx: Transaction, round_row: RoundRow, team: TeamRow, *, token: str | None, is_example: bool = False
) -> None:
    """Check that a team may submit now; in the transaction that stores the submission, or before its files are stored.

    Raises:
        UsageError: the token is not the team's, the round is not open, or the quota is used up.
    """
    is_registered_only = round_row.config.is_registered_only and not is_example
    authenticate(team, token, is_registered_only=is_registered_only)
    admit(tx, round_row, team)


def add_submission(tx: Transaction, round_row: RoundRow, row: SubmissionRow) -> SubmissionRow:
    """Store a submission and queue one run per task and k-shot seed.

    Args:
        tx: writing.
        round_row: the round.
        row: new, with `team` (a stored one), `name`, `digest`, `path` and what differs from the defaults:
            `description`, `is_baseline`, `is_example`, `repeat`, `original_id`, `rejudge_id`, `spool_number`.

    Returns:
        The stored row.

    Raises:
        UsageError: only the owner of the baselines enters baselines, and it enters nothing else.
    """
    team = row.team
    row.is_baseline, row.is_example = bool(row.is_baseline), bool(row.is_example)
    if row.is_baseline != team.is_baseline_owner:
        owner = "owns the baselines" if team.is_baseline_owner else "is a competing team"
        raise UsageError(f"team {team.name} {owner}; it cannot submit {row.name} with is_baseline={row.is_baseline}")
    repeat = row.repeat or 0
    priority = BASELINE_PRIORITY if row.is_baseline else PARTICIPANT_PRIORITY
    if repeat or row.rejudge_id is not None:
        priority = BACKGROUND_PRIORITY
    row.round = round_row
    row.description = row.description or ""
    row.status = Status.QUEUED
    row.submitted_at = tx.now
    tasks = round_row.config.task
    # The k-shot seed is the outer loop: after the first share of the work every task has a score.
    row.runs = [
        RunRow(
            task=task.name,
            kshot_seed=task.kshot_seeds[number],
            solver_seed=solver_seed(round_row.digest, task.name, task.kshot_seeds[number], repeat),
            status=Status.QUEUED,
            priority=priority,
        )
        for number in range(max(len(task.kshot_seeds) for task in tasks))
        for task in tasks
        if number < len(task.kshot_seeds)
    ]
    if priority == PARTICIPANT_PRIORITY:
        give_turns(tx, team, row.runs)
    tx.session.add(row)
    tx.session.flush()
    append_event(
        tx,
        "submission added",
        round_id=round_row.id,
        submission_id=row.id,
        detail={"team": team.name, "name": row.name, "digest": row.digest, "runs": len(row.runs)},
    )
    return row


def requeue(
    tx: Transaction, original: SubmissionRow, *, repeat: int = 0, rejudge_id: int | None = None
) -> SubmissionRow:
    """Queue a copy of a submission behind everybody: a repeat, or a rejudge's staged copy."""
    copy = SubmissionRow(
        team=original.team,
        name=original.name,
        description=original.description,
        digest=original.digest,
        path=original.path,
        is_baseline=original.is_baseline,
        is_example=original.is_example,
        original_id=original.id,
        repeat=repeat,
        rejudge_id=rejudge_id,
    )
    return add_submission(tx, original.round, copy)


def submission_of_upload(tx: Transaction, spool_number: str) -> int | None:
    """Return the number of the submission that came by a submission upload; None if it was not taken in."""
    return tx.session.scalar(select(SubmissionRow.id).where(SubmissionRow.spool_number == spool_number))


def find_submission(tx: Transaction, submission_id: int) -> SubmissionRow:
    """Return the row of a submission.

    Raises:
        UsageError: there is none of that number.
    """
    row = tx.session.get(SubmissionRow, submission_id)
    if row is None:
        raise UsageError(f"no submission {submission_id} in this arena")
    return row


def get_submission(tx: Transaction, submission_id: int) -> StoredSubmission:
    """Return a submission with its runs, private scores included.

    Raises:
        UsageError: there is none of that number.
    """
    return to_stored_submission(find_submission(tx, submission_id))


def list_submissions(
    tx: Transaction, round_row: RoundRow | None = None, *, is_everything: bool = False
) -> tuple[StoredSubmission, ...]:
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
    return tuple(map(to_stored_submission, tx.session.scalars(query)))


def cancel_submission(tx: Transaction, row: SubmissionRow, reason: str = "") -> None:
    """End every run that has not ended; a worker that holds one learns of it from its heartbeat.

    Raises:
        UsageError: the submission has already ended.
    """
    if row.status in TERMINAL:
        raise UsageError(f"submission {row.id} is {row.status}; only one that waits or runs can be cancelled")
    for run in row.runs:
        if run.status in TERMINAL:
            continue
        for attempt in run.attempts:
            if attempt.ended_at is None:
                if attempt.metered_at is not None:
                    count_in_quota(tx, row)
                attempt.ended_at = tx.now
                attempt.void_reason = CANCELLED
        run.status = Status.CANCELLED
        run.verdict = Verdict.ABORTED
        run.is_held = False
        run.hold_reason = ""
        run.worker = None
        run.lease_expires_at = None
        run.ended_at = tx.now
    row.status = Status.CANCELLED
    row.verdict = Verdict.ABORTED
    row.finished_at = tx.now
    row.revision += 1
    append_event(tx, "submission cancelled", round_id=row.round_id, submission_id=row.id, detail={"reason": reason})


def count_in_quota(tx: Transaction, row: SubmissionRow) -> None:
    """Count a submission against its team's quota from now on, if it does not count yet."""
    if row.charged_at is None:
        row.charged_at = tx.now
        append_event(tx, "quota charged", round_id=row.round_id, submission_id=row.id)


def to_stored_submission(row: SubmissionRow) -> StoredSubmission:
    """Return the row and its runs as values, private scores included."""
    tasks = {task.name: (position, task) for position, task in enumerate(row.round.config.task)}
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
        runs=tuple(
            _to_stored_run(run, tasks[run.task][1].budget_calls)
            for run in sorted(row.runs, key=lambda run: (tasks[run.task][0], run.id))
        ),
    )


def _to_stored_run(run: RunRow, budget_calls: int) -> StoredRun:
    return StoredRun(
        run_id=run.id,
        task=run.task,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        status=run.status,
        is_held=run.is_held,
        hold_reason=run.hold_reason,
        verdict=run.verdict,
        score_public=run.score_public,
        score_private=run.score_private,
        calls=run.calls,
        budget_calls=budget_calls,
        n_attempts=len(run.attempts),
        message=run.message,
        summary=run.summary,
    )
