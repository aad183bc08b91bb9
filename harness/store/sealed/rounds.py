"""Rounds in the sealed store."""

from sqlalchemy import func, select

from harness.config import FINAL_SUFFIX, RoundConfig
from harness.errors import UsageError
from harness.records import Phase, split_version
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import RejudgeRow, RoundRow, RunRow, SubmissionRow
from harness.store.sealed.store import Transaction
from harness.store.values import TERMINAL, RejudgeState, no_round

__all__ = ["add_round", "find_round", "list_rounds", "refuse_staged", "set_phase", "unfreeze"]


def add_round(tx: Transaction, config: RoundConfig, phase: Phase = Phase.OPEN) -> RoundRow:
    """Store a round, or return the stored one if it has the same rules.

    Raises:
        UsageError: the same name and version is stored with another digest.
    """
    digest = config.digest()
    row = tx.session.scalar(
        select(RoundRow).where(RoundRow.name == config.name, RoundRow.version == config.round.version)
    )
    if row is None:
        row = RoundRow(
            name=config.name,
            version=config.round.version,
            digest=digest,
            rules_json=config.canonical_json(),
            phase=phase,
            created_at=tx.now,
        )
        tx.session.add(row)
        tx.session.flush()
        append_event(tx, "round added", round_id=row.id, detail={"digest": digest, "phase": phase})
    elif row.digest != digest:
        raise UsageError(
            f"round {config.name} {config.round.version} is stored with digest {row.digest[:12]}, "
            f"this file has {digest[:12]}; raise its version: scores of one version are comparable"
        )
    return row


def find_round(tx: Transaction, name: str, version: str | None = None) -> RoundRow:
    """Return a round; without a version, the one added last. "NAME@VERSION" names both.

    Raises:
        UsageError: there is none; the message lists those that exist.
    """
    if version is None:
        name, version = split_version(name)
    query = select(RoundRow).where(RoundRow.name == name).order_by(RoundRow.id.desc()).limit(1)
    if version is not None:
        query = query.where(RoundRow.version == version)
    row = tx.session.scalar(query)
    if row is None:
        known = tx.session.execute(select(RoundRow.name, RoundRow.version).order_by(RoundRow.id)).all()
        raise no_round(name, version, known)
    return row


def list_rounds(tx: Transaction) -> tuple[RoundRow, ...]:
    """Return every round, oldest first."""
    return tuple(tx.session.scalars(select(RoundRow).order_by(RoundRow.id)))


_MAY_FOLLOW = {
    Phase.DRAFT: {Phase.OPEN},
    Phase.OPEN: {Phase.FROZEN, Phase.CLOSED},
    Phase.FROZEN: {Phase.OPEN, Phase.CLOSED},
    Phase.CLOSED: {Phase.OPEN, Phase.PUBLISHED},
    Phase.PUBLISHED: set[Phase](),
}
"""A published round is immutable: what was seen cannot be hidden again."""


def set_phase(tx: Transaction, row: RoundRow, phase: Phase) -> None:
    """Move a round to another phase; publish afterwards.

    The board stays frozen from the moment of freezing until the round is opened again (unfrozen) or
    published; closing a frozen round leaves it frozen.

    Raises:
        UsageError: the present phase does not lead there, or a submission has not ended that
            publication would leave out.
    """
    closes = row.config.round.closes
    if phase is Phase.OPEN and closes is not None and tx.now >= closes:
        raise UsageError(
            f"round {row.full_name} closed at {closes.isoformat()} by its file; "
            "create a new version of it with another closing date"
        )
    if row.phase is phase:
        return
    # By the clock a round may be closed before anybody closes it.
    present = row.phase_at(tx.now)
    if phase not in _MAY_FOLLOW[row.phase] | _MAY_FOLLOW[present]:
        if phase is Phase.PUBLISHED and Phase.CLOSED in _MAY_FOLLOW[present]:
            raise UsageError(
                f"round {row.full_name} is {present}; close it first: gradfree round close {row.full_name}"
            )
        following = " or ".join(sorted(_MAY_FOLLOW[present]))
        raise UsageError(
            f"round {row.full_name} is {present}; "
            + (f"from there it can become {following}, not {phase}" if following else "it is immutable")
        )
    if phase is Phase.OPEN:
        _refuse_drawn(tx, row)
    if phase is Phase.PUBLISHED:
        refuse_staged(tx, row)
        _refuse_unfinished(tx, row)
    append_event(tx, "phase changed", round_id=row.id, detail={"from": row.phase, "to": phase})
    if phase is Phase.FROZEN:
        row.frozen_at = tx.now
    elif phase in {Phase.OPEN, Phase.PUBLISHED}:
        row.frozen_at = None
    row.phase = phase
    row.revision += 1


def unfreeze(tx: Transaction, row: RoundRow) -> None:
    """Show what ended since the board was frozen; publish afterwards. An open round stays open, a closed one closed.

    Raises:
        UsageError: the board is not frozen.
    """
    if row.frozen_at is None:
        raise UsageError(f"the board of round {row.full_name} is not frozen")
    append_event(tx, "board unfrozen", round_id=row.id, detail={"since": row.frozen_at.isoformat()})
    row.frozen_at = None
    if row.phase is Phase.FROZEN:
        row.phase = Phase.OPEN
    row.revision += 1


def refuse_staged(tx: Transaction, row: RoundRow) -> None:
    """Do nothing unless a rejudge is staged: it could still change what publication or a final builds on.

    Raises:
        UsageError: one is.
    """
    staged = select(RejudgeRow.id).where(RejudgeRow.round_id == row.id, RejudgeRow.state == RejudgeState.STAGED)
    if tx.session.scalar(staged.limit(1)) is not None:
        raise UsageError(
            f"round {row.full_name} has a staged rejudge; apply it or cancel it first: "
            f"gradfree rejudge show {row.full_name}"
        )


def _refuse_drawn(tx: Transaction, row: RoundRow) -> None:
    """Refuse to reopen a round whose final was drawn: its seeds may be known."""
    drawn = select(RoundRow.id).where(RoundRow.name == row.name + FINAL_SUFFIX, RoundRow.version == row.version)
    if tx.session.scalar(drawn) is not None:
        raise UsageError(
            f"the final of round {row.name} {row.version} has been drawn, so it stays closed; "
            "create a new version of it for more submissions"
        )


def _refuse_unfinished(tx: Transaction, row: RoundRow) -> None:
    waiting = tx.session.execute(
        select(SubmissionRow.id, func.count(RunRow.id), func.count().filter(RunRow.is_held))
        .join(RunRow)
        .where(SubmissionRow.round_id == row.id, RunRow.status.not_in(TERMINAL))
        .group_by(SubmissionRow.id)
        .order_by(SubmissionRow.id)
    ).all()
    if waiting:
        listing = ", ".join(
            f"{number} ({runs} runs{f', {held} on hold' if held else ''})" for number, runs, held in waiting[:10]
        )
        raise UsageError(
            f"round {row.full_name} has {len(waiting)} submissions that have not ended: {listing}; "
            "let a worker finish them, release what is on hold, or cancel them"
        )
