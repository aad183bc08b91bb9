"""Test labels as scored on, and the bootstrap totals computed from them.

Both stay sealed; the public sees tiers and standard errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from harness.errors import InfrastructureError
from harness.metrics.bootstrap import TaskPredictions, replicate_totals
from harness.records import Array, IntArray, Status
from harness.store.sealed.schema import PredictionRow, ReplicatesRow, RoundRow, RunRow, SubmissionRow, TestSetRow
from harness.store.sealed.store import SealedStore, Transaction

__all__ = ["TestSet", "derive_replicates", "keep_test_set", "load_replicates", "predictions_of", "test_sets_of"]


@dataclass(frozen=True, slots=True, eq=False)
class TestSet:
    """The test labels of a task.

    Attributes:
        labels: int64 (B,).
        is_public: bool (B,), which test rows are public.
        n_classes: C.
        digest: SHA-256 (hex) of the test rows with their labels.
    """

    __test__ = False  # pytest would collect a class of this name

    labels: IntArray
    is_public: Array
    n_classes: int
    digest: str


def keep_test_set(tx: Transaction, round_row: RoundRow, task: str, test_set: TestSet) -> None:
    """Store a task's test labels; storing the same again changes nothing.

    Raises:
        InfrastructureError: other labels, or another split of them, are stored, so that scores of both would
            stand side by side; or the round has no such task.
    """
    round_row.task(task)
    labels = np.ascontiguousarray(test_set.labels, dtype="<i8").tobytes()
    is_public = np.ascontiguousarray(test_set.is_public, dtype=np.uint8).tobytes()
    row = tx.session.get(TestSetRow, (round_row.id, task))
    if row is None:
        tx.session.add(
            TestSetRow(
                round_id=round_row.id,
                task=task,
                digest=test_set.digest,
                n_classes=test_set.n_classes,
                labels=labels,
                is_public=is_public,
            )
        )
    elif (row.digest, row.labels, row.is_public) != (test_set.digest, labels, is_public):
        raise InfrastructureError(
            f"task {task}: the test rows on this machine (digest {test_set.digest[:12]}) are not those that the "
            f"round was scored on before (digest {row.digest[:12]}); restore the data"
        )


def test_sets_of(tx: Transaction, round_row: RoundRow) -> dict[str, TestSet]:
    """Return task -> test labels, for the tasks that were scored. Sealed."""
    rows = tx.session.scalars(select(TestSetRow).where(TestSetRow.round_id == round_row.id))
    return {
        row.task: TestSet(
            np.frombuffer(row.labels, dtype="<i8").astype(np.int64),
            np.frombuffer(row.is_public, dtype=np.uint8).astype(bool),
            row.n_classes,
            row.digest,
        )
        for row in rows
    }


test_sets_of.__test__ = False  # type: ignore[attr-defined]  # pytest would collect a function of this name


def derive_replicates(store: SealedStore) -> None:
    """Compute the bootstrap totals that complete submissions lack, and store them."""
    with store.read() as tx:
        computed = _missing_replicates(tx)
    if computed:
        with store.write() as tx:
            _keep_replicates(tx, computed)


def _missing_replicates(tx: Transaction) -> dict[tuple[int, int], tuple[Array, Array]]:
    """Compute the bootstrap totals that complete submissions lack.

    Returns:
        (number, revision) of the submission -> totals (R,) on the public rows and on those that rank in
        the end. It takes seconds on large test sets: read-only, so that nobody waits for it.
    """
    lacking = tx.session.scalars(
        select(SubmissionRow)
        .outerjoin(ReplicatesRow, ReplicatesRow.submission_id == SubmissionRow.id)
        .where(SubmissionRow.status == Status.FINISHED, SubmissionRow.is_shown, ReplicatesRow.submission_id.is_(None))
        .options(selectinload(SubmissionRow.runs))
    )
    test_sets: dict[int, dict[str, TestSet]] = {}
    computed = {}
    for row in lacking:
        if row.round_id not in test_sets:
            test_sets[row.round_id] = test_sets_of(tx, row.round)
        totals = _totals(tx, row, test_sets[row.round_id])
        if totals is not None:
            computed[row.id, row.revision] = totals
    return computed


def _keep_replicates(tx: Transaction, computed: Mapping[tuple[int, int], tuple[Array, Array]]) -> None:
    """Store the totals of submissions that have not changed since."""
    for (number, revision), totals in computed.items():
        row = tx.session.get(SubmissionRow, number)
        if row is not None and row.revision == revision and tx.session.get(ReplicatesRow, number) is None:
            public, private = (np.ascontiguousarray(part, dtype="<f8").tobytes() for part in totals)
            tx.session.add(ReplicatesRow(submission_id=number, public=public, private=private))
            # Another publisher may have shown it already, without a tier: this makes the ranking due again.
            row.revision += 1


def load_replicates(tx: Transaction, submission_ids: Sequence[int], *, is_private: bool) -> Mapping[int, Array]:
    """Return the bootstrap totals (R,) of those submissions that have any."""
    rows = tx.session.scalars(select(ReplicatesRow).where(ReplicatesRow.submission_id.in_(submission_ids)))
    return {row.submission_id: np.frombuffer(row.private if is_private else row.public, dtype="<f8") for row in rows}


def predictions_of(tx: Transaction, submission_id: int) -> dict[int, IntArray]:
    """Return run -> predicted classes int64 (B,) in canonical order, for the runs that have any. Sealed."""
    rows = tx.session.execute(
        select(PredictionRow.run_id, PredictionRow.classes)
        .join(RunRow, RunRow.id == PredictionRow.run_id)
        .where(RunRow.submission_id == submission_id)
        .order_by(PredictionRow.run_id)
    )
    return {run_id: np.frombuffer(classes, dtype="<i8").astype(np.int64) for run_id, classes in rows}


def _totals(tx: Transaction, row: SubmissionRow, test_sets: Mapping[str, TestSet]) -> tuple[Array, Array] | None:
    """Return the totals on the public rows and on those that rank in the end; None if labels are unknown."""
    predictions = predictions_of(tx, row.id)
    public: dict[str, TaskPredictions] = {}
    final: dict[str, TaskPredictions] = {}
    for task in row.round.config.task:
        test = test_sets.get(task.name)
        runs = {run.kshot_seed: predictions.get(run.id) for run in row.runs if run.task == task.name}
        found = {seed: own for seed, own in runs.items() if own is not None}
        if test is None or len(found) != len(runs):
            return None
        if any(own.shape != test.labels.shape for own in found.values()):
            return None
        in_the_end = ~test.is_public if task.has_private_rows else test.is_public
        for rows, totals in ((test.is_public, public), (in_the_end, final)):
            totals[task.name] = TaskPredictions(
                task.metric, test.n_classes, test.labels[rows], {seed: own[rows] for seed, own in found.items()}
            )
    seed = int(row.round.digest[:8], 16)
    return replicate_totals(public, seed), replicate_totals(final, seed)
