"""How a submission ends: with its last run, by the worst verdict among them."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.records import Status, worst_verdict
from harness.store.events import append_event
from harness.store.sealed_schema import RunRow, SubmissionRow
from harness.store.values import TERMINAL

__all__ = ["settle_parent"]


def settle_parent(session: Session, row: SubmissionRow, now: datetime) -> None:
    """Take the worst child's verdict when every run has ended; complete means that each has a score."""
    # In the database, before the runs are read: of two workers that end the last two runs at once, the second
    # one waits here, and then sees both.
    row.revision = SubmissionRow.revision + 1
    session.flush()
    # Columns alone: the rows carry curves, and this happens once per run.
    runs = session.execute(
        select(RunRow.status, RunRow.verdict, RunRow.score_public).where(RunRow.submission_id == row.id)
    ).all()
    if any(status not in TERMINAL for status, _, _ in runs):
        return
    row.verdict = worst_verdict([verdict for _, verdict, _ in runs if verdict is not None])
    is_complete = all(score is not None for _, _, score in runs)
    row.status = Status.FINISHED if is_complete else Status.FAILED
    row.finished_at = now
    append_event(
        session,
        now,
        "submission ended",
        round_id=row.round_id,
        submission_id=row.id,
        detail={"status": row.status, "verdict": row.verdict},
    )
