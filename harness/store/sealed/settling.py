"""How a submission ends: with its last run, by the worst verdict among its runs."""

from sqlalchemy import select

from harness.records import Status, worst_verdict
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import RunRow, SubmissionRow
from harness.store.sealed.store import Transaction
from harness.store.values import TERMINAL

__all__ = ["settle_submission"]


def settle_submission(tx: Transaction, row: SubmissionRow) -> None:
    """End the submission if every run has ended: FINISHED if each has a score, else FAILED."""
    # In the database, before the runs are read: of two workers that end the last two runs at once, the
    # second one waits here, and then reads both.
    row.revision = SubmissionRow.revision + 1
    tx.session.flush()
    # Columns alone: the rows carry curves, and this happens once per run.
    runs = tx.session.execute(
        select(RunRow.status, RunRow.verdict, RunRow.score_public).where(RunRow.submission_id == row.id)
    ).all()
    if any(status not in TERMINAL for status, _, _ in runs):
        return
    row.verdict = worst_verdict([verdict for _, verdict, _ in runs if verdict is not None])
    is_complete = all(score is not None for _, _, score in runs)
    row.status = Status.FINISHED if is_complete else Status.FAILED
    row.finished_at = tx.now
    append_event(
        tx,
        "submission ended",
        round_id=row.round_id,
        submission_id=row.id,
        detail={"status": row.status, "verdict": row.verdict},
    )
