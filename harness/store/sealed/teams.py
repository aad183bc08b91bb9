"""Teams in the sealed store: tokens, quotas and grants.

A token is 32 random bytes as text; the store keeps its SHA-256, so that a reader of the database cannot
submit for a team. Anybody with access to the arena may act for a team without a token, unless the round
requires registered teams.

A submission counts against the quota from its first metered call, or from the scoring of its test rows,
whichever comes first; until one of them or its end it is reserved. Platform errors, refused files and runs
that end before both cost nothing. A scored prediction upload counts like a submission.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from harness.errors import UsageError
from harness.records import Phase
from harness.store.sealed.events import append_event
from harness.store.sealed.schema import GrantRow, RoundRow, SubmissionRow, TeamRow, UploadRow
from harness.store.sealed.store import Transaction
from harness.store.values import TERMINAL, Quota

__all__ = [
    "BASELINE_TEAM",
    "MAX_NAME",
    "add_grant",
    "add_team",
    "admit",
    "authenticate",
    "ensure_team",
    "find_team",
    "list_teams",
    "quota_of",
    "refuse_unless_open",
    "rotate_token",
    "team_of_token",
]

MAX_NAME = 100
"""Characters of a team's name."""

BASELINE_TEAM = "reference"
"""The team that enters the baselines."""


def ensure_team(tx: Transaction, name: str, *, is_baseline_owner: bool = False) -> TeamRow:
    """Return the team of that name, added without a token if it is new.

    Raises:
        UsageError: the name cannot be shown on one line, is reserved for the baselines, or is taken by a
            team of the other kind.
    """
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(
            f"team name {name[:MAX_NAME]!r}: expected 1-{MAX_NAME} printable characters on one line, "
            "without spaces at either end"
        )
    if name.casefold() == BASELINE_TEAM and not is_baseline_owner:
        raise UsageError(f"team name {name!r} is reserved for the baselines; use another one")
    row = tx.session.scalar(select(TeamRow).where(TeamRow.name == name))
    if row is None:
        row = TeamRow(name=name, is_baseline_owner=is_baseline_owner, created_at=tx.now)
        tx.session.add(row)
        tx.session.flush()
        append_event(tx, "team added", detail={"team": name, "is_baseline_owner": is_baseline_owner})
    elif row.is_baseline_owner != is_baseline_owner:
        kind = "the owner of the baselines" if row.is_baseline_owner else "a competing team"
        raise UsageError(f"team {name} is {kind}; use another team name")
    return row


def add_team(tx: Transaction, name: str) -> str:
    """Add a team and return its token, which cannot be read again.

    Raises:
        UsageError: the name cannot be shown, or the team has a token already.
    """
    row = ensure_team(tx, name)
    if row.token_sha256 is not None:
        raise UsageError(f"team {name} has a token; give it a new one: gradfree team rotate {name!r}")
    return rotate_token(tx, row)


def find_team(tx: Transaction, name: str) -> TeamRow:
    """Return a team.

    Raises:
        UsageError: there is none of that name.
    """
    row = tx.session.scalar(select(TeamRow).where(TeamRow.name == name))
    if row is None:
        raise UsageError(f"no team {name!r}; add it first: gradfree team add {name!r}")
    return row


def list_teams(tx: Transaction) -> tuple[TeamRow, ...]:
    """Return every team, oldest first."""
    return tuple(tx.session.scalars(select(TeamRow).order_by(TeamRow.id)))


def rotate_token(tx: Transaction, row: TeamRow) -> str:
    """Give a team a new token and return it; it cannot be read again, and the old one is void."""
    token = secrets.token_urlsafe(32)
    event = "token given" if row.token_sha256 is None else "token rotated"
    row.token_sha256 = _hash(token)
    row.token_at = tx.now
    append_event(tx, event, detail={"team": row.name})
    return token


def team_of_token(tx: Transaction, token: str) -> str:
    """Return the name of the team that a token belongs to.

    Raises:
        UsageError: it belongs to no team.
    """
    name = tx.session.scalar(select(TeamRow.name).where(TeamRow.token_sha256 == _hash(token)))
    if name is None:
        raise UsageError("this token belongs to no team of this arena; the organizer can give a new one")
    return name


