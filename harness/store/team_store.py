"""Teams in the sealed store, one transaction per method."""

from sqlalchemy import select

from harness.errors import UsageError
from harness.store import rounds, teams
from harness.store.sealed_schema import TeamRow
from harness.store.transactions import Transactions
from harness.store.values import Quota, StoredTeam

__all__ = ["TeamStore"]


class TeamStore(Transactions):
    """Teams, their tokens and their quotas."""

    def ensure_team(self, name: str, *, is_baseline_owner: bool = False) -> int:
        """Return the team's number, making the team (without a token) if it is new.

        Raises:
            UsageError: the name cannot be shown, or is taken by a team of the other kind.
        """
        with self._transaction() as session:
            return teams.ensure_team(session, name, self._clock(), is_baseline_owner=is_baseline_owner).id

    def add_team(self, name: str) -> str:
        """Add a team and return its token: the only time that it can be read.

        Raises:
            UsageError: the name cannot be shown, or the team has a token already.
        """
        with self._transaction() as session:
            row = teams.ensure_team(session, name, self._clock(), is_baseline_owner=False)
            if row.token_sha256 is not None:
                raise UsageError(f"team {name} has a token; give it a new one: gradfree team rotate {name!r}")
            return teams.rotate_token(session, row, self._clock())

    def rotate_token(self, name: str) -> str:
        """Give a team a new token and return it; the old one is void from now on.

        Raises:
            UsageError: there is no such team.
        """
        with self._transaction() as session:
            return teams.rotate_token(session, teams.find_team(session, name), self._clock())

    def team_of_token(self, token: str) -> str:
        """Return the name of the team that a token belongs to.

        Raises:
            UsageError: it is nobody's.
        """
        with self.reading() as session:
            return teams.team_of_token(session, token).name

    def authenticate(self, name: str, token: str | None) -> None:
        """Check that whoever acts for a team may.

        Raises:
            UsageError: there is no such team, or it has a token and this is not it.
        """
        with self.reading() as session:
            teams.authenticate(teams.find_team(session, name), token)

    def list_teams(self) -> tuple[StoredTeam, ...]:
        """Return every team, oldest first."""
        with self.reading() as session:
            return tuple(
                StoredTeam(
                    team_id=row.id,
                    name=row.name,
                    is_baseline_owner=row.is_baseline_owner,
                    has_token=row.token_sha256 is not None,
                    token_at=row.token_at,
                    created_at=row.created_at,
                )
                for row in session.scalars(select(TeamRow).order_by(TeamRow.id))
            )

    def quota(self, round_name: str, team: str, round_version: str | None = None) -> Quota:
        """Return what a team has used of a round's quota, and what is left.

        Raises:
            UsageError: no such round or team.
        """
        with self.reading() as session:
            round_row = rounds.find_round(session, round_name, round_version)
            return teams.quota_of(session, round_row, teams.find_team(session, team), self._clock())

    def add_grant(self, round_name: str, team: str, n_submissions: int, reason: str = "") -> Quota:
        """Let a team hand in more than the quota, today and in all; return the quota as it is then.

        Raises:
            UsageError: no such round or team, or the number is not positive.
        """
        with self._transaction() as session:
            round_row, row = rounds.find_round(session, round_name), teams.find_team(session, team)
            teams.add_grant(session, round_row, row, n_submissions, reason, self._clock())
            session.flush()
            return teams.quota_of(session, round_row, row, self._clock())
