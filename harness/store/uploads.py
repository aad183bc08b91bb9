"""Uploaded predictions in the sealed store: functions of an open session."""

import math
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import InfrastructureError, UsageError
from harness.store.events import append_event
from harness.store.sealed_schema import RoundRow, TeamRow, UploadRow
from harness.store.teams import admit, refuse_unless_open

__all__ = ["MAX_NAME", "add_upload"]

MAX_NAME = 100
"""Characters of a name."""


def add_upload(
    session: Session,
    round_row: RoundRow,
    now: datetime,
    *,
    name: str,
    digest: str,
    score: float,
    task_scores: Mapping[str, float],
    team: TeamRow | None = None,
) -> UploadRow:
    """Store the scores of an archive, in the place of what the same archive had before.

    A team's archive counts in its quota, once: the same one again tells it nothing new.

    Raises:
        UsageError: the name is empty, too long, or has characters that do not print; the team's quota is
            used up, the round is not open, or the archive is another team's.
        InfrastructureError: a task is missing or unknown, or a score is out of range.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"name {name[:MAX_NAME]!r}: expected 1-{MAX_NAME} printable characters on one line")
    tasks = [task.name for task in round_row.tasks]
    if set(task_scores) != set(tasks):
        raise InfrastructureError(
            f"scores of tasks {sorted(task_scores)}; round {round_row.name} has {sorted(tasks)}"
        )
    for what, value in {**task_scores, "all tasks": score}.items():
        if not (math.isfinite(value) and 0.0 <= value <= 100.0):
            raise InfrastructureError(f"score of {what} is {value!r}; expected a number from 0 to 100")
    row = session.scalar(
        select(UploadRow).where(UploadRow.round_id == round_row.id, UploadRow.digest == digest)
    )
    kind = "upload added" if row is None else "upload replaced"
    if row is None:
        row = UploadRow(round_id=round_row.id, digest=digest, revision=0, created_at=now)
        if team is not None:
            admit(session, round_row, team, now)
            row.team_id = team.id
            row.charged_at = now
        session.add(row)
    elif team is not None:
        if row.team_id != team.id:
            raise UsageError(f"the same archive was scored before, and not for team {team.name}")
        refuse_unless_open(round_row, now)
    row.name = name
    row.score = score
    row.task_scores = dict(task_scores)
    row.revision += 1
    session.flush()
    append_event(
        session,
        now,
        kind,
        round_id=round_row.id,
        detail={
            "upload": row.id,
            "name": name,
            "digest": digest,
            "score": score,
            "team": None if team is None else team.name,
        },
    )
    return row
