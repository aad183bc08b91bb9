"""Prediction uploads in the sealed store."""

import math
from collections.abc import Mapping

from sqlalchemy import select

from harness.errors import InfrastructureError, UsageError
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import RoundRow, TeamRow, UploadRow
from harness.store.sealed.store import Transaction
from harness.store.sealed.teams import admit, refuse_unless_open

__all__ = ["MAX_NAME", "add_upload"]

MAX_NAME = 100
"""Characters of a name."""


def add_upload(
    tx: Transaction,
    round_row: RoundRow,
    *,
    name: str,
    digest: str,
    score: float,
    task_scores: Mapping[str, float],
    team: TeamRow | None = None,
) -> int:
    """Store the scores of a prediction upload and return its row number.

    The same archive again replaces its row. A team's archive counts against its quota once: scoring the
    same predictions again tells the team nothing new.

    Args:
        tx: writing.
        round_row: the round.
        name: what to show, as written by people.
        digest: SHA-256 (hex) of the archive.
        score: 0-100, the mean over tasks.
        task_scores: 0-100 on the public rows, for every task of the round.
        team: in whose quota it counts; None means the organizer's own.

    Raises:
        UsageError: the name is empty, too long, or has characters that do not print; the team's quota is
            used up, the round is not open, or the archive is another team's.
        InfrastructureError: a task is missing or unknown, or a score is out of range.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"name {name[:MAX_NAME]!r}: expected 1-{MAX_NAME} printable characters on one line")
    tasks = [task.name for task in round_row.config.task]
    if set(task_scores) != set(tasks):
        raise InfrastructureError(f"scores of tasks {sorted(task_scores)}; round {round_row.name} has {sorted(tasks)}")
    for what, value in {**task_scores, "all tasks": score}.items():
        if not (math.isfinite(value) and 0.0 <= value <= 100.0):
            raise InfrastructureError(f"score of {what} is {value!r}; expected a number from 0 to 100")
    row = tx.session.scalar(select(UploadRow).where(UploadRow.round_id == round_row.id, UploadRow.digest == digest))
    kind = "upload added" if row is None else "upload replaced"
    if row is None:
        row = UploadRow(round_id=round_row.id, digest=digest, revision=0, created_at=tx.now)
        if team is not None:
            admit(tx, round_row, team)
            row.team_id = team.id
            row.charged_at = tx.now
        tx.session.add(row)
    elif team is not None:
        if row.team_id != team.id:
            raise UsageError(f"the same archive was scored before, and not for team {team.name}")
        refuse_unless_open(tx, round_row)
    row.name = name
    row.score = score
    row.task_scores = {task: task_scores[task] for task in tasks}
    row.revision += 1
    tx.session.flush()
    append_event(
        tx,
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
    return row.id
