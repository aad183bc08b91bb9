"""Rejudges in the sealed store: a staged second judging, applied or cancelled as a whole.

Theory of operation
-------------------
A rejudge queues every finished submission of a round again, as a staged copy: same files, same seeds, behind
everybody, not shown, not charged. When all copies have ended the organizer looks at the differences.
Applying moves the results of the copies into the originals, in one transaction, and adds a line to the audit
with the earlier ones; cancelling ends the copies and changes nothing.
"""

from sqlalchemy import delete, func, select

from harness.errors import UsageError
from harness.records import Phase, Status
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import PredictionRow, RejudgeRow, ReplicatesRow, RoundRow, RunRow, SubmissionRow
from harness.store.sealed.settling import settle_submission
from harness.store.sealed.store import Transaction
from harness.store.sealed.submissions import cancel_submission, requeue
from harness.store.values import TERMINAL, RejudgeState, RunDifference, StoredRejudge

__all__ = ["apply_rejudge", "cancel_rejudge", "differences", "find_rejudge", "stage_rejudge", "to_stored_rejudge"]

_RESULT_COLUMNS = ("status", "verdict", "score_public", "score_private", "calls", "is_official", "ended_at", "summary")


def stage_rejudge(tx: Transaction, round_row: RoundRow, reason: str) -> RejudgeRow:
    """Queue a copy of every submission that has ended; return the one that is staged already, if there is one.

    Raises:
        UsageError: nothing has ended yet, or the round is published.
    """
    staged = tx.session.scalar(
        select(RejudgeRow).where(RejudgeRow.round_id == round_row.id, RejudgeRow.state == RejudgeState.STAGED)
    )
    if staged is not None:
        return staged
    if round_row.phase is Phase.PUBLISHED:
        raise UsageError(f"round {round_row.name} is published; a published round is immutable")
    originals = tx.session.scalars(
        select(SubmissionRow)
        .where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.status.in_((Status.FINISHED, Status.FAILED)),
            SubmissionRow.is_shown,
        )
        .order_by(SubmissionRow.id)
    ).all()
    if not originals:
        raise UsageError(f"no submission of round {round_row.name} has ended; there is nothing to judge again")
    row = RejudgeRow(round_id=round_row.id, state=RejudgeState.STAGED, reason=reason, created_at=tx.now)
    tx.session.add(row)
    tx.session.flush()
    append_event(
        tx,
        "rejudge staged",
        round_id=round_row.id,
        detail={"rejudge": row.id, "reason": reason, "submissions": [item.id for item in originals]},
    )
    for original in originals:
        requeue(tx, original, rejudge_id=row.id)
    return row


def find_rejudge(tx: Transaction, round_row: RoundRow) -> RejudgeRow:
    """Return the staged rejudge of a round.

    Raises:
        UsageError: there is none.
    """
    row = tx.session.scalar(
        select(RejudgeRow).where(RejudgeRow.round_id == round_row.id, RejudgeRow.state == RejudgeState.STAGED)
    )
    if row is None:
        raise UsageError(
            f"no rejudge of round {round_row.full_name} is staged: gradfree rejudge stage {round_row.full_name}"
        )
    return row


def differences(tx: Transaction, row: RejudgeRow) -> list[RunDifference]:
    """Return the runs whose second result differs from the first in verdict, score or calls."""
    found = []
    for copy, again, first in _pairs(tx, row):
        if again.status in TERMINAL and _outcome(again) != _outcome(first):
            found.append(
                RunDifference(
                    submission_id=first.submission_id,
                    name=copy.name,
                    task=first.task,
                    kshot_seed=first.kshot_seed,
                    verdicts=(first.verdict, again.verdict),
                    scores=(first.score_public, again.score_public),
                    calls=(first.calls, again.calls),
                )
            )
    return found


