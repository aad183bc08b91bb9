"""The noise floor of a round, from repeats of a reference method: functions of an open session."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.metrics.noise import noise_floor
from harness.metrics.ranking import mean_of_seeds, total_score
from harness.records import Status
from harness.store.events import append_event
from harness.store.sealed_schema import RoundRow, SubmissionRow
from harness.store.submissions import add_submission

__all__ = ["add_repeats", "keep_noise", "missing_noise"]


def add_repeats(session: Session, round_row: RoundRow, name: str, n_repeats: int, now: datetime) -> int:
    """Queue a reference method under other solver seeds until it has `n_repeats`; return how many were added.

    The files are those of its newest entry that was not cancelled; repeats that were cancelled or failed do not
    count.

    Raises:
        UsageError: the round does not have that reference method.
    """
    original = session.scalar(
        select(SubmissionRow)
        .where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.is_baseline,
            SubmissionRow.name == name,
            SubmissionRow.is_shown,
            SubmissionRow.status != Status.CANCELLED,
        )
        .order_by(SubmissionRow.id.desc())
        .limit(1)
    )
    if original is None:
        raise UsageError(
            f"round {round_row.full_name} has no reference method {name!r}: "
            f"gradfree round baselines {round_row.full_name}"
        )
    is_good = SubmissionRow.status.not_in((Status.CANCELLED, Status.FAILED))
    have, last = session.execute(
        select(func.count().filter(is_good), func.max(SubmissionRow.repeat)).where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.is_baseline,
            SubmissionRow.name == name,
            SubmissionRow.digest == original.digest,
            SubmissionRow.repeat > 0,
            SubmissionRow.rejudge_id.is_(None),
        )
    ).one()
    # A number is never used twice for the same files, whichever entry they came by: solver seeds depend on it.
    first = (last or 0) + 1
    missing = max(0, n_repeats - have)
    for repeat in range(first, first + missing):
        add_submission(
            session,
            round_row,
            original.team,
            now,
            name=original.name,
            digest=original.digest,
            path=original.path,
            description=original.description,
            is_baseline=True,
            is_example=False,
            repeat=repeat,
            original=original,
        )
    return missing


def missing_noise(session: Session) -> dict[int, dict[str, Any]]:
    """Return the noise floors that are not stored yet: round id -> reference method -> floor.

    A method has one when the finished repeats of its newest files are two or more.
    """
    totals: dict[RoundRow, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    digests: dict[tuple[int, str], str] = {}
    finished = select(SubmissionRow).where(SubmissionRow.repeat > 0, SubmissionRow.status == Status.FINISHED)
    for row in session.scalars(finished.order_by(SubmissionRow.id)):
        if digests.setdefault((row.round_id, row.name), row.digest) != row.digest:
            digests[row.round_id, row.name] = row.digest
            totals[row.round][row.name].clear()
        # On public rows: the floor is read while the round is open.
        scores = {
            task.name: mean_of_seeds([run.score_public for run in row.runs if run.task_id == task.id])
            for task in row.round.tasks
        }
        total = total_score(scores)
        if total is not None:
            totals[row.round][row.name].append(total)
    floors = {
        round_row: {name: asdict(noise_floor(own)) for name, own in by_name.items() if len(own) >= 2}
        for round_row, by_name in totals.items()
    }
    return {row.id: noise for row, noise in floors.items() if noise and noise != row.noise}


def keep_noise(session: Session, found: Mapping[int, dict[str, Any]], now: datetime) -> None:
    """Store noise floors, as `missing_noise` returned them."""
    for round_id, noise in found.items():
        round_row = session.get_one(RoundRow, round_id)
        round_row.noise = noise
        round_row.revision += 1
        append_event(session, now, "noise floor measured", round_id=round_id, detail=noise)
