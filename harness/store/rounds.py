"""Rounds and teams in the sealed store: functions of an open session."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harness.config import FINAL_SUFFIX
from harness.errors import UsageError
from harness.records import Phase, phase_at
from harness.store.events import append_event
from harness.store.round_names import split_version
from harness.store.sealed_schema import RejudgeRow, RoundRow, RunRow, SubmissionRow, TaskRow
from harness.store.values import TERMINAL, RejudgeState, RoundFacts, StoredRound, TaskFacts

__all__ = [
    "add_round",
    "find_round",
    "list_rounds",
    "refuse_staged",
    "set_phase",
    "to_stored_round",
    "unfreeze",
]


def add_round(session: Session, facts: RoundFacts, phase: Phase, now: datetime) -> RoundRow:
    """Store a round, or return the stored one if it has the same digest."""
    row = session.scalar(
        select(RoundRow).where(RoundRow.name == facts.name, RoundRow.version == facts.version)
    )
    if row is not None:
        if row.digest != facts.digest:
            raise UsageError(
                f"round {facts.name} {facts.version} is stored with digest {row.digest[:12]}, "
                f"this file has {facts.digest[:12]}; raise its version: scores of one version are comparable"
            )
        return row
    _check_tasks(facts)
    row = RoundRow(
        name=facts.name,
        version=facts.version,
        digest=facts.digest,
        title=facts.title,
        rules_json=facts.rules_json,
        rule=facts.rule,
        phase=phase,
        opens=facts.opens,
        closes=facts.closes,
        max_submissions_per_day=facts.max_submissions_per_day,
        max_submissions=facts.max_submissions,
        is_registered_only=facts.is_registered_only,
        is_practice=facts.is_practice,
        scores_from=facts.scores_from,
        curves_from=facts.curves_from,
        logs_from=facts.logs_from,
        created_at=now,
        tasks=[
            TaskRow(
                position=position,
                name=task.name,
                metric=task.metric,
                budget_calls=task.budget_calls,
                kshot_seeds=list(task.kshot_seeds),
                has_private_rows=task.has_private_rows,
            )
            for position, task in enumerate(facts.tasks)
        ],
    )
    session.add(row)
    session.flush()
    append_event(
        session, now, "round added", round_id=row.id, detail={"digest": facts.digest, "phase": phase}
    )
    return row


def find_round(session: Session, name: str, version: str | None = None) -> RoundRow:
    """Return a round; without a version, the one added last. "NAME@VERSION" names both.

    Raises:
        UsageError: there is none; the message lists those that exist.
    """
    if version is None:
        name, version = split_version(name)
    query = select(RoundRow).where(RoundRow.name == name).order_by(RoundRow.id.desc()).limit(1)
    if version is not None:
        query = query.where(RoundRow.version == version)
    row = session.scalar(query)
    if row is None:
        known = session.execute(select(RoundRow.name, RoundRow.version).order_by(RoundRow.id)).all()
        wanted = name if version is None else f"{name} {version}"
        listing = ", ".join(f"{other} {its_version}" for other, its_version in known) or "none yet"
        raise UsageError(f"no round {wanted}; rounds of this arena: {listing}")
    return row


def list_rounds(session: Session) -> list[RoundRow]:
    """Return every round, oldest first."""
    return list(session.scalars(select(RoundRow).order_by(RoundRow.id)))


_MAY_FOLLOW = {
    Phase.DRAFT: {Phase.OPEN},
    Phase.OPEN: {Phase.FROZEN, Phase.CLOSED},
    Phase.FROZEN: {Phase.OPEN, Phase.CLOSED},
    Phase.CLOSED: {Phase.OPEN, Phase.PUBLISHED},
    Phase.PUBLISHED: set[Phase](),
}
"""Publication is for ever: what was seen cannot be hidden again."""


def set_phase(session: Session, row: RoundRow, phase: Phase, now: datetime) -> None:
    """Move a round to another phase; the publisher then shows it everywhere.

    The board stands still from the moment of freezing until the round is opened again (unfrozen) or
    published; closing a frozen round leaves it frozen.

    Raises:
        UsageError: the present phase does not lead there, or a submission has not ended that
            publication would leave out.
    """
    if phase is Phase.OPEN and row.closes is not None and now >= row.closes:
        raise UsageError(
            f"round {row.full_name} closed at {row.closes.isoformat()} by its file; "
            "create a new version of it with another closing date"
        )
    if row.phase is phase:
        return
    # By the clock a round may be closed before anybody said so.
    present = phase_at(row.phase, row.opens, row.closes, now)
    if phase not in _MAY_FOLLOW[row.phase] | _MAY_FOLLOW[present]:
        if phase is Phase.PUBLISHED and Phase.CLOSED in _MAY_FOLLOW[present]:
            raise UsageError(
                f"round {row.full_name} is {present}; close it first: gradfree round close {row.full_name}"
            )
        following = " or ".join(sorted(_MAY_FOLLOW[present]))
        raise UsageError(
            f"round {row.full_name} is {present}; "
            + (f"from there it can become {following}, not {phase}" if following else "that is for ever")
        )
    if phase is Phase.OPEN:
        _refuse_drawn(session, row)
    if phase is Phase.PUBLISHED:
        refuse_staged(session, row)
        _refuse_unfinished(session, row)
    append_event(session, now, "phase changed", round_id=row.id, detail={"from": row.phase, "to": phase})
    if phase is Phase.FROZEN:
        row.frozen_at = now
    elif phase in {Phase.OPEN, Phase.PUBLISHED}:
        row.frozen_at = None
    row.phase = phase
    row.revision += 1


def unfreeze(session: Session, row: RoundRow, now: datetime) -> None:
    """Show what ended since the board was frozen. An open round stays open, a closed one closed.

    Raises:
        UsageError: the board is not frozen.
    """
    if row.frozen_at is None:
        raise UsageError(f"the board of round {row.full_name} is not frozen")
    append_event(session, now, "board unfrozen", round_id=row.id, detail={"since": row.frozen_at.isoformat()})
    row.frozen_at = None
    if row.phase is Phase.FROZEN:
        row.phase = Phase.OPEN
    row.revision += 1


def refuse_staged(session: Session, row: RoundRow) -> None:
    """Do nothing unless a rejudge is staged, which would still change what publication or a final builds on.

    Raises:
        UsageError: one is.
    """
    staged = select(RejudgeRow.id).where(
        RejudgeRow.round_id == row.id, RejudgeRow.state == RejudgeState.STAGED
    )
    if session.scalar(staged.limit(1)) is not None:
        raise UsageError(
            f"round {row.full_name} has a staged rejudge; apply it or cancel it first: "
            f"gradfree rejudge show {row.full_name}"
        )


def _refuse_drawn(session: Session, row: RoundRow) -> None:
    """Whoever hands in after the final was drawn may know its seeds."""
    drawn = select(RoundRow.id).where(
        RoundRow.name == row.name + FINAL_SUFFIX, RoundRow.version == row.version
    )
    if session.scalar(drawn) is not None:
        raise UsageError(
            f"the final of round {row.name} {row.version} has been drawn, so it stays closed; "
            "create a new version of it for more submissions"
        )


def _refuse_unfinished(session: Session, row: RoundRow) -> None:
    waiting = session.execute(
        select(SubmissionRow.id, func.count(RunRow.id), func.count().filter(RunRow.is_held))
        .join(RunRow)
        .where(SubmissionRow.round_id == row.id, RunRow.status.not_in(TERMINAL))
        .group_by(SubmissionRow.id)
        .order_by(SubmissionRow.id)
    ).all()
    if waiting:
        listing = ", ".join(
            f"{number} ({runs} runs{f', {held} on hold' if held else ''})"
            for number, runs, held in waiting[:10]
        )
        raise UsageError(
            f"round {row.full_name} has {len(waiting)} submissions that have not ended: {listing}; "
            "let a worker finish them, release what is on hold, or cancel them"
        )


def to_stored_round(row: RoundRow) -> StoredRound:
    """Return the row as a frozen value."""
    facts = RoundFacts(
        name=row.name,
        version=row.version,
        digest=row.digest,
        rules_json=row.rules_json,
        title=row.title,
        rule=row.rule,
        opens=row.opens,
        closes=row.closes,
        max_submissions_per_day=row.max_submissions_per_day,
        max_submissions=row.max_submissions,
        is_registered_only=row.is_registered_only,
        is_practice=row.is_practice,
        scores_from=row.scores_from,
        curves_from=row.curves_from,
        logs_from=row.logs_from,
        tasks=tuple(
            TaskFacts(
                task.name, task.metric, task.budget_calls, tuple(task.kshot_seeds), task.has_private_rows
            )
            for task in row.tasks
        ),
    )
    return StoredRound(row.id, facts, row.phase, row.frozen_at, row.secret)


def _check_tasks(facts: RoundFacts) -> None:
    names = [task.name for task in facts.tasks]
    if not names or len(set(names)) != len(names):
        raise UsageError(f"round {facts.name} has tasks {names}; expected one or more, each once")
    for task in facts.tasks:
        if not task.kshot_seeds or len(set(task.kshot_seeds)) != len(task.kshot_seeds):
            raise UsageError(
                f"task {task.name} has k-shot seeds {list(task.kshot_seeds)}; expected one or more, each once"
            )
        if task.budget_calls < 1:
            raise UsageError(
                f"task {task.name} has a budget of {task.budget_calls} calls; expected 1 or more"
            )
