"""Claiming the next run; `queue` explains whose run is next.

Every worker does this at every turn while it holds the database's one write lock: so single columns are
read and written, and no row is loaded whole.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, update

from harness.config import parse_rules
from harness.records import Status
from harness.store.sealed.events import append_event
from harness.store.sealed.queue import HELD_BY_WORKER, sweep_expired
from harness.store.sealed.schema import AttemptRow, ClockRow, RoundRow, RunRow, SubmissionRow, TeamRow
from harness.store.sealed.store import Transaction
from harness.store.values import ClaimedRun

__all__ = ["claim_run", "has_waiting_runs"]

_IN_PLACE = {"synchronize_session": False}
"""No row of these tables is loaded in the session of a claim."""


def claim_run(
    tx: Transaction,
    worker: str,
    lease_s: float,
    round_id: int | None = None,
    *,
    only_bundled: bool = False,
    at_work: Collection[ClaimedRun] = (),
    is_sweeping: bool = True,
) -> ClaimedRun | None:
    """Take the next run, participants before baselines; None if nothing waits.

    Args:
        tx: writing.
        worker: name of the worker, for people.
        lease_s: seconds until the run may be taken away; renew with `queue.heartbeat`.
        round_id: only runs of this round.
        only_bundled: only runs of baselines and packaged examples.
        at_work: claims that this process is working on: alive, whatever their leases.
        is_sweeping: first take back runs of other workers whose lease expired.
    """
    if is_sweeping:
        sweep_expired(tx, at_work)
    first = select(RunRow.id).where(RunRow.status == Status.QUEUED, RunRow.is_held.is_(False))
    first = first.where(*_of_submissions(round_id, only_bundled=only_bundled))
    # SKIP LOCKED lets workers on PostgreSQL claim side by side; SQLite has one writer anyway.
    first = first.order_by(RunRow.priority, RunRow.turn, RunRow.id).limit(1).with_for_update(skip_locked=True)
    taken = tx.session.execute(
        update(RunRow)
        .where(RunRow.id == first.scalar_subquery())
        .values(
            status=Status.RUNNING,
            worker=worker,
            claim_number=RunRow.claim_number + 1,
            lease_expires_at=tx.now + timedelta(seconds=lease_s),
        )
        .returning(RunRow.id, RunRow.submission_id, RunRow.turn, RunRow.claim_number)
        .execution_options(**_IN_PLACE)
    ).one_or_none()
    if taken is None:
        return None
    run_id, submission_id, turn, claim_number = taken
    tx.session.execute(
        update(SubmissionRow)
        .where(SubmissionRow.id == submission_id)
        .values(status=Status.RUNNING, revision=SubmissionRow.revision + 1)
        .execution_options(**_IN_PLACE)
    )
    if round_id is None:
        tx.session.execute(
            update(ClockRow).where(ClockRow.turn < turn).values(turn=turn).execution_options(**_IN_PLACE)
        )
    found = tx.session.execute(_CONTEXT.where(RunRow.id == run_id)).mappings().one()
    append_event(
        tx,
        "run claimed",
        round_id=found["round_id"],
        submission_id=submission_id,
        run_id=run_id,
        detail={"worker": worker, "claim": claim_number},
    )
    task = parse_rules(found["rules_json"], found["round_digest"]).task_named(found["task"])
    known = {name: value for name, value in found.items() if name in ClaimedRun.__dataclass_fields__}
    return ClaimedRun(
        run_id=run_id,
        claim_number=claim_number,
        worker=worker,
        submission_id=submission_id,
        origin_id=found["original_id"] or submission_id,
        budget_calls=0 if task is None else task.budget_calls,
        **known,
    )


# Labels are the names of `ClaimedRun`.
_CONTEXT = (
    select(
        SubmissionRow.round_id,
        SubmissionRow.original_id,
        SubmissionRow.name.label("submission_name"),
        SubmissionRow.digest,
        SubmissionRow.path,
        SubmissionRow.is_baseline,
        TeamRow.name.label("team"),
        RoundRow.name.label("round_name"),
        RoundRow.version.label("round_version"),
        RoundRow.digest.label("round_digest"),
        RoundRow.rules_json,
        RunRow.task,
        RunRow.kshot_seed,
        RunRow.solver_seed,
        select(func.count(AttemptRow.id)).where(AttemptRow.run_id == RunRow.id).scalar_subquery().label("n_attempts"),
    )
    .join_from(RunRow, SubmissionRow, RunRow.submission_id == SubmissionRow.id)
    .join(TeamRow, TeamRow.id == SubmissionRow.team_id)
    .join(RoundRow, RoundRow.id == SubmissionRow.round_id)
)


def has_waiting_runs(tx: Transaction, round_id: int | None = None, *, only_bundled: bool = False) -> bool:
    """Return whether a run that `claim_run` may give is queued, or held by a worker; runs on hold do not count."""
    waiting = select(RunRow.id).where(RunRow.status.in_((Status.QUEUED, *HELD_BY_WORKER)), RunRow.is_held.is_(False))
    waiting = waiting.where(*_of_submissions(round_id, only_bundled=only_bundled))
    return tx.session.scalar(waiting.limit(1)) is not None


def _of_submissions(round_id: int | None, *, only_bundled: bool) -> list[ColumnElement[bool]]:
    """Return the conditions on the runs' submissions; none if any submission will do."""
    wanted: list[ColumnElement[bool]] = []
    if round_id is not None:
        wanted.append(SubmissionRow.round_id == round_id)
    if only_bundled:
        wanted.append(or_(SubmissionRow.is_baseline, SubmissionRow.is_example))
    return [RunRow.submission_id.in_(select(SubmissionRow.id).where(*wanted))] if wanted else []
