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
    row.revision += 1
    of_row = RunRow.submission_id == row.id
    if session.scalar(select(RunRow.id).where(of_row, RunRow.status.not_in(TERMINAL)).limit(1)) is not None:
        return
    # Columns alone: the rows carry curves, and this happens once per run.
    ended = session.execute(select(RunRow.verdict, RunRow.score_public).where(of_row)).all()
    row.verdict = worst_verdict([verdict for verdict, _ in ended if verdict is not None])
    is_complete = all(score is not None for _, score in ended)
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
