"""The noise floor of a round, from repeats of a baseline under other solver seeds."""

from dataclasses import asdict

from sqlalchemy import func, select

from harness.errors import UsageError
from harness.metrics.noise import noise_floor
from harness.metrics.ranking import mean_of_seeds, total_score
from harness.records import Status
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import RoundRow, SubmissionRow
from harness.store.sealed.store import Transaction
from harness.store.sealed.submissions import requeue

__all__ = ["add_repeats", "measure_noise"]


def add_repeats(tx: Transaction, round_row: RoundRow, name: str, n_repeats: int) -> int:
    """Queue a baseline under other solver seeds until it has `n_repeats`; return how many were added.

    The files are those of its newest entry that was not cancelled; repeats that were cancelled or failed do
    not count.

    Raises:
        UsageError: the round does not have that baseline.
    """
    original = tx.session.scalar(
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
            f"round {round_row.full_name} has no baseline {name!r}; enter it first: "
            f"gradfree round baselines {round_row.full_name}"
        )
    is_good = SubmissionRow.status.not_in((Status.CANCELLED, Status.FAILED))
    have, last = tx.session.execute(
        select(func.count().filter(is_good), func.max(SubmissionRow.repeat)).where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.is_baseline,
            SubmissionRow.name == name,
            SubmissionRow.digest == original.digest,
            SubmissionRow.repeat > 0,
            SubmissionRow.rejudge_id.is_(None),
        )
    ).one()
    # Solver seeds depend on the number, so it is never used twice for the same files.
    first = (last or 0) + 1
    missing: int = max(0, n_repeats - have)
    for repeat in range(first, first + missing):
        requeue(tx, original, repeat=repeat)
    return missing


def measure_noise(tx: Transaction, repeat: SubmissionRow) -> None:
    """Store the noise floor of a baseline after one of its repeats has finished, if there are two or more.

    The floor is over the finished repeats of the same files, by their scores on the public rows: it is
    read while the round is open.
    """
    round_row = repeat.round
    tasks = [task.name for task in round_row.config.task]
    finished = tx.session.scalars(
        select(SubmissionRow)
        .where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.name == repeat.name,
            SubmissionRow.digest == repeat.digest,
            SubmissionRow.repeat > 0,
            SubmissionRow.status == Status.FINISHED,
        )
        .order_by(SubmissionRow.id)
    )
    totals = []
    for row in finished:
        total = total_score(
            {name: mean_of_seeds([run.score_public for run in row.runs if run.task == name]) for name in tasks}
        )
        if total is not None:
            totals.append(total)
    if len(totals) < 2:
        return
    floor = asdict(noise_floor(totals))
    if (round_row.noise or {}).get(repeat.name) != floor:
        round_row.noise = {**(round_row.noise or {}), repeat.name: floor}
        round_row.revision += 1
        append_event(tx, "noise floor measured", round_id=round_row.id, detail={repeat.name: floor})