def apply_rejudge(tx: Transaction, row: RejudgeRow) -> int:
    """Replace the first results by the second; return how many runs differ. Publish afterwards.

    Raises:
        UsageError: a staged run has not ended, or was cancelled.
    """
    waiting = tx.session.scalar(
        select(func.count())
        .select_from(RunRow)
        .join(SubmissionRow)
        .where(SubmissionRow.rejudge_id == row.id, RunRow.status.not_in(TERMINAL))
    )
    if waiting:
        raise UsageError(f"{waiting} staged runs have not ended; let a worker finish them, or cancel the rejudge")
    # Cancelled is no result to put in the place of one.
    cancelled = tx.session.scalars(
        select(SubmissionRow.id).where(SubmissionRow.rejudge_id == row.id, SubmissionRow.status == Status.CANCELLED)
    ).all()
    if cancelled:
        raise UsageError(
            f"staged submissions {', '.join(map(str, cancelled))} were cancelled and have no second result; "
            "cancel the rejudge and stage it again"
        )
    n_different = len(differences(tx, row))
    originals: dict[int, SubmissionRow] = {}
    for _, again, first in _pairs(tx, row):
        append_event(
            tx,
            "run rejudged",
            round_id=row.round_id,
            submission_id=first.submission_id,
            run_id=first.id,
            detail={"rejudge": row.id, "before": _evidence(first), "after": _evidence(again)},
        )
        for name in _RESULT_COLUMNS:
            setattr(first, name, getattr(again, name))
        predictions = tx.session.get(PredictionRow, again.id)
        tx.session.execute(delete(PredictionRow).where(PredictionRow.run_id == first.id))
        if predictions is not None:
            tx.session.add(PredictionRow(run_id=first.id, classes=predictions.classes))
        originals[first.submission_id] = first.submission
    tx.session.flush()
    for original in originals.values():
        tx.session.execute(delete(ReplicatesRow).where(ReplicatesRow.submission_id == original.id))
        # What ended before the board was frozen stays on it, with the results that stand now.
        ended = original.finished_at
        settle_submission(tx, original)
        original.finished_at = ended
    _end(tx, row, RejudgeState.APPLIED)
    return n_different


def cancel_rejudge(tx: Transaction, row: RejudgeRow) -> None:
    """End what is staged; the first results stay."""
    for copy in tx.session.scalars(select(SubmissionRow).where(SubmissionRow.rejudge_id == row.id)):
        if copy.status not in TERMINAL:
            cancel_submission(tx, copy, "the rejudge was cancelled")
    _end(tx, row, RejudgeState.CANCELLED)


def to_stored_rejudge(tx: Transaction, row: RejudgeRow) -> StoredRejudge:
    """Return the row as a frozen value, with how far it is."""
    pairs = _pairs(tx, row)
    return StoredRejudge(
        rejudge_id=row.id,
        state=row.state,
        reason=row.reason,
        n_runs=len(pairs),
        n_runs_done=sum(again.status in TERMINAL for _, again, _ in pairs),
        differences=tuple(differences(tx, row)),
    )


def _end(tx: Transaction, row: RejudgeRow, state: RejudgeState) -> None:
    row.state = state
    row.ended_at = tx.now
    append_event(tx, f"rejudge {state}", round_id=row.round_id, detail={"rejudge": row.id})


def _pairs(tx: Transaction, row: RejudgeRow) -> list[tuple[SubmissionRow, RunRow, RunRow]]:
    """Return (staged copy, its run, the original's run) of every staged run."""
    found = []
    for copy in tx.session.scalars(
        select(SubmissionRow).where(SubmissionRow.rejudge_id == row.id).order_by(SubmissionRow.id)
    ):
        firsts = {
            (run.task, run.kshot_seed): run
            for run in tx.session.scalars(select(RunRow).where(RunRow.submission_id == copy.original_id))
        }
        found += [(copy, again, firsts[again.task, again.kshot_seed]) for again in copy.runs]
    return found


def _outcome(run: RunRow) -> tuple[object, ...]:
    return (run.verdict, run.score_public, run.score_private, run.calls)


def _evidence(run: RunRow) -> dict[str, object]:
    artifact = "" if run.summary is None else run.summary.artifact_sha256
    return {"verdict": run.verdict, "artifact": artifact, "calls": run.calls}
