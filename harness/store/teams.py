"""Teams in the sealed store: tokens, quotas and grants, as functions of an open session.

A token is 32 random bytes in text; the store keeps its SHA-256, so that nobody who reads the database can
hand in for a team. A team without a token may be used by anybody who has the arena at hand, unless the
round wants registered teams.

A submission counts against the quota from its first metered call, or from the scoring of its test rows,
whichever comes first; until one of them or its end it is reserved. Faults of ours, files that are refused
and runs that end before both cost nothing. Uploaded predictions that were scored count like a submission.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.records import Phase, phase_at
from harness.store.events import append_event
from harness.store.sealed_schema import GrantRow, RoundRow, SubmissionRow, TeamRow, UploadRow
from harness.store.values import TERMINAL, Quota

__all__ = [
    "BASELINE_TEAM",
    "MAX_NAME",
    "add_grant",
    "admit",
    "authenticate",
    "ensure_team",
    "find_team",
    "quota_of",
    "refuse_unless_open",
    "rotate_token",
    "team_of_token",
]

MAX_NAME = 100
"""Characters of a team's name."""

BASELINE_TEAM = "reference"
"""Who enters the reference methods."""


def ensure_team(session: Session, name: str, now: datetime, *, is_baseline_owner: bool) -> TeamRow:
    """Return the team of that name, made if it is new.

    Raises:
        UsageError: the name cannot be shown on one line, is kept for the reference methods, or is taken by a
            team of the other kind.
    """
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(
            f"team name {name[:MAX_NAME]!r}: expected 1-{MAX_NAME} printable characters on one line, "
            "without spaces at either end"
        )
    if name.casefold() == BASELINE_TEAM and not is_baseline_owner:
        raise UsageError(f"team name {name!r} is kept for the reference methods; use another one")
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
        raise UsageError(f"no team {name!r}; add it first: gradfree team add {name!r}")
    return row


def rotate_token(session: Session, row: TeamRow, now: datetime) -> str:
    """Give a team a new token and return it: the only time that it can be read. The old one is void."""
    token = secrets.token_urlsafe(32)
    event = "token given" if row.token_sha256 is None else "token rotated"
    row.token_sha256 = _hash(token)
    row.token_at = now
    append_event(session, now, event, detail={"team": row.name})
    return token


def team_of_token(session: Session, token: str) -> TeamRow:
    """Return the team that a token belongs to.

    Raises:
        UsageError: it is nobody's.
    """
    row = session.scalar(select(TeamRow).where(TeamRow.token_sha256 == _hash(token)))
    if row is None:
        raise UsageError("this token belongs to no team of this arena; the organizer can give a new one")
    return row


def authenticate(row: TeamRow, token: str | None, *, is_registered_only: bool = False) -> None:
    """Check that whoever acts for a team may.

    Raises:
        UsageError: the team has a token and this is not it, or the round wants teams with tokens.
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


def add_grant(
    session: Session, round_row: RoundRow, team: TeamRow, n_submissions: int, reason: str, now: datetime
) -> None:
    """Let a team hand in more than the quota: today, and in all.

    Raises:
        UsageError: the number is not positive.
    """
    if n_submissions < 1:
        raise UsageError(f"a grant of {n_submissions} submissions; expected 1 or more")
    session.add(
        GrantRow(
            round_id=round_row.id,
            team_id=team.id,
            n_submissions=n_submissions,
            reason=reason,
            created_at=now,
        )
    )
    append_event(
        session,
        now,
        "grant added",
        round_id=round_row.id,
        detail={"team": team.name, "n_submissions": n_submissions, "reason": reason},
    )


def quota_of(session: Session, round_row: RoundRow, team: TeamRow, now: datetime) -> Quota:
    """Return what a team has used of its quota, and what is left today (UTC) and in all."""
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
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
        .where(
            UploadRow.round_id == round_row.id,
            UploadRow.team_id == team.id,
            UploadRow.charged_at.is_not(None),
        )
    )
    granted = select(func.coalesce(func.sum(GrantRow.n_submissions), 0)).where(
        GrantRow.round_id == round_row.id, GrantRow.team_id == team.id
    )
    tomorrow = today + timedelta(days=1)
    counted_today = counted.where(SubmissionRow.submitted_at >= today, SubmissionRow.submitted_at < tomorrow)
    uploaded_today = uploaded.where(UploadRow.charged_at >= today, UploadRow.charged_at < tomorrow)
    return Quota(
        used_today=(session.scalar(counted_today) or 0) + (session.scalar(uploaded_today) or 0),
        used=(session.scalar(counted) or 0) + (session.scalar(uploaded) or 0),
        granted_today=session.scalar(
            granted.where(GrantRow.created_at >= today, GrantRow.created_at < tomorrow)
        )
        or 0,
        granted=session.scalar(granted) or 0,
        max_per_day=round_row.max_submissions_per_day,
        max_total=round_row.max_submissions,
    )


def refuse_unless_open(round_row: RoundRow, now: datetime) -> None:
    """Check that a round takes what teams hand in.

    Raises:
        UsageError: it does not at the moment.
    """
    phase = phase_at(round_row.phase, round_row.opens, round_row.closes, now)
    if phase not in {Phase.OPEN, Phase.FROZEN}:
        opens, closes = round_row.opens, round_row.closes
        if opens is not None and now < opens:
            why = f"it opens at {opens.isoformat()}"
        elif closes is not None and now >= closes:
            why = f"it closed at {closes.isoformat()}"
        else:
            why = f"its organizer opens it: gradfree round open {round_row.full_name}"
        raise UsageError(
            f"round {round_row.full_name} is not open ({phase}): {why}; it is {now.isoformat(timespec='seconds')}"
        )


def admit(session: Session, round_row: RoundRow, team: TeamRow, now: datetime) -> None:
    """Check that a team may hand in now; in the transaction that stores what it hands in.

    Raises:
        UsageError: the round takes nothing at the moment, or the team's quota is used up.
    """
    refuse_unless_open(round_row, now)
    quota = quota_of(session, round_row, team, now)
    if quota.left == 0:
        limit = "max_submissions" if quota.is_spent_in_all else "max_submissions_per_day"
        raise UsageError(
            f"team {team.name} has used its quota in round {round_row.name}: {quota}. "
            f"The limit is {limit}; the organizer can grant more: gradfree team grant"
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.strip().encode()).hexdigest()
