"""The audit: every change of the sealed store leaves a row that nobody can change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from harness.store.sealed_schema import EventRow

__all__ = ["Event", "append_event", "read_events", "to_event"]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit."""

    event_id: int
    at: datetime
    kind: str
    round_id: int | None
    submission_id: int | None
    run_id: int | None
    attempt_id: int | None
    detail: Mapping[str, Any]
    actor: str = ""


def append_event(
    session: Session,
    at: datetime,
    kind: str,
    *,
    round_id: int | None = None,
    submission_id: int | None = None,
    run_id: int | None = None,
    attempt_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a row in the caller's transaction: the change and its trace live or die together.

    Who did it is what the session was opened for (`session.info["actor"]`).
    """
    # At once and by itself: as one more object of the session it would cost the queue twice as much.
    session.connection().execute(
        insert(EventRow),
        {
            "at": at,
            "kind": kind,
            "round_id": round_id,
            "submission_id": submission_id,
            "run_id": run_id,
            "attempt_id": attempt_id,
            "actor": session.info.get("actor", ""),
            "detail": dict(detail or {}),
        },
    )


def read_events(session: Session, submission_id: int | None = None) -> list[Event]:
    """Return the audit, oldest first, of one submission or of everything."""
    query = select(EventRow).order_by(EventRow.id)
    if submission_id is not None:
        query = query.where(EventRow.submission_id == submission_id)
    return [to_event(row) for row in session.scalars(query)]


def to_event(row: EventRow) -> Event:
    """Return a row of the audit as a frozen value."""
    return Event(
        row.id,
        row.at,
        row.kind,
        row.round_id,
        row.submission_id,
        row.run_id,
        row.attempt_id,
        row.detail,
        row.actor,
    )
