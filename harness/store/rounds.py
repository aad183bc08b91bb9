"""Rounds and teams in the sealed store: functions of an open session."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.store.events import append_event
from harness.store.sealed_schema import RoundRow, TaskRow, TeamRow
from harness.store.values import Phase, RoundFacts, StoredRound, TaskFacts

__all__ = [
    "add_round",
    "ensure_team",
    "find_round",
    "find_team",
    "list_rounds",
    "set_phase",
    "to_stored_round",
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
    """Return a round; without a version, the one added last.

    Raises:
        UsageError: there is none; the message lists those that exist.
    """
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


def set_phase(session: Session, row: RoundRow, phase: Phase, now: datetime) -> None:
    """Move a round to another phase; the publisher then shows it everywhere."""
    if row.phase is phase:
        return
    append_event(session, now, "phase changed", round_id=row.id, detail={"from": row.phase, "to": phase})
    row.phase = phase
    row.revision += 1


def ensure_team(session: Session, name: str, now: datetime, *, is_baseline_owner: bool) -> TeamRow:
    """Return the team of that name, made if it is new."""
    if not name.strip():
        raise UsageError(f"team name {name!r} is empty; give the team a name")
    row = session.scalar(select(TeamRow).where(TeamRow.name == name))
    if row is None:
        row = TeamRow(name=name, is_baseline_owner=is_baseline_owner, created_at=now)
        session.add(row)
        session.flush()
        append_event(
            session, now, "team added", detail={"team": name, "is_baseline_owner": is_baseline_owner}
        )
    elif row.is_baseline_owner != is_baseline_owner:
        kind = "the owner of the baselines" if row.is_baseline_owner else "a competing team"
        raise UsageError(f"team {name} is {kind}; use another team name")
    return row


def find_team(session: Session, name: str) -> TeamRow:
    """Return a team.

    Raises:
        UsageError: there is none of that name.
    """
    row = session.scalar(select(TeamRow).where(TeamRow.name == name))
    if row is None:
        raise UsageError(f"no team {name!r}; add it first")
    return row


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
        tasks=tuple(
            TaskFacts(
                task.name, task.metric, task.budget_calls, tuple(task.kshot_seeds), task.has_private_rows
            )
            for task in row.tasks
        ),
    )
    return StoredRound(row.id, facts, row.phase)


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
