"""The audit: every change of the sealed store adds a row that nobody can change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert, select

from harness.store.sealed.schema import EventRow
from harness.store.sealed.store import Transaction

__all__ = ["append_event", "newest_events", "read_events"]


def append_event(
    tx: Transaction,
    kind: str,
    *,
    round_id: int | None = None,
    submission_id: int | None = None,
    run_id: int | None = None,
    attempt_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a line in the caller's transaction, so that the change and its line are stored together or not at all."""
    # Executed at once: as one more object of the session it would cost the queue twice as much.
    tx.session.connection().execute(
        insert(EventRow),
        {
            "at": tx.now,
            "kind": kind,
            "round_id": round_id,
            "submission_id": submission_id,
            "run_id": run_id,
            "attempt_id": attempt_id,
            "actor": tx.actor,
            "detail": dict(detail or {}),
        },
    )


def read_events(tx: Transaction, submission_id: int | None = None) -> tuple[EventRow, ...]:
    """Return the audit, oldest first, of one submission or of everything."""
    query = select(EventRow).order_by(EventRow.id)
    if submission_id is not None:
        query = query.where(EventRow.submission_id == submission_id)
    return tuple(tx.session.scalars(query))


def newest_events(tx: Transaction, offset: int, limit: int) -> tuple[tuple[EventRow, ...], int]:
    """Return a page of the audit, newest first, and the number of lines in all."""
    rows = tx.session.scalars(select(EventRow).order_by(EventRow.id.desc()).offset(offset).limit(limit))
    return tuple(rows), tx.session.scalar(select(func.count(EventRow.id))) or 0
