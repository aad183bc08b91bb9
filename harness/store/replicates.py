"""Test labels as scored on, and the bootstrap totals made of them: functions of an open session.

Both stay sealed: tiers and standard errors are what becomes of them.
"""

from collections.abc import Mapping

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from harness.errors import InfrastructureError
from harness.metrics.bootstrap import TaskPredictions, replicate_totals
from harness.records import Array, IntArray, Status
from harness.store.sealed_schema import (
    PredictionRow,
    ReplicatesRow,
    RoundRow,
    RunRow,
    SubmissionRow,
    TaskRow,
    TestSetRow,
)

__all__ = ["keep_replicates", "keep_test_set", "load_replicates", "missing_replicates"]


def keep_test_set(
    session: Session, task: TaskRow, digest: str, n_classes: int, labels: IntArray, is_public: Array
) -> None:
    """Keep a task's test labels; the same again changes nothing.

    Raises:
        InfrastructureError: other labels, or another split of them, are kept: scores of both would stand
            side by side.
    """
    label_bytes = np.ascontiguousarray(labels, dtype="<i8").tobytes()
    public_bytes = np.ascontiguousarray(is_public, dtype=np.uint8).tobytes()
    row = session.get(TestSetRow, task.id)
    if row is None:
        session.add(
            TestSetRow(
                task_id=task.id,
                digest=digest,
                n_classes=n_classes,
                labels=label_bytes,
                is_public=public_bytes,
            )
        )
    elif (row.digest, row.labels, row.is_public) != (digest, label_bytes, public_bytes):
        raise InfrastructureError(
            f"task {task.name}: the test rows on this machine (digest {digest[:12]}) are not those that the "
            f"round was scored on before (digest {row.digest[:12]}); restore the data"
        )


def missing_replicates(session: Session) -> dict[tuple[int, int], tuple[Array, Array]]:
    """Compute the bootstrap totals that complete submissions lack.

    Returns:
        (number, revision) of the submission -> totals (R,) on the public rows and on those that rank in
        the end. It takes seconds on large test sets: read-only, so that nobody waits for it.
    """
    lacking = session.scalars(
        select(SubmissionRow)
        .outerjoin(ReplicatesRow, ReplicatesRow.submission_id == SubmissionRow.id)
        .where(
            SubmissionRow.status == Status.FINISHED,
            SubmissionRow.is_shown,
            ReplicatesRow.submission_id.is_(None),
        )
        .options(selectinload(SubmissionRow.runs))
    )
    computed = {(row.id, row.revision): _totals(session, row) for row in lacking}
    return {key: totals for key, totals in computed.items() if totals is not None}


def keep_replicates(session: Session, computed: Mapping[tuple[int, int], tuple[Array, Array]]) -> None:
    """Store bootstrap totals of submissions that are still what they were computed from."""
    for (number, revision), totals in computed.items():
        row = session.get(SubmissionRow, number)
        if row is not None and row.revision == revision and session.get(ReplicatesRow, number) is None:
            public, private = (np.ascontiguousarray(part, dtype="<f8").tobytes() for part in totals)
            session.add(ReplicatesRow(submission_id=number, public=public, private=private))
            # Another publisher may have shown it already, without a tier: this makes the ranking due again.
            row.revision += 1


def load_replicates(session: Session, submission_ids: list[int], *, is_private: bool) -> Mapping[int, Array]:
    """Return the bootstrap totals (R,) of those submissions that have any."""
    rows = session.scalars(select(ReplicatesRow).where(ReplicatesRow.submission_id.in_(submission_ids)))
    return {
        row.submission_id: np.frombuffer(row.private if is_private else row.public, dtype="<f8")
        for row in rows
    }


def _totals(session: Session, row: SubmissionRow) -> tuple[Array, Array] | None:
    """Return the totals on the public rows and on those that rank in the end; None if labels are unknown."""
    round_row: RoundRow = row.round
    public: dict[str, TaskPredictions] = {}
    final: dict[str, TaskPredictions] = {}
    for task in round_row.tasks:
        kept = session.get(TestSetRow, task.id)
        predictions = {
            run.kshot_seed: _predictions(session, run) for run in row.runs if run.task_id == task.id
        }
        found = {seed: own for seed, own in predictions.items() if own is not None}
        if kept is None or len(found) != len(predictions):
            return None
        labels = np.frombuffer(kept.labels, dtype="<i8")
        is_public = np.frombuffer(kept.is_public, dtype=np.uint8).astype(bool)
        if any(own.shape != labels.shape for own in found.values()):
            return None
        in_the_end = ~is_public if task.has_private_rows else is_public
        for rows, totals in ((is_public, public), (in_the_end, final)):
            totals[task.name] = TaskPredictions(
                task.metric, kept.n_classes, labels[rows], {seed: own[rows] for seed, own in found.items()}
            )
    seed = int(round_row.digest[:8], 16)
    return replicate_totals(public, seed), replicate_totals(final, seed)


def _predictions(session: Session, run: RunRow) -> IntArray | None:
    row = session.get(PredictionRow, run.id)
    return None if row is None else np.frombuffer(row.classes, dtype="<i8").astype(np.int64)
