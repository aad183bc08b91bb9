"""Submissions and uploads in the sealed store, one transaction per method."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.records import IntArray
from harness.store import evidence, rounds, submissions, teams, uploads
from harness.store.events import Event, append_event, read_events
from harness.store.sealed_schema import RoundRow, TeamRow
from harness.store.transactions import Transactions
from harness.store.values import StoredSubmission

__all__ = ["SubmissionStore"]


class SubmissionStore(Transactions):
    """Submissions, uploaded predictions, and the audit of both."""

    def check_admission(
        self,
        round_name: str,
        team: str,
        *,
        is_example: bool = False,
        round_version: str | None = None,
        token: str | None = None,
    ) -> None:
        """Check whether a team may hand in now, so that files are kept of nobody who may not.

        `add_submission` decides, by the same rules.

        Raises:
            UsageError: no such round or team, the token is not its own, the round is not open, or the quota
                is used up.
        """
        with self.reading() as session:
            round_row = rounds.find_round(session, round_name, round_version)
            self._admit(session, round_row, teams.find_team(session, team), token, is_example=is_example)

    def _admit(
        self, session: Session, round_row: RoundRow, team_row: TeamRow, token: str | None, *, is_example: bool
    ) -> None:
        is_registered_only = round_row.is_registered_only and not is_example
        teams.authenticate(team_row, token, is_registered_only=is_registered_only)
        teams.admit(session, round_row, team_row, self._clock())

    def add_submission(
        self,
        round_name: str,
        team: str,
        name: str,
        digest: str,
        path: str,
        *,
        description: str = "",
        is_baseline: bool = False,
        is_example: bool = False,
        round_version: str | None = None,
        token: str | None = None,
        is_entered_by_organizer: bool = False,
        spool_number: str | None = None,
    ) -> int:
        """Store a submission and queue one run per task and few-shot seed; return its number.

        Args:
            round_name: a stored round.
            team: a stored team; only the owner of the baselines hands in baselines.
            name: the solver's name.
            digest: SHA-256 of the submission's content. The same content may be handed in again.
            path: folder of the content.
            description: the participant's own words.
            is_baseline: a reference method: on the board in order, without a rank.
            is_example: one of the packaged examples: ranked, one row per solver.
            round_version: None means the version added last.
            token: the team's, if it has one; the organizer enters reference methods without.
            is_entered_by_organizer: neither token nor quota nor phase are asked for, as in a final.
            spool_number: of the upload that it came by; see `submission_of_upload`.

        Raises:
            UsageError: no such round or team, the team is of the other kind, the token is not its own,
                the round is not open, or the quota is used up.
        """
        with self._transaction() as session:
            round_row = rounds.find_round(session, round_name, round_version)
            team_row = teams.find_team(session, team)
            if not (is_baseline or is_entered_by_organizer):
                self._admit(session, round_row, team_row, token, is_example=is_example)
            row = submissions.add_submission(
                session,
                round_row,
                team_row,
                self._clock(),
                name=name,
                digest=digest,
                path=path,
                description=description,
                is_baseline=is_baseline,
                is_example=is_example,
                spool_number=spool_number,
            )
            return row.id

    def submission_of_upload(self, spool_number: str) -> int | None:
        """Return the number of the submission that came by an upload of the web; None if it was not taken in."""
        with self.reading() as session:
            row = submissions.find_by_upload(session, spool_number)
            return None if row is None else row.id

    def get_submission(self, submission_id: int) -> StoredSubmission:
        """Return a submission with its runs, private scores included.

        Raises:
            UsageError: there is none of that number.
        """
        with self.reading() as session:
            return submissions.to_stored_submission(submissions.find_submission(session, submission_id))

    def list_submissions(
        self, round_name: str | None = None, team: str | None = None, *, is_everything: bool = False
    ) -> tuple[StoredSubmission, ...]:
        """Return submissions, oldest first; staged copies and repeats only with `is_everything`.

        Raises:
            UsageError: no such round or team.
        """
        with self.reading() as session:
            round_row = None if round_name is None else rounds.find_round(session, round_name)
            team_row = None if team is None else teams.find_team(session, team)
            found = submissions.list_submissions(session, round_row, team_row, is_everything=is_everything)
            return tuple(submissions.to_stored_submission(row) for row in found)

    def submission_of_run(self, run_id: int) -> StoredSubmission:
        """Return the submission that a run belongs to.

        Raises:
            UsageError: there is no such run.
        """
        with self.reading() as session:
            return submissions.to_stored_submission(evidence.find_run(session, run_id))

    def void_attempts(self, submission_id: int) -> tuple[evidence.VoidAttempt, ...]:
        """Return the attempts at a submission's runs that ended without a result, oldest first."""
        with self.reading() as session:
            return tuple(evidence.void_attempts_of(session, submission_id))

    def note_replay(self, run_id: int, digest: str) -> None:
        """Leave in the audit that a run is executed again: it reads test rows.

        Args:
            run_id: the run.
            digest: SHA-256 of the submission that takes part; another one than the run's own, perhaps.

        Raises:
            UsageError: there is no such run.
        """
        with self._transaction() as session:
            row = evidence.find_run(session, run_id)
            append_event(
                session,
                self._clock(),
                "run replayed",
                round_id=row.round_id,
                submission_id=row.id,
                run_id=run_id,
                detail={"digest": digest},
            )

    def predictions(self, submission_id: int) -> dict[int, IntArray]:
        """Return run -> predicted classes int64 (B,) in canonical order. Sealed."""
        with self.reading() as session:
            return evidence.predictions_of(session, submission_id)

    def cancel_submission(self, submission_id: int, reason: str = "") -> None:
        """End a submission's runs that have not ended.

        Raises:
            UsageError: there is none of that number, it has ended, or it is a rejudge's staged copy.
        """
        with self._transaction() as session:
            row = submissions.find_submission(session, submission_id)
            if row.rejudge_id is not None:
                # Its result would take the place of the first one.
                raise UsageError(
                    f"submission {submission_id} is a staged copy, which ends with its rejudge alone: "
                    f"gradfree rejudge cancel {row.round.full_name}"
                )
            submissions.cancel_submission(session, row, reason, self._clock())

    def add_upload(
        self,
        round_name: str,
        name: str,
        digest: str,
        task_scores: Mapping[str, float],
        score: float,
        *,
        round_version: str | None = None,
        team: str | None = None,
    ) -> int:
        """Store the scores of uploaded predictions; the same archive again replaces its row.

        Args:
            round_name: a stored round.
            name: what to show, as written by people.
            digest: SHA-256 of the archive.
            task_scores: 0-100 on the public rows, for every task of the round.
            score: 0-100, the mean over tasks.
            round_version: None means the version added last.
            team: a stored team, in whose quota they count; None means that they are the organizer's own.

        Returns:
            The row's number.

        Raises:
            UsageError: no such round or team, the name cannot be shown, the round is not open, the team's
                quota is used up, or the archive was another team's.
            InfrastructureError: a task is missing or unknown, or a score out of range.
        """
        with self._transaction() as session:
            row = uploads.add_upload(
                session,
                rounds.find_round(session, round_name, round_version),
                self._clock(),
                name=name,
                digest=digest,
                score=score,
                task_scores=task_scores,
                team=None if team is None else teams.find_team(session, team),
            )
            return row.id

    def events(self, submission_id: int | None = None) -> tuple[Event, ...]:
        """Return the audit, oldest first, of one submission or of everything."""
        with self.reading() as session:
            return tuple(read_events(session, submission_id))