def authenticate(row: TeamRow, token: str | None, *, is_registered_only: bool = False) -> None:
    """Check that the holder of a token may act for a team.

    Raises:
        UsageError: the team has another token, or the round requires a token and the team has none.
    """
    if row.token_sha256 is None:
        if is_registered_only:
            raise UsageError(
                f"this round is for registered teams, and {row.name} has no token; "
                f"the organizer gives it one: gradfree team rotate {row.name!r}"
            )
        return
    if token is None:
        raise UsageError(f"team {row.name} has a token; pass it with --token or GRADFREE_TOKEN")
    if not hmac.compare_digest(_hash(token), row.token_sha256):
        raise UsageError(f"this is not the token of team {row.name}; a rotated token is void")


def add_grant(tx: Transaction, round_row: RoundRow, team: TeamRow, n_submissions: int, reason: str = "") -> Quota:
    """Let a team submit more than the quota, today and in all; return the quota afterwards.

    Raises:
        UsageError: the number is not positive.
    """
    if n_submissions < 1:
        raise UsageError(f"a grant of {n_submissions} submissions; expected 1 or more")
    tx.session.add(
        GrantRow(round_id=round_row.id, team_id=team.id, n_submissions=n_submissions, reason=reason, created_at=tx.now)
    )
    tx.session.flush()
    append_event(
        tx,
        "grant added",
        round_id=round_row.id,
        detail={"team": team.name, "n_submissions": n_submissions, "reason": reason},
    )
    return quota_of(tx, round_row, team)


def quota_of(tx: Transaction, round_row: RoundRow, team: TeamRow) -> Quota:
    """Return what a team has used of its quota, and what is left today (UTC) and in all."""
    today = datetime.combine(tx.now.astimezone(UTC).date(), time(), UTC)
    tomorrow = today + timedelta(days=1)
    counted = (
        select(func.count())
        .select_from(SubmissionRow)
        .where(
            SubmissionRow.round_id == round_row.id,
            SubmissionRow.team_id == team.id,
            SubmissionRow.is_shown,
            or_(SubmissionRow.charged_at.is_not(None), SubmissionRow.status.not_in(TERMINAL)),
        )
    )
    uploaded = (
        select(func.count())
        .select_from(UploadRow)
        .where(UploadRow.round_id == round_row.id, UploadRow.team_id == team.id, UploadRow.charged_at.is_not(None))
    )
    granted = select(func.coalesce(func.sum(GrantRow.n_submissions), 0)).where(
        GrantRow.round_id == round_row.id, GrantRow.team_id == team.id
    )
    counted_today = counted.where(SubmissionRow.submitted_at >= today, SubmissionRow.submitted_at < tomorrow)
    uploaded_today = uploaded.where(UploadRow.charged_at >= today, UploadRow.charged_at < tomorrow)
    granted_today = granted.where(GrantRow.created_at >= today, GrantRow.created_at < tomorrow)
    rules = round_row.config.round

    def number(*queries: Any) -> int:
        return sum(tx.session.scalar(query) or 0 for query in queries)

    return Quota(
        used_today=number(counted_today, uploaded_today),
        used=number(counted, uploaded),
        granted_today=number(granted_today),
        granted=number(granted),
        max_per_day=rules.max_submissions_per_day,
        max_total=rules.max_submissions,
    )


def refuse_unless_open(tx: Transaction, round_row: RoundRow) -> None:
    """Check that a round accepts submissions now.

    Raises:
        UsageError: it does not.
    """
    phase = round_row.phase_at(tx.now)
    if phase in {Phase.OPEN, Phase.FROZEN}:
        return
    opens, closes = round_row.config.round.opens, round_row.config.round.closes
    if opens is not None and tx.now < opens:
        why = f"it opens at {opens.isoformat()}"
    elif closes is not None and tx.now >= closes:
        why = f"it closed at {closes.isoformat()}"
    else:
        why = f"its organizer opens it: gradfree round open {round_row.full_name}"
    raise UsageError(
        f"round {round_row.full_name} is not open ({phase}): {why}; it is {tx.now.isoformat(timespec='seconds')}"
    )


def admit(tx: Transaction, round_row: RoundRow, team: TeamRow) -> None:
    """Check that a team may submit now, in the transaction that stores the submission.

    Raises:
        UsageError: the round is not open, or the team's quota is used up.
    """
    refuse_unless_open(tx, round_row)
    quota = quota_of(tx, round_row, team)
    if quota.left == 0:
        limit = "max_submissions" if quota.is_spent_in_all else "max_submissions_per_day"
        raise UsageError(
            f"team {team.name} has used its quota in round {round_row.name}: {quota}. "
            f"The limit is {limit}; the organizer can grant more: gradfree team grant"
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.strip().encode()).hexdigest()
