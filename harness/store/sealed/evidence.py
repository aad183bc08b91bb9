"""What replays, logs and the search for stale scores read from the sealed store."""

from sqlalchemy import select

from harness.errors import UsageError
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import AttemptRow, RoundRow, RunRow, SubmissionRow
from harness.store.sealed.store import Transaction
from harness.store.sealed.submissions import to_stored_submission
from harness.store.values import StoredSubmission

__all__ = ["PLATFORM_HASHES", "note_replay", "stale_submissions", "submission_of_run", "void_attempts_of"]

PLATFORM_HASHES = ("data", "model", "tokenizer", "code", "packages", "profile")
"""Hashes of a run that do not depend on the submission. Older runs do not have all of them."""


def void_attempts_of(tx: Transaction, submission_id: int) -> tuple[AttemptRow, ...]:
    """Return the void attempts at a submission's runs, oldest first."""
    return tuple(
        tx.session.scalars(
            select(AttemptRow)
            .join(RunRow)
            .where(RunRow.submission_id == submission_id, AttemptRow.void_reason.is_not(None))
            .order_by(AttemptRow.id)
        )
    )


def stale_submissions(tx: Transaction, round_row: RoundRow) -> dict[int, tuple[str, ...]]:
    """Return submission -> which of `PLATFORM_HASHES` differ from those of the newest scores.

    Each run is compared with the run of the same task that ended last, in the hashes that both have;
    submissions without a difference are left out.
    """
    runs = tx.session.execute(
        select(RunRow.submission_id, RunRow.task, RunRow.summary)
        .join(SubmissionRow, SubmissionRow.id == RunRow.submission_id)
        .where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.is_shown,
            RunRow.score_public.is_not(None),
            RunRow.summary.is_not(None),
        )
        .order_by(RunRow.ended_at, RunRow.id)
    ).all()
    newest = {task: summary.hashes for _, task, summary in runs if summary}
    found: dict[int, set[str]] = {}
    for submission_id, task, summary in runs:
        hashes = {} if summary is None else summary.hashes
        last = newest[task]
        differing = {
            name for name in PLATFORM_HASHES if name in hashes and last.get(name, hashes[name]) != hashes[name]
        }
        if differing:
            found.setdefault(submission_id, set()).update(differing)
    return {number: tuple(name for name in PLATFORM_HASHES if name in names) for number, names in sorted(found.items())}


def submission_of_run(tx: Transaction, run_id: int) -> StoredSubmission:
    """Return the submission that a run belongs to.

    Raises:
        UsageError: there is no such run.
    """
    return to_stored_submission(_find_run(tx, run_id).submission)


def note_replay(tx: Transaction, run_id: int, digest: str) -> None:
    """Record in the audit that a run is executed again: it reads test rows.

    Args:
        tx: writing.
        run_id: the run.
        digest: SHA-256 (hex) of the submission that is executed, perhaps not the run's own.

    Raises:
        UsageError: there is no such run.
    """
    row = _find_run(tx, run_id).submission
    append_event(
        tx, "run replayed", round_id=row.round_id, submission_id=row.id, run_id=run_id, detail={"digest": digest}
    )


def _find_run(tx: Transaction, run_id: int) -> RunRow:
    run = tx.session.get(RunRow, run_id)
    if run is None:
        raise UsageError(f"no run {run_id} in this arena; `gradfree status NUMBER` lists a submission's runs")
    return run
