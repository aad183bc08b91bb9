"""What an export and a replay need of the sealed store: functions of an open session."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.records import Array, IntArray
from harness.store.sealed_schema import PredictionRow, RoundRow, RunRow, SubmissionRow, TestSetRow

__all__ = ["TestSet", "find_run", "predictions_of", "test_sets_of"]


@dataclass(frozen=True, slots=True, eq=False)
class TestSet:
    """The test labels of a task, int64 (B,), which rows are public, bool (B,), and C."""

    labels: IntArray
    is_public: Array
    n_classes: int
    digest: str


def test_sets_of(session: Session, round_row: RoundRow) -> dict[str, TestSet]:
    """Return task -> test labels, for the tasks that were scored."""
    found = {}
    for task in round_row.tasks:
        row = session.get(TestSetRow, task.id)
        if row is not None:
            found[task.name] = TestSet(
                np.frombuffer(row.labels, dtype="<i8").astype(np.int64),
                np.frombuffer(row.is_public, dtype=np.uint8).astype(bool),
                row.n_classes,
                row.digest,
            )
    return found


def predictions_of(session: Session, submission_id: int) -> dict[int, IntArray]:
    """Return run -> predicted classes (B,) in canonical order, for the runs that have any."""
    rows = session.execute(
        select(PredictionRow.run_id, PredictionRow.classes)
        .join(RunRow, RunRow.id == PredictionRow.run_id)
        .where(RunRow.submission_id == submission_id)
        .order_by(PredictionRow.run_id)
    )
    return {run_id: np.frombuffer(classes, dtype="<i8").astype(np.int64) for run_id, classes in rows}


def find_run(session: Session, run_id: int) -> SubmissionRow:
    """Return the submission of a run.

    Raises:
        UsageError: there is no such run.
    """
    run = session.get(RunRow, run_id)
    if run is None:
        raise UsageError(f"no run {run_id} in this arena; `gradfree status NUMBER` lists a submission's runs")
    return run.submission
