"""What an export and a replay need of the sealed store: functions of an open session."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.records import Array, IntArray
from harness.store.queue import PLAIN_REASONS
from harness.store.sealed_schema import (
    AttemptRow,
    PredictionRow,
    RoundRow,
    RunRow,
    SubmissionRow,
    TestSetRow,
)

__all__ = [
    "OF_THE_PLATFORM",
    "TestSet",
    "VoidAttempt",
    "find_run",
    "predictions_of",
    "stale_submissions",
    "test_sets_of",
    "void_attempts_of",
]

OF_THE_PLATFORM = ("data", "model", "tokenizer", "code", "packages", "profile")
"""Hashes of a run that the submission itself has no part in. Older runs do not say all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class TestSet:
    """The test labels of a task, int64 (B,), which rows are public, bool (B,), and C."""

    labels: IntArray
    is_public: Array
    n_classes: int
    digest: str


@dataclass(frozen=True, slots=True)
class VoidAttempt:
    """An attempt without a result: why, and whether everybody may read why."""

    attempt_id: int
    run_id: int
    number: int
    reason: str
    is_plain: bool


def void_attempts_of(session: Session, submission_id: int) -> list[VoidAttempt]:
    """Return the void attempts at a submission's runs, oldest first."""
    rows = session.scalars(
        select(AttemptRow)
        .join(RunRow)
        .where(RunRow.submission_id == submission_id, AttemptRow.void_reason.is_not(None))
        .order_by(AttemptRow.id)
    )
    return [
        VoidAttempt(row.id, row.run_id, row.number, reason, reason in PLAIN_REASONS)
        for row in rows
        if (reason := row.void_reason) is not None
    ]


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


def stale_submissions(session: Session, round_row: RoundRow) -> dict[int, tuple[str, ...]]:
    """Return submission -> what its scores were made with that the newest scores were not made with.

    Compared are data, model, tokenizer, scoring code, packages and numeric profile with the run of the
    same task that ended last, as far as both say them; submissions that agree in all are left out.
    """
    runs = session.execute(
        select(RunRow.submission_id, RunRow.task_id, RunRow.hashes)
        .join(SubmissionRow, SubmissionRow.id == RunRow.submission_id)
        .where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.is_shown,
            RunRow.score_public.is_not(None),
            RunRow.hashes.is_not(None),
        )
        .order_by(RunRow.ended_at, RunRow.id)
    ).all()
    newest = {task: hashes for _, task, hashes in runs}
    found: dict[int, set[str]] = {}
    for submission_id, task, hashes in runs:
        last = newest[task]
        differing = {
            name
            for name in OF_THE_PLATFORM
            if name in hashes and last.get(name, hashes[name]) != hashes[name]
        }
        if differing:
            found.setdefault(submission_id, set()).update(differing)
    return {
        number: tuple(name for name in OF_THE_PLATFORM if name in names)
        for number, names in sorted(found.items())
    }


def find_run(session: Session, run_id: int) -> SubmissionRow:
    """Return the submission of a run.

    Raises:
        UsageError: there is no such run.
    """
    run = session.get(RunRow, run_id)
    if run is None:
        raise UsageError(f"no run {run_id} in this arena; `gradfree status NUMBER` lists a submission's runs")
    return run.submission
